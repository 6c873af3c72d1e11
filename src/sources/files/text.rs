//! Column names and types of CSV and JSON files, from a sample of each. Called
//! when a table is loaded.

use std::io::{BufReader, Cursor};

use bytes::Bytes;
use datafusion::arrow::csv::reader::Format;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::reader::infer_json_schema;
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::config::CsvOptions;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::lake::null_pattern;
use crate::sources::object_store::{OpenStore, read_error};

/// Bytes and rows of a file that its types are taken from.
const SAMPLE_BYTES: u64 = 1 << 20;
const SAMPLE_ROWS: usize = 10_000;

pub(super) async fn csv_schema(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
    options: &CsvOptions,
) -> Result<Schema> {
    let sample = sample(table, store, object).await?;
    let mut format = Format::default()
        .with_header(options.header)
        .with_delimiter(options.delimiter)
        .with_quote(options.quote);
    if !options.null.is_empty() {
        format = format.with_null_regex(null_pattern(options)?);
    }
    let (schema, _) = format
        .infer_schema(Cursor::new(sample), Some(SAMPLE_ROWS))
        .map_err(|error| malformed(table, store, object, "CSV", error))?;
    Ok(Schema::new(
        schema
            .fields()
            .iter()
            .map(|field| scalar_field(field))
            .collect::<Vec<_>>(),
    ))
}

pub(super) async fn json_schema(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
) -> Result<Schema> {
    let sample = sample(table, store, object).await?;
    let (schema, _) = infer_json_schema(BufReader::new(Cursor::new(sample)), Some(SAMPLE_ROWS))
        .map_err(|error| malformed(table, store, object, "JSON", error))?;
    Ok(schema)
}

/// The file's first lines, whole ones.
async fn sample(table: &RelationName, store: &OpenStore, object: &ObjectMeta) -> Result<Bytes> {
    let end = object.size.min(SAMPLE_BYTES);
    if end == 0 {
        return Ok(Bytes::new());
    }
    let bytes = store
        .store
        .get_range(&object.location, 0..end)
        .await
        .map_err(|error| read_error(store.show(&object.location), table, &error))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::unsupported(format!(
            "file \"{}\" of table \"{table}\" is compressed, which is not supported yet",
            store.show(&object.location)
        )));
    }
    if end == object.size {
        return Ok(bytes);
    }
    let last_line = bytes.iter().rposition(|byte| *byte == b'\n');
    Ok(last_line.map_or(bytes.clone(), |at| bytes.slice(..=at)))
}

/// Every timestamp as microseconds; what is no number, date or bool is text.
fn scalar_field(field: &Field) -> Field {
    let data_type = match field.data_type() {
        kept @ (DataType::Boolean
        | DataType::Int64
        | DataType::Float64
        | DataType::Date32
        | DataType::Null) => kept.clone(),
        DataType::Timestamp(_, zone) => DataType::Timestamp(
            datafusion::arrow::datatypes::TimeUnit::Microsecond,
            zone.clone(),
        ),
        _ => DataType::Utf8,
    };
    Field::new(field.name(), data_type, true)
}

fn malformed(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
    kind: &str,
    cause: ArrowError,
) -> Error {
    Error::new(
        SqlState::DATA_CORRUPTED,
        format!(
            "file \"{}\" of table \"{table}\" is not valid {kind}",
            store.show(&object.location)
        ),
    )
    .with_cause(cause.to_string())
}
