//! The settings that a client's session wants on a source's connection, and the
//! statements that bring a connection from one set of them to another. Used by
//! `connection` and `pool`; whoever makes them decides which settings may pass.
//!
//! Compared by pointer or precomputed hash, because that is done for every
//! statement.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::error::{Error, Result, SqlState};

/// Settings that no client may change on a source: who it is, what it may write,
/// and what the relay itself relies on.
const OURS: [&str; 8] = [
    "client_encoding",
    "default_transaction_read_only",
    "is_superuser",
    "role",
    "session_authorization",
    "standard_conforming_strings",
    "transaction_isolation",
    "transaction_read_only",
];

/// Their values are lists of identifiers, which SET takes one by one
/// (GUC_LIST_QUOTE).
const LISTS: [&str; 4] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "temp_tablespaces",
];

/// They change how a statement runs or how its result looks, not what its text
/// means: a prepared statement is the same under all values.
const NOT_PARSING: [&str; 10] = [
    "application_name",
    "bytea_output",
    "client_min_messages",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",
    "work_mem",
];

/// Sorted, each name once. Immutable.
#[derive(Debug)]
pub struct UpstreamSettings {
    /// Lower-case name → value.
    values: Vec<(Box<str>, Box<str>)>,
    hash: u64,
    hash_of_parsing: u64,
}

impl PartialEq for UpstreamSettings {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.hash == other.hash && self.values == other.values
    }
}

impl Eq for UpstreamSettings {}

impl UpstreamSettings {
    /// Of the same name the last counts. The values are as SHOW would print them
    /// or as SET would take them. 42704 for what is no name of a setting, 55P02
    /// for one that no client may change, 22023 for a value that cannot be.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Arc<UpstreamSettings>> {
        let mut values = BTreeMap::new();
        for (name, value) in pairs {
            let name = name.to_ascii_lowercase();
            check(&name, value)?;
            values.insert(name.into_boxed_str(), value.into());
        }
        let values: Vec<(Box<str>, Box<str>)> = values.into_iter().collect();
        let parsing = values.iter().filter(|(name, _)| changes_parsing(name));
        Ok(Arc::new(UpstreamSettings {
            hash: hash_of(values.iter()),
            hash_of_parsing: hash_of(parsing),
            values,
        }))
    }

    /// The same for reads of the server's own: nothing is written, whatever runs.
    pub fn reading(self: Arc<Self>) -> Arc<UpstreamSettings> {
        let mut values: BTreeMap<Box<str>, Box<str>> = self.values.iter().cloned().collect();
        values.insert("default_transaction_read_only".into(), "on".into());
        let values: Vec<_> = values.into_iter().collect();
        Arc::new(UpstreamSettings {
            hash: hash_of(values.iter()),
            hash_of_parsing: self.hash_of_parsing,
            values,
        })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.values.iter();
        let (_, value) = values.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn hash_of_parsing(&self) -> u64 {
        self.hash_of_parsing
    }

    /// Would a text mean the same?
    pub(super) fn parses_as(&self, other: &UpstreamSettings) -> bool {
        let parsing = |settings: &'_ UpstreamSettings| {
            let values = settings.values.iter();
            values
                .filter(|(name, _)| changes_parsing(name))
                .cloned()
                .collect::<Vec<_>>()
        };
        self.hash_of_parsing == other.hash_of_parsing
            && (self.hash == other.hash || parsing(self) == parsing(other))
    }

    /// The names of both: those that may have any value.
    pub(super) fn union(&self, other: &UpstreamSettings) -> Arc<UpstreamSettings> {
        let mut values: BTreeMap<Box<str>, Box<str>> = self.values.iter().cloned().collect();
        values.extend(other.values.iter().cloned());
        let values: Vec<_> = values.into_iter().collect();
        Arc::new(UpstreamSettings {
            hash: hash_of(values.iter()),
            hash_of_parsing: 0,
            values,
        })
    }

    /// The statements that lead here from `applied`, into `sql`: SET for what
    /// differs, RESET for what is not wanted any more. With `doubtful`, every value
    /// is set again, whatever those names have now.
    pub(super) fn write_changes(
        &self,
        applied: &UpstreamSettings,
        doubtful: Option<&UpstreamSettings>,
        sql: &mut String,
    ) {
        let old = doubtful.unwrap_or(applied);
        for (name, _) in &old.values {
            if self.get(name).is_none() {
                sql.push_str("RESET ");
                push_name(sql, name);
                sql.push(';');
            }
        }
        for (name, value) in &self.values {
            if doubtful.is_none() && applied.get(name) == Some(value) {
                continue;
            }
            sql.push_str("SET ");
            push_name(sql, name);
            sql.push_str(" = ");
            push_value(sql, name, value);
            sql.push(';');
        }
    }
}

