//! Delta's per-file statistics (JSON) → bounds. Called when a log is loaded.
//! See "Per-file Statistics" in the Delta protocol: strings may be cut, and
//! timestamps are rounded down to milliseconds by some writers.

use datafusion::arrow::datatypes::DataType;
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use super::schema::DeltaColumn;
use crate::sources::lake::{ColumnBounds, Tightness, value_of_json};

/// Rows of the file, and the bounds of each column.
pub(super) fn bounds(
    statistics: Option<&Value>,
    columns: &[DeltaColumn],
) -> (Option<u64>, Vec<ColumnBounds>) {
    let Some(statistics) = statistics else {
        return (None, vec![ColumnBounds::default(); columns.len()]);
    };
    let rows = statistics["numRecords"].as_u64();
    let tight = statistics["tightBounds"].as_bool().unwrap_or(true);
    let bounds = columns
        .iter()
        .map(|column| column_bounds(statistics, column, tight, rows))
        .collect();
    (rows, bounds)
}

fn column_bounds(
    statistics: &Value,
    column: &DeltaColumn,
    tight: bool,
    rows: Option<u64>,
) -> ColumnBounds {
    let data_type = column.field.data_type();
    let find = |kind: &str| {
        let values = &statistics[kind];
        values
            .get(&column.physical_name)
            .or_else(|| values.get(column.field.name()))
    };
    let value = |kind: &str| find(kind).and_then(|json| value_of_json(json, data_type));
    let exact = tight
        && matches!(
            data_type,
            DataType::Boolean
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Date32
                | DataType::Decimal128(..)
        );
    ColumnBounds {
        min: value("minValues"),
        max: value("maxValues").map(end_of_millisecond),
        // where bounds are not tight, a count in between is only a limit too
        nulls: find("nullCount")
            .and_then(Value::as_u64)
            .filter(|nulls| tight || *nulls == 0 || Some(*nulls) == rows),
        tightness: if exact {
            Tightness::Exact
        } else {
            Tightness::Wide
        },
    }
    .without_nan_knowledge(data_type)
}

/// The latest instant that a writer could have rounded down to this one.
fn end_of_millisecond(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::TimestampMicrosecond(Some(micros), zone) if micros % 1000 == 0 => {
            ScalarValue::TimestampMicrosecond(Some(micros.saturating_add(999)), zone)
        }
        other => other,
    }
}
