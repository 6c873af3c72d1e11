//! One value of the file as the type that its reader expects; a wrong type is
//! noted and answered with `None`. Texts have their variables filled in here,
//! after the file was parsed, so that no value can change its structure.

use toml::de::DeValue;

use super::interpolate::interpolate;
use super::notes::Notes;
use super::secret::Secret;
use super::section::Section;

#[derive(Clone)]
pub(super) struct Item<'a> {
    pub(super) notes: &'a Notes<'a>,
    /// The full key: `sources.shop.url`.
    pub(super) key: String,
    /// Byte offset into the file.
    pub(super) at: usize,
    pub(super) value: &'a DeValue<'a>,
}

/// A text with its variables filled in, and the item to blame for it.
pub(super) struct Text<'a> {
    pub(super) item: Item<'a>,
    pub(super) value: String,
}

impl<'a> Item<'a> {
    pub(super) fn mistake(&self, what: impl Into<String>) {
        self.notes.add(self.at, &self.key, what);
    }

    pub(super) fn wrong_type(&self, expected: &str) {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.mistake(format!("expected {expected}, found {found}"));
    }

    pub(super) fn text(self) -> Option<Text<'a>> {
        let DeValue::String(raw) = self.value else {
            self.wrong_type("a string");
            return None;
        };
        match interpolate(raw, self.notes.env) {
            Ok(value) => Some(Text { item: self, value }),
            Err(what) => {
                self.mistake(what);
                None
            }
        }
    }

    /// A string, or `{ file = "…" }` whose contents are read, one line end trimmed.
    pub(super) fn secret(self) -> Option<Secret> {
        match self.value {
            DeValue::Table(table) => {
                let section = Section::new(self.notes, self.key.clone(), self.at, table);
                let path = section.required("file");
                section.finish();
                path?.text()?.file_contents().map(Secret::new)
            }
            DeValue::String(_) => Some(Secret::new(self.text()?.value)),
            _ => {
                self.wrong_type("a string or { file = \"…\" }");
                None
            }
        }
    }

    pub(super) fn boolean(self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.wrong_type("true or false");
                None
            }
        }
    }

    /// A whole number of at least 1.
    pub(super) fn count(self) -> Option<usize> {
        let DeValue::Integer(integer) = self.value else {
            self.wrong_type("an integer");
            return None;
        };
        let count = usize::from_str_radix(integer.as_str(), integer.radix()).ok();
        let count = count.filter(|count| *count > 0);
        if count.is_none() {
            self.mistake(format!("{integer} is out of range: it must be at least 1"));
        }
        count
    }

    pub(super) fn texts(self) -> Option<Vec<Text<'a>>> {
        let DeValue::Array(array) = self.value else {
            self.wrong_type("a list of strings");
            return None;
        };
        let elements = array.iter().map(|element| Item {
            at: element.span().start,
            value: element.get_ref(),
            ..self.clone()
        });
        elements.map(Item::text).collect()
    }

    pub(super) fn section(self) -> Option<Section<'a>> {
        match self.value {
            DeValue::Table(table) => Some(Section::new(self.notes, self.key, self.at, table)),
            _ => {
                self.wrong_type("a table");
                None
            }
        }
    }
}

impl Text<'_> {
    /// The text as the file has it, quoted, for an error: variables by their
    /// names, passwords in URLs as `***`.
    pub(super) fn shown(&self) -> String {
        match self.item.value {
            DeValue::String(raw) => format!("\"{}\"", redacted(raw)),
            _ => "this value".to_string(),
        }
    }

    pub(super) fn mistake(&self, what: impl Into<String>) {
        self.item.mistake(what);
    }

    fn file_contents(&self) -> Option<String> {
        let path = self.item.notes.base.join(&self.value);
        match std::fs::read_to_string(&path) {
            Ok(mut text) => {
                if text.ends_with('\n') {
                    text.pop();
                }
                if text.ends_with('\r') {
                    text.pop();
                }
                Some(text)
            }
            Err(error) => {
                let shown = self.shown();
                self.mistake(format!("the file {shown} cannot be read: {error}"));
                None
            }
        }
    }
}

/// `scheme://user:password@host` without the password. What stands before the
/// last `@` is taken for user and password, even where a `/` or `?` comes first:
/// an unencoded password may hold either.
fn redacted(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_string();
    };
    let (user, host) = match rest.rsplit_once('@') {
        Some((login, host)) => (login.split(':').next(), host),
        None => (None, rest),
    };
    let host = host.split_once('?').map_or(host, |(host, _)| host);
    match user {
        Some(user) => format!("{scheme}://{user}:***@{host}"),
        None => format!("{scheme}://{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_passwords() {
        for (text, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("http://host:1/a", "http://host:1/a"),
            ("http://u:p@host:1/a", "http://u:***@host:1/a"),
            ("http://u:p@/?x@host/a", "http://u:***@host/a"),
            ("http://host/a?token=x", "http://host/a"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}
