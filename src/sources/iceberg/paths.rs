//! Where an Iceberg table's files are: the current metadata file, and the
//! objects that metadata names by absolute paths. Called when a table is loaded.
//!
//! A table that was copied elsewhere still names its files where they were
//! written. Paths under the table's recorded location are taken relative to the
//! folder that it was opened from.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::metadata::refused;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::object_store::{Location, OpenStore, read_error};

/// The metadata file to read: the one that `location` names, or the latest of
/// the table in that folder. 58030 where there is none.
pub(super) async fn metadata_file(table: &RelationName, location: &Location) -> Result<Path> {
    if is_metadata_file(location.path.filename().unwrap_or_default()) {
        return Ok(location.path.clone());
    }
    let folder = location.path.clone().join("metadata");
    let store = location.store.store.as_ref();
    if let Some(found) = hinted(table, location, &folder).await? {
        return Ok(found);
    }
    let mut latest: Option<(u64, chrono::DateTime<chrono::Utc>, Path)> = None;
    let mut objects = store.list(Some(&folder));
    let failed = |error| read_error(location.store.show(&folder), table, &error);
    while let Some(object) = objects.try_next().await.map_err(failed)? {
        let Some(version) = object.location.filename().and_then(version) else {
            continue;
        };
        let candidate = (version, object.last_modified, object.location);
        if latest
            .as_ref()
            .is_none_or(|latest| (latest.0, latest.1) < (candidate.0, candidate.1))
        {
            latest = Some(candidate);
        }
    }
    latest.map(|(_, _, path)| path).ok_or_else(|| {
        Error::new(
            SqlState::IO_ERROR,
            format!(
                "\"{location}\" of table \"{table}\" is no Iceberg table: it has no metadata file"
            ),
        )
    })
}

/// By `version-hint.text`, which may lag behind: later versions are looked for.
async fn hinted(table: &RelationName, location: &Location, folder: &Path) -> Result<Option<Path>> {
    let store = location.store.store.as_ref();
    let hint = folder.clone().join("version-hint.text");
    let failed = |error| read_error(location.store.show(&hint), table, &error);
    let text = match store.get(&hint).await {
        Ok(found) => found.bytes().await.map_err(failed)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let text = String::from_utf8_lossy(&text);
    let text = text.trim();
    if is_metadata_file(text) {
        return Ok(Some(folder.clone().join(text)));
    }
    let Ok(mut version) = text.parse::<u64>() else {
        return Ok(None);
    };
    let mut found = version_file(store, folder, version).await;
    while found.is_some() {
        match version_file(store, folder, version + 1).await {
            Some(next) => {
                found = Some(next);
                version += 1;
            }
            None => break,
        }
    }
    Ok(found)
}

async fn version_file(store: &dyn ObjectStore, folder: &Path, version: u64) -> Option<Path> {
    for name in [
        format!("v{version}.metadata.json"),
        format!("v{version}.gz.metadata.json"),
        format!("v{version}.metadata.json.gz"),
    ] {
        let path = folder.clone().join(name);
        if store.head(&path).await.is_ok() {
            return Some(path);
        }
    }
    None
}

fn is_metadata_file(name: &str) -> bool {
    name.ends_with(".metadata.json") || name.ends_with(".metadata.json.gz")
}

/// Of `v3.metadata.json` and `00003-<uuid>.metadata.json`.
fn version(name: &str) -> Option<u64> {
    if !is_metadata_file(name) {
        return None;
    }
    let name = name.strip_prefix('v').unwrap_or(name);
    let digits = name.find(|c: char| !c.is_ascii_digit())?;
    name[..digits].parse().ok()
}

/// Translates the absolute paths of one table's metadata.
#[derive(Debug)]
pub(super) struct Paths<'a> {
    table: &'a RelationName,
    store: &'a OpenStore,
    /// The recorded location, in one spelling, with a slash at its end.
    recorded: String,
    /// The folder that the table is in now; `None` where the metadata file's
    /// own place does not tell.
    folder: Option<String>,
}

impl<'a> Paths<'a> {
    pub(super) fn new(
        table: &'a RelationName,
        store: &'a OpenStore,
        metadata_file: &Path,
        recorded: &str,
    ) -> Self {
        let folder = metadata_file
            .as_ref()
            .rsplit_once('/')
            .and_then(|(parent, _)| parent.strip_suffix("metadata"))
            .filter(|folder| folder.is_empty() || folder.ends_with('/'))
            .map(str::to_string);
        Paths {
            table,
            store,
            recorded: format!("{}/", one_spelling(recorded).trim_end_matches('/')),
            folder,
        }
    }

    /// 0A000 where the object is in another store than the metadata.
    pub(super) fn object(&self, path: &str) -> Result<Path> {
        let spelled = one_spelling(path);
        let key = match (spelled.strip_prefix(&self.recorded), &self.folder) {
            (Some(rest), Some(folder)) => format!("{folder}{rest}"),
            _ => match spelled.strip_prefix(&one_spelling(&self.store.root)) {
                Some(rest) => rest.to_string(),
                None => {
                    return Err(refused(
                        self.table,
                        "files in another store than its metadata",
                    ));
                }
            },
        };
        // as it stands: paths in metadata are not percent-encoded
        Path::parse(&key).map_err(|error| {
            Error::new(
                SqlState::DATA_CORRUPTED,
                format!(
                    "the metadata of table \"{}\" names a file that cannot exist",
                    self.table
                ),
            )
            .with_cause(error.to_string())
        })
    }
}

/// `s3a://` and `s3n://` are `s3://`; `/x`, `file:/x` and `file://x` are `file:///x`.
pub(super) fn one_spelling(path: &str) -> String {
    for scheme in ["s3a://", "s3n://"] {
        if let Some(rest) = path.strip_prefix(scheme) {
            return format!("s3://{rest}");
        }
    }
    if let Some(rest) = path.strip_prefix("file:") {
        return format!("file:///{}", rest.trim_start_matches('/'));
    }
    match path.contains("://") {
        true => path.to_string(),
        false => format!("file:///{}", path.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_not_text() {
        for (name, expected) in [
            ("v3.metadata.json", Some(3)),
            ("v12.gz.metadata.json", Some(12)),
            ("00010-a1b2.metadata.json", Some(10)),
            ("00010-a1b2.metadata.json.gz", Some(10)),
            ("snap-1.avro", None),
            ("version-hint.text", None),
        ] {
            assert_eq!(version(name), expected, "{name}");
        }
    }

    #[test]
    fn file_paths_have_one_spelling() {
        for path in ["/tmp/x", "file:/tmp/x", "file:///tmp/x"] {
            assert_eq!(one_spelling(path), "file:///tmp/x");
        }
        assert_eq!(one_spelling("s3a://b/x"), "s3://b/x");
    }
}
