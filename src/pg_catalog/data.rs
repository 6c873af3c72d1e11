//! What every Postgres 17 cluster holds from the start, as the tab-separated
//! files in `data/`: COPY's text format with the column names on the first line;
//! a column that is NULL, false, 0 or empty in every row is left out, `regproc`
//! is a number, and values that are 8 bytes long are passed by value.
//!
//! Read by `builtin` (facts) and `relation` (rows). Knows nothing of sources.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// One file: a header and rows of raw fields.
#[derive(Debug)]
pub struct Rows {
    header: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

macro_rules! files {
    ($($name:literal)*) => {
        const FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("data/", $name, ".tsv"))),)*
        ];
    };
}

files! {
    "keywords"
    "pg_aggregate" "pg_am" "pg_amop" "pg_amproc" "pg_attribute" "pg_auth_members" "pg_authid"
    "pg_cast" "pg_class" "pg_collation" "pg_constraint" "pg_conversion" "pg_description"
    "pg_index" "pg_language" "pg_namespace" "pg_opclass" "pg_operator" "pg_opfamily"
    "pg_proc" "pg_range" "pg_settings" "pg_tablespace" "pg_ts_config" "pg_ts_config_map"
    "pg_ts_dict" "pg_ts_parser" "pg_ts_template" "pg_type"
    "sql_features" "sql_implementation_info" "sql_parts" "sql_sizing"
}

/// Parsed when first read.
type Parsed = LazyLock<Rows, Box<dyn Fn() -> Rows + Send>>;

static PARSED: LazyLock<HashMap<&'static str, Parsed>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, text)| {
            let parse: Box<dyn Fn() -> Rows + Send> = Box::new(move || Rows::parse(text));
            (*name, LazyLock::new(parse))
        })
        .collect()
});

/// The rows that relation `name` holds in every cluster.
pub fn rows(name: &str) -> Option<&'static Rows> {
    PARSED.get(name).map(|rows| &**rows)
}

impl Rows {
    fn parse(text: &'static str) -> Rows {
        let mut lines = text
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>());
        Rows {
            header: lines.next().unwrap_or_default(),
            rows: lines.collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The raw fields of one column; `None`: the file leaves it out.
    pub fn column(&self, name: &str) -> Option<impl Iterator<Item = &'static str> + '_> {
        let at = self.header.iter().position(|column| *column == name)?;
        Some(
            self.rows
                .iter()
                .map(move |row| row.get(at).copied().unwrap_or("\\N")),
        )
    }

    /// The integers of one column, zeros where the file leaves it out or has NULL.
    pub fn integers(&self, name: &str) -> Vec<i64> {
        match self.column(name) {
            Some(fields) => fields
                .map(|field| field.parse().unwrap_or_default())
                .collect(),
            None => vec![0; self.rows.len()],
        }
    }

    /// The texts of one column, empty where the file leaves it out or has NULL.
    pub fn texts(&self, name: &str) -> Vec<Cow<'static, str>> {
        match self.column(name) {
            Some(fields) => fields
                .map(|field| text(field).unwrap_or_default())
                .collect(),
            None => vec![Cow::Borrowed(""); self.rows.len()],
        }
    }
}

/// A raw field as text: `None` for NULL, escapes of COPY undone.
pub fn text(field: &'static str) -> Option<Cow<'static, str>> {
    if field == "\\N" {
        return None;
    }
    if !field.contains('\\') {
        return Some(Cow::Borrowed(field));
    }
    let mut plain = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('v') => '\u{b}',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    Some(Cow::Owned(plain))
}

/// The elements of an array (`{a,"b c"}`) or of an oidvector (`1 2`) in its text form.
pub fn elements(array: &str) -> Vec<Option<String>> {
    let Some(inner) = array
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    else {
        return array
            .split(' ')
            .filter(|e| !e.is_empty())
            .map(|e| Some(e.to_string()))
            .collect();
    };
    let mut all = Vec::new();
    let mut element = String::new();
    let mut quoted = false;
    let mut was_quoted = false;
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => element.extend(characters.next()),
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                all.push(finished(std::mem::take(&mut element), was_quoted));
                was_quoted = false;
            }
            other => element.push(other),
        }
    }
    if !inner.is_empty() {
        all.push(finished(element, was_quoted));
    }
    all
}

fn finished(element: String, was_quoted: bool) -> Option<String> {
    (was_quoted || element != "NULL").then_some(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_rectangular() {
        for (name, _) in FILES {
            let rows = rows(name).expect("listed");
            for row in &rows.rows {
                assert_eq!(row.len(), rows.header.len(), "{name}: {row:?}");
            }
        }
    }

    #[test]
    fn arrays_and_vectors_are_read() {
        let all = |text| -> Vec<String> {
            elements(text)
                .into_iter()
                .map(|e| e.unwrap_or("(null)".into()))
                .collect()
        };
        assert_eq!(all("{}"), Vec::<String>::new());
        assert_eq!(all("1 2"), ["1", "2"]);
        assert_eq!(all(""), Vec::<String>::new());
        assert_eq!(
            all(r#"{a,"b,c",NULL,"",i}"#),
            ["a", "b,c", "(null)", "", "i"]
        );
    }
}