fn hash_of<'a>(values: impl Iterator<Item = &'a (Box<str>, Box<str>)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, value) in values {
        (name, value).hash(&mut hasher);
    }
    hasher.finish()
}

fn changes_parsing(name: &str) -> bool {
    !NOT_PARSING.contains(&name)
}

fn check(name: &str, value: &str) -> Result<()> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_' || !c.is_ascii())
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii())
    };
    if !name.split('.').all(part) {
        return Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("unrecognized configuration parameter \"{name}\""),
        ));
    }
    if OURS.contains(&name) {
        return Err(Error::new(
            SqlState::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{name}\" cannot be changed on a source"),
        ));
    }
    let valid = !value.contains('\0') && (!LISTS.contains(&name) || elements(value).is_some());
    if !valid {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"{name}\""),
        ));
    }
    Ok(())
}

fn push_name(sql: &mut String, name: &str) {
    for (i, part) in name.split('.').enumerate() {
        let dot = if i > 0 { "." } else { "" };
        // Nothing in a checked name has to be escaped.
        let _ = write!(sql, "{dot}\"{part}\"");
    }
}

fn push_value(sql: &mut String, name: &str, value: &str) {
    match LISTS.contains(&name).then(|| elements(value)).flatten() {
        // SET wants at least one; an empty name is no schema's.
        Some(elements) if elements.is_empty() => sql.push_str("''"),
        Some(elements) => {
            for (i, element) in elements.iter().enumerate() {
                if i > 0 {
                    sql.push_str(", ");
                }
                push_literal(sql, element);
            }
        }
        None => push_literal(sql, value),
    }
}

/// Reads the same whatever standard_conforming_strings is.
pub(super) fn push_literal(sql: &mut String, text: &str) {
    if text.contains('\\') {
        sql.push('E');
    }
    sql.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            sql.push(c);
        }
        sql.push(c);
    }
    sql.push('\'');
}

