//! The columns of many files → those of one table: the union by name, each of
//! the widest type. Called when a table is loaded.

use datafusion::arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::lake::provider_field;

/// A column of the union and the first file that has it.
struct Merged<'a> {
    field: Field,
    file: &'a str,
    seen: usize,
}

/// What numbers of different kinds have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// The file says what they are: an 8-byte integer is no float8 without loss.
    Declared,
    /// JSON knows one kind of number; those of a sample are a guess.
    Guessed,
}

/// Fields as clients see them, in the order of first appearance. 42804 naming
/// two files whose types have nothing in common.
pub(super) fn merge<'a>(
    table: &RelationName,
    numbers: Numbers,
    files: impl Iterator<Item = (&'a str, &'a Schema)>,
) -> Result<Vec<Field>> {
    let mut merged: Vec<Merged<'a>> = Vec::new();
    let mut count = 0;
    for (file, schema) in files {
        count += 1;
        for field in schema.fields() {
            let found = merged
                .iter_mut()
                .find(|known| known.field.name() == field.name());
            let Some(known) = found else {
                merged.push(Merged {
                    field: field.as_ref().clone(),
                    file,
                    seen: 1,
                });
                continue;
            };
            known.seen += 1;
            if known.field.data_type() == field.data_type() {
                let nullable = known.field.is_nullable() || field.is_nullable();
                known.field.set_nullable(nullable);
                continue;
            }
            let only_nulls = |data_type: &DataType| data_type == &DataType::Null;
            if only_nulls(known.field.data_type()) || only_nulls(field.data_type()) {
                if only_nulls(known.field.data_type()) {
                    known.field = field.as_ref().clone();
                }
                known.field.set_nullable(true);
                continue;
            }
            let (ours, theirs) = (provider_field(&known.field), provider_field(field));
            let Some(wide) = wider(numbers, ours.data_type(), theirs.data_type()) else {
                return Err(conflict(table, known, file, field));
            };
            let nullable = known.field.is_nullable() || field.is_nullable();
            known.field = ours.with_data_type(wide).with_nullable(nullable);
        }
    }
    Ok(merged
        .into_iter()
        .map(|column| {
            let nullable = column.field.is_nullable() || column.seen < count;
            provider_field(&column.field.with_nullable(nullable))
        })
        .collect())
}

/// The type that both can be read as without loss.
fn wider(numbers: Numbers, a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::{Decimal128, Float32, Float64, Int16, Int32, Int64};
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Int16, Int32) | (Int32, Int16) => Some(Int32),
        (Int16 | Int32, Int64) | (Int64, Int16 | Int32) => Some(Int64),
        (Float32, Float64) | (Float64, Float32) => Some(Float64),
        (Int16 | Int32, Float64) | (Float64, Int16 | Int32) => Some(Float64),
        (Int64, Float64) | (Float64, Int64) if numbers == Numbers::Guessed => Some(Float64),
        (Decimal128(p, s), Decimal128(q, t)) => {
            let scale = *s.max(t);
            let whole = (i16::from(*p) - i16::from(*s)).max(i16::from(*q) - i16::from(*t));
            let precision = u8::try_from(whole + i16::from(scale)).ok()?;
            (precision <= 38).then_some(Decimal128(precision, scale))
        }
        _ => None,
    }
}

fn conflict(table: &RelationName, known: &Merged<'_>, file: &str, field: &Field) -> Error {
    Error::new(
        SqlState::DATATYPE_MISMATCH,
        format!(
            "files of table \"{table}\" disagree on column \"{}\": {} in \"{}\", {} in \"{file}\"",
            field.name(),
            known.field.data_type(),
            known.file,
            field.data_type(),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(columns: &[(&str, DataType)]) -> Schema {
        Schema::new(
            columns
                .iter()
                .map(|(name, data_type)| Field::new(*name, data_type.clone(), false))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn columns_are_united_and_widened() {
        let name = RelationName::new("s", "t");
        let one = schema(&[("a", DataType::Int32), ("b", DataType::Utf8)]);
        let two = schema(&[("c", DataType::Date32), ("a", DataType::Int64)]);
        let fields = merge(
            &name,
            Numbers::Declared,
            [("1", &one), ("2", &two)].into_iter(),
        )
        .unwrap();
        let shown: Vec<_> = fields
            .iter()
            .map(|f| (f.name().as_str(), f.data_type().clone(), f.is_nullable()))
            .collect();
        assert_eq!(
            shown,
            [
                ("a", DataType::Int64, false),
                ("b", DataType::Utf8View, true),
                ("c", DataType::Date32, true),
            ]
        );
    }

    #[test]
    fn conflicts_name_both_files() {
        let name = RelationName::new("s", "t");
        let one = schema(&[("a", DataType::Int32)]);
        let two = schema(&[("a", DataType::Utf8)]);
        let error = merge(
            &name,
            Numbers::Declared,
            [("x/1", &one), ("x/2", &two)].into_iter(),
        )
        .unwrap_err();
        assert_eq!(error.state(), SqlState::DATATYPE_MISMATCH);
        for part in ["s.t", "\"a\"", "x/1", "x/2"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
}
