//! Patterns over paths: `*` and `?` within a segment, `**` across segments.
//! Called when a table's files are listed.

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use regex::Regex;

use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::object_store::{Location, Stores, read_error};

#[derive(Debug)]
pub(super) struct Pattern {
    /// As catalog.toml has it.
    text: String,
    /// What comes before the first segment with a wildcard; a file or a folder
    /// where there is none.
    pub(super) root: Location,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    /// No wildcard: the root is a file, or a folder and everything in it.
    Everything,
    Matching {
        paths: Regex,
        hidden: Hidden,
    },
}

/// Files and folders whose names start with `_` or `.` are other programs'
/// notes (`_SUCCESS`, `.crc`), unless the pattern asks for such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Skipped,
    AskedFor,
}

/// A file of a table with the path below the pattern's root.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub(super) object: ObjectMeta,
    pub(super) relative: String,
}

impl Pattern {
    pub(super) fn new(text: &str, storage: Option<&str>, stores: &Stores) -> Result<Self> {
        let Some(wild) = first_wildcard(text) else {
            return Ok(Pattern {
                text: text.to_string(),
                root: stores.locate(text, storage)?,
                rest: Rest::Everything,
            });
        };
        let start = text[..wild].rfind('/').map_or(0, |slash| slash + 1);
        let (root, rest) = text.split_at(start);
        Ok(Pattern {
            text: text.to_string(),
            root: stores.locate(root, storage)?,
            rest: Rest::Matching {
                paths: regex_of(rest)?,
                hidden: match rest.split('/').any(is_hidden) {
                    true => Hidden::AskedFor,
                    false => Hidden::Skipped,
                },
            },
        })
    }

    /// The files that match, by path. 58030 naming the pattern where none does.
    pub(super) async fn list(&self, table: &RelationName) -> Result<Vec<Match>> {
        let store = self.root.store.store.as_ref();
        let mut found = match &self.rest {
            Rest::Everything => match store.head(&self.root.path).await {
                Ok(object) => vec![Match {
                    relative: object.location.filename().unwrap_or_default().to_string(),
                    object,
                }],
                Err(_) => self.list_below(table, |path| !has_hidden(path)).await?,
            },
            Rest::Matching { paths, hidden } => {
                let shown = |path: &str| *hidden == Hidden::AskedFor || !has_hidden(path);
                self.list_below(table, |path| paths.is_match(path) && shown(path))
                    .await?
            }
        };
        if found.is_empty() {
            return Err(Error::new(
                SqlState::IO_ERROR,
                format!("no file matches \"{}\" of table \"{table}\"", self.text),
            ));
        }
        found.sort_by(|a, b| a.object.location.cmp(&b.object.location));
        Ok(found)
    }

    async fn list_below(
        &self,
        table: &RelationName,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Match>> {
        let root = &self.root.path;
        let mut objects = self.root.store.store.list(Some(root));
        let mut found = Vec::new();
        let failed = |error| read_error(&self.root, table, &error);
        while let Some(object) = objects.try_next().await.map_err(failed)? {
            let Some(relative) = below(root.as_ref(), object.location.as_ref()) else {
                continue;
            };
            if wanted(relative) {
                found.push(Match {
                    relative: relative.to_string(),
                    object,
                });
            }
        }
        Ok(found)
    }
}

fn below<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    if root.is_empty() {
        return Some(path);
    }
    path.strip_prefix(root)?.strip_prefix('/')
}

fn first_wildcard(text: &str) -> Option<usize> {
    // the `?` of a URL's query is no wildcard, and such URLs name one file
    let web = text.starts_with("http://") || text.starts_with("https://");
    text.find(|c| c == '*' || (c == '?' && !web))
}

fn has_hidden(path: &str) -> bool {
    path.split('/').any(is_hidden)
}

fn is_hidden(segment: &str) -> bool {
    // `_year=2024` is a partition
    segment.starts_with('.') || (segment.starts_with('_') && !segment.contains('='))
}

fn regex_of(pattern: &str) -> Result<Regex> {
    let mut regex = String::from("^");
    let mut rest = pattern;
    while let Some(at) = rest.find(['*', '?']) {
        regex.push_str(&regex::escape(&rest[..at]));
        let from = &rest[at..];
        rest = if let Some(after) = from.strip_prefix("**/") {
            // no folder at all is a match too
            regex.push_str("(?:[^/]+/)*");
            after
        } else if let Some(after) = from.strip_prefix("**") {
            regex.push_str(".*");
            after
        } else {
            regex.push_str(if from.starts_with('*') {
                "[^/]*"
            } else {
                "[^/]"
            });
            &from[1..]
        };
    }
    regex.push_str(&regex::escape(rest));
    regex.push('$');
    Regex::new(&regex).map_err(|error| {
        Error::new(
            SqlState::CONFIG_FILE_ERROR,
            format!("\"{pattern}\" is no pattern that can be matched"),
        )
        .with_cause(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stay_within_their_segments() {
        for (pattern, path, expected) in [
            ("*.parquet", "a.parquet", true),
            ("*.parquet", "x/a.parquet", false),
            ("**/*.parquet", "a.parquet", true),
            ("**/*.parquet", "x/y/a.parquet", true),
            ("**", "x/y/a.parquet", true),
            ("y=*/a?.csv", "y=1/ab.csv", true),
            ("y=*/a?.csv", "y=1/a.csv", false),
            ("y=*/a?.csv", "y=1/a/.csv", false),
            ("a+b/*.csv", "a+b/c.csv", true),
            ("x/**/z.csv", "x/z.csv", true),
            ("x/**/z.csv", "xz.csv", false),
        ] {
            let regex = regex_of(pattern).unwrap();
            assert_eq!(regex.is_match(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn notes_of_other_programs_are_hidden() {
        for (path, expected) in [
            ("_SUCCESS", true),
            ("a/.b.crc", true),
            ("_year=2024/a.parquet", false),
            ("a_b/c.d", false),
        ] {
            assert_eq!(has_hidden(path), expected, "{path}");
        }
    }
}
