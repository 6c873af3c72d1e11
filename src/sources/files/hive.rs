//! Folders named `key=value` → typed columns. Called when a table is loaded.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::scalar::ScalarValue;

use super::glob::Match;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::lake::{parse_value, provider_field};

/// How Hive writes NULL as a folder.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// The partition columns of a table, and each file's values of them.
#[derive(Debug)]
pub(super) struct Partitions {
    pub(super) fields: Vec<Field>,
    /// One row a file.
    pub(super) values: Vec<Vec<ScalarValue>>,
}

/// Integers where all values are, dates where all are, else text. 42804 where
/// two files do not have the same keys.
pub(super) fn partitions(table: &RelationName, files: &[Match]) -> Result<Partitions> {
    let folders: Vec<Vec<(String, Option<String>)>> =
        files.iter().map(|file| folders(&file.relative)).collect();
    let keys = |row: &[(String, Option<String>)]| -> Vec<String> {
        row.iter().map(|(key, _)| key.clone()).collect()
    };
    let expected = folders.first().map(|row| keys(row)).unwrap_or_default();
    for (row, file) in folders.iter().zip(files) {
        if keys(row) != expected {
            return Err(Error::new(
                SqlState::DATATYPE_MISMATCH,
                format!(
                    "files \"{}\" and \"{}\" of table \"{table}\" are in folders with different keys",
                    files[0].relative, file.relative
                ),
            ));
        }
    }
    let fields: Vec<Field> = expected
        .iter()
        .enumerate()
        .map(|(column, key)| {
            let texts = folders.iter().filter_map(|row| row[column].1.as_deref());
            let nullable = folders.iter().any(|row| row[column].1.is_none());
            provider_field(&Field::new(key, infer(texts), nullable))
        })
        .collect();
    let values = folders
        .iter()
        .map(|row| {
            row.iter()
                .zip(&fields)
                .map(|((_, text), field)| value(text.as_deref(), field.data_type()))
                .collect()
        })
        .collect::<Result<_>>()?;
    Ok(Partitions { fields, values })
}

fn value(text: Option<&str>, data_type: &DataType) -> Result<ScalarValue> {
    match text.and_then(|text| parse_value(text, data_type)) {
        Some(value) => Ok(value),
        None => Ok(ScalarValue::try_from(data_type)?),
    }
}

/// Keys and values of a path's folders, decoded.
fn folders(relative: &str) -> Vec<(String, Option<String>)> {
    let folders = relative.rsplit_once('/').map_or("", |(folders, _)| folders);
    folders
        .split('/')
        .filter_map(|folder| {
            let (key, value) = folder.split_once('=')?;
            let value = (value != NULL_FOLDER).then(|| percent_decoded(value));
            Some((percent_decoded(key), value))
        })
        .collect()
}

fn infer<'a>(texts: impl Iterator<Item = &'a str>) -> DataType {
    let texts: Vec<&str> = texts.collect();
    let all = |data_type: &DataType| {
        !texts.is_empty()
            && texts
                .iter()
                .all(|text| parse_value(text, data_type).is_some())
    };
    if all(&DataType::Int64) {
        DataType::Int64
    } else if texts.iter().all(|text| text.len() == "2024-01-01".len()) && all(&DataType::Date32) {
        DataType::Date32
    } else {
        DataType::Utf8View
    }
}

/// `a%20b` → `a b`; what is no valid escape or no UTF-8 stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escape {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_typed() {
        for (text, decoded) in [
            ("a%20b", "a b"),
            ("S%C3%A3o", "São"),
            ("100%", "100%"),
            ("%zz", "%zz"),
            ("%FF", "%FF"),
        ] {
            assert_eq!(percent_decoded(text), decoded);
        }
        for (texts, data_type) in [
            (vec!["1", "-20"], DataType::Int64),
            (vec!["2024-01-01", "2024-02-29"], DataType::Date32),
            (vec!["2024-01-01", "x"], DataType::Utf8View),
            (vec!["1", "2024-01-01"], DataType::Utf8View),
            (vec![], DataType::Utf8View),
        ] {
            assert_eq!(infer(texts.clone().into_iter()), data_type, "{texts:?}");
        }
    }
}
