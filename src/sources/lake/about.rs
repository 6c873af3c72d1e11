//! Tables about a lake table: `part$snapshots` and its kin, read anew at each
//! scan. Called by the resolver of names through `LakeTable::metadata_table`; the
//! formats say which there are and give their rows.

use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use super::SnapshotReader;
use crate::error::Result;
use crate::types::PgType;

/// Name, type and columns of a metadata table.
pub struct Described {
    pub name: &'static str,
    pub columns: &'static [(&'static str, PgType)],
}

impl Described {
    pub fn schema(&self) -> SchemaRef {
        let fields = self
            .columns
            .iter()
            .filter_map(|(name, pg_type)| pg_type.field(name, true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

/// One value for each of the table's columns.
pub type Row = Vec<ScalarValue>;

#[derive(Debug)]
pub(super) struct MetadataTable {
    pub(super) name: &'static str,
    pub(super) schema: SchemaRef,
    pub(super) reader: Arc<dyn SnapshotReader>,
}

#[async_trait]
impl TableProvider for MetadataTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let rows = match self.reader.versions() {
            Some(versions) => versions.metadata_rows(self.name).await?,
            None => Vec::new(),
        };
        let batch = batch(&self.schema, rows)?;
        let scan = MemorySourceConfig::try_new_exec(
            &[vec![batch]],
            self.schema.clone(),
            projection.cloned(),
        )?;
        Ok(scan)
    }
}

fn batch(schema: &SchemaRef, rows: Vec<Row>) -> Result<RecordBatch> {
    let count = rows.len();
    let mut columns: Vec<Vec<ScalarValue>> = vec![Vec::with_capacity(count); schema.fields().len()];
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let arrays = columns
        .into_iter()
        .zip(schema.fields())
        .map(|(values, field)| match values.is_empty() {
            true => Ok(new_empty_array(field.data_type())),
            false => ScalarValue::iter_to_array(values),
        })
        .collect::<EngineResult<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        arrays,
        &options,
    )?)
}

pub fn int8(value: impl Into<Option<i64>>) -> ScalarValue {
    ScalarValue::Int64(value.into())
}

pub fn int4(value: impl Into<Option<i32>>) -> ScalarValue {
    ScalarValue::Int32(value.into())
}

/// An unsigned count; one that no int8 holds is NULL.
pub fn count(value: impl TryInto<i64>) -> ScalarValue {
    ScalarValue::Int64(value.try_into().ok())
}

pub fn boolean(value: impl Into<Option<bool>>) -> ScalarValue {
    ScalarValue::Boolean(value.into())
}

pub fn text(value: Option<&str>) -> ScalarValue {
    ScalarValue::Utf8View(value.map(str::to_string))
}

/// A timestamptz of milliseconds since 1970.
pub fn instant(millis: Option<i64>) -> ScalarValue {
    let micros = millis.and_then(|millis| millis.checked_mul(1000));
    ScalarValue::TimestampMicrosecond(micros, Some("UTC".into()))
}

/// As Postgres prints jsonb: keys by length, then bytes; NULL for null.
pub fn jsonb(value: &Value) -> ScalarValue {
    if value.is_null() {
        return ScalarValue::Utf8View(None);
    }
    let mut out = String::new();
    write_jsonb(&mut out, value);
    ScalarValue::Utf8View(Some(out))
}

fn write_jsonb(out: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_jsonb(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|a, b| (a.0.len(), a.0).cmp(&(b.0.len(), b.0)));
            out.push('{');
            for (at, (key, item)) in members.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_plain(out, &Value::String(key.clone()));
                out.push_str(": ");
                write_jsonb(out, item);
            }
            out.push('}');
        }
        plain => write_plain(out, plain),
    }
}

fn write_plain(out: &mut String, value: &Value) {
    // writing to a string cannot fail
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_printed_as_jsonb() {
        let value = serde_json::json!({"ab": [1, null, "x\"y"], "c": {}, "a": 1.5});
        let expected = r#"{"a": 1.5, "c": {}, "ab": [1, null, "x\"y"]}"#;
        assert_eq!(jsonb(&value), ScalarValue::Utf8View(Some(expected.into())));
        assert_eq!(jsonb(&Value::Null), ScalarValue::Utf8View(None));
    }
}