/// Identifiers separated by commas, folded unless quoted, as the server's
/// SplitIdentifierString takes them apart; `None` if the list is malformed.
fn elements(list: &str) -> Option<Vec<String>> {
    let mut elements = Vec::new();
    let mut rest = list.trim();
    if rest.is_empty() {
        return Some(elements);
    }
    loop {
        let (element, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_element(quoted)?,
            None => {
                let end = rest
                    .find(|c: char| c == ',' || c.is_ascii_whitespace())
                    .unwrap_or(rest.len());
                let (element, tail) = rest.split_at(end);
                if element.is_empty() || element.contains('"') {
                    return None;
                }
                (element.to_ascii_lowercase(), tail)
            }
        };
        elements.push(element);
        rest = tail.trim_start();
        if rest.is_empty() {
            return Some(elements);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

fn quoted_element(text: &str) -> Option<(String, &str)> {
    let mut element = String::new();
    let mut rest = text;
    loop {
        let (piece, tail) = rest.split_once('"')?;
        element.push_str(piece);
        match tail.strip_prefix('"') {
            Some(tail) => {
                element.push('"');
                rest = tail;
            }
            None => return Some((element, tail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Arc<UpstreamSettings> {
        UpstreamSettings::new(pairs.iter().copied()).expect("valid")
    }

    fn check(from: &[(&str, &str)], to: &[(&str, &str)], expected: &str) {
        let mut sql = String::new();
        settings(to).write_changes(&settings(from), None, &mut sql);
        assert_eq!(sql, expected);
    }

    #[test]
    fn only_what_differs_is_set() {
        check(&[], &[], "");
        check(&[("a", "1")], &[("A", "1")], "");
        check(
            &[("timezone", "UTC"), ("work_mem", "1MB")],
            &[("TimeZone", "Asia/Tokyo"), ("datestyle", "ISO, YMD")],
            "RESET \"work_mem\";SET \"datestyle\" = 'ISO, YMD';SET \"timezone\" = 'Asia/Tokyo';",
        );
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        for (name, value, expected) in [
            ("a", "x'; DROP TABLE t; --", "'x''; DROP TABLE t; --'"),
            ("a", r"\'", r"E'\\'''"),
            ("search_path", "", "''"),
            (
                "search_path",
                r#"shop, "Odd ""One""", PG_Catalog"#,
                r#"'shop', 'Odd "One"', 'pg_catalog'"#,
            ),
            ("search_path", "\"a'b\"", "'a''b'"),
            ("my.Own", "1", "'1'"),
        ] {
            let mut sql = String::new();
            settings(&[(name, value)]).write_changes(&settings(&[]), None, &mut sql);
            let (_, set) = sql.split_once(" = ").expect("a SET");
            assert_eq!(set, format!("{expected};"));
        }
        let mut sql = String::new();
        settings(&[("my.own", "1")]).write_changes(&settings(&[]), None, &mut sql);
        assert!(sql.starts_with("SET \"my\".\"own\" = "));
    }

    #[test]
    fn what_cannot_be_set_is_refused() {
        for (name, value, state) in [
            ("a b", "1", SqlState::UNDEFINED_OBJECT),
            ("", "1", SqlState::UNDEFINED_OBJECT),
            ("a\"", "1", SqlState::UNDEFINED_OBJECT),
            ("a;b", "1", SqlState::UNDEFINED_OBJECT),
            ("Role", "1", SqlState::CANT_CHANGE_RUNTIME_PARAM),
            (
                "default_transaction_read_only",
                "off",
                SqlState::CANT_CHANGE_RUNTIME_PARAM,
            ),
            ("a", "\0", SqlState::INVALID_PARAMETER_VALUE),
            ("search_path", "a,,b", SqlState::INVALID_PARAMETER_VALUE),
            ("search_path", "a b", SqlState::INVALID_PARAMETER_VALUE),
            ("search_path", "\"a", SqlState::INVALID_PARAMETER_VALUE),
        ] {
            let error = UpstreamSettings::new([(name, value)]).expect_err("refused");
            assert_eq!(error.state(), state, "{name}");
        }
    }

    #[test]
    fn in_doubt_everything_is_set_again() {
        let (old, new) = (settings(&[("a", "1"), ("b", "2")]), settings(&[("b", "2")]));
        let mut sql = String::new();
        new.write_changes(&new, Some(&old.union(&new)), &mut sql);
        assert_eq!(sql, "RESET \"a\";SET \"b\" = '2';");
    }

    #[test]
    fn equality_is_of_names_and_values() {
        let one = settings(&[("a", "1"), ("b", "2")]);
        assert_eq!(one, settings(&[("B", "2"), ("a", "0"), ("a", "1")]));
        assert_ne!(one, settings(&[("a", "1")]));
        assert!(one.parses_as(&settings(&[("a", "1"), ("b", "2"), ("lock_timeout", "1")])));
        assert!(!one.parses_as(&settings(&[("a", "1"), ("b", "3")])));
    }
}
