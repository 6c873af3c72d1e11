//! A table as a Delta table: Parquet files and the one commit that adds them.
//! The log is written as the protocol's specification says (sections "Change
//! Metadata", "Add File", "Per-file Statistics"), reader version 1, writer
//! version 2; with no concurrent writer a commit is one atomic rename.

use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use datafusion::arrow::datatypes::{DataType, Schema};
use serde_json::{Map, Value, json};

use super::Table;
use super::generate::in_parallel;
use super::parquet_file::{Bound, ColumnSummary, Written, not_written, write_file};
use crate::demo::progress::Progress;
use crate::error::{Error, Result};

/// Makes the Delta table in `dir`, which must not hold one yet; answers the
/// number of rows. Blocks, on every core: call it off the async threads.
pub fn write_delta(dir: &Path, table: Table, scale: f64, progress: &Progress) -> Result<u64> {
    let schema = table.schema();
    let written = in_parallel(&table.parts(scale), |part| {
        let name = format!("part-{:05}-{}-c000.zstd.parquet", part.number, random_id());
        let batches = table.batches(*part, schema.clone());
        write_file(&dir.join(name), &schema, batches, progress)
    })?;
    let mut actions = vec![
        json!({"commitInfo": {
            "timestamp": now_ms(),
            "operation": "WRITE",
            "operationParameters": {"mode": "Append", "partitionBy": "[]"},
            "engineInfo": concat!("narrows/", env!("CARGO_PKG_VERSION")),
        }}),
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        metadata_action(table, &schema)?,
    ];
    for file in &written {
        actions.push(add_action(file, &schema)?);
    }
    commit(dir, &actions)?;
    Ok(written.iter().map(|file| file.rows).sum())
}

fn metadata_action(table: Table, schema: &Schema) -> Result<Value> {
    let fields = schema
        .fields()
        .iter()
        .map(|field| {
            Ok(json!({
                "name": field.name(),
                "type": delta_type(field.data_type())?,
                "nullable": field.is_nullable(),
                "metadata": {},
            }))
        })
        .collect::<Result<Vec<_>>>()?;
    let schema_string = json!({"type": "struct", "fields": fields}).to_string();
    Ok(json!({"metaData": {
        "id": random_id(),
        "name": table.name(),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_string,
        "partitionColumns": [],
        "configuration": {},
        "createdTime": now_ms(),
    }}))
}

fn delta_type(data_type: &DataType) -> Result<String> {
    Ok(match data_type {
        DataType::Int32 => "integer".to_string(),
        DataType::Int64 => "long".to_string(),
        DataType::Date32 => "date".to_string(),
        DataType::Utf8 | DataType::Utf8View => "string".to_string(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        other => return Err(Error::internal(format!("no Delta type for {other}"))),
    })
}

fn add_action(file: &Written, schema: &Schema) -> Result<Value> {
    let name = file
        .path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Error::internal("a data file without a name"))?;
    Ok(json!({"add": {
        "path": name,
        "partitionValues": {},
        "size": file.bytes,
        "modificationTime": now_ms(),
        "dataChange": true,
        "stats": statistics(file, schema).to_string(),
    }}))
}

fn statistics(file: &Written, schema: &Schema) -> Value {
    let (mut low, mut high, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (field, column) in schema.fields().iter().zip(&file.columns) {
        let ColumnSummary {
            nulls: count,
            bounds,
            ..
        } = column;
        nulls.insert(field.name().clone(), json!(count));
        if let Some((least, greatest)) = bounds {
            low.insert(field.name().clone(), bound_value(least));
            high.insert(field.name().clone(), bound_value(greatest));
        }
    }
    json!({
        "numRecords": file.rows,
        "minValues": low,
        "maxValues": high,
        "nullCount": nulls,
    })
}

fn bound_value(bound: &Bound) -> Value {
    match bound {
        Bound::Int(value) => json!(value),
        Bound::Long(value) => json!(value),
        // Exact: fifteen digits are what a double keeps.
        Bound::Decimal(unscaled) => json!(*unscaled as f64 / 100.0),
        Bound::Date(days) => json!(
            NaiveDate::from_epoch_days(*days)
                .unwrap_or_default()
                .to_string()
        ),
        Bound::Text(text) => json!(text),
    }
}

/// Version 0 appears complete or not at all.
fn commit(dir: &Path, actions: &[Value]) -> Result<()> {
    let log = dir.join("_delta_log");
    std::fs::create_dir_all(&log).map_err(|e| not_written(&log, e))?;
    let path = log.join(format!("{:020}.json", 0));
    let unfinished = log.join(".commit.tmp");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&unfinished)?;
        for action in actions {
            writeln!(file, "{action}")?;
        }
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)
    };
    write().map_err(|e| not_written(&path, e))
}

fn random_id() -> uuid::Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
