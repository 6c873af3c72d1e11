//! A Delta schema (its JSON form) → columns. Called when a log is loaded.
//! The format is that of "Schema Serialization Format" in the Delta protocol.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::scalar::ScalarValue;
use serde_json::Value;

use super::load::refused;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::lake::{ColumnKey, ColumnSource, provider_field};

#[derive(Debug)]
pub(super) struct DeltaColumn {
    /// As clients see it.
    pub(super) field: Field,
    /// As data files, partition values and statistics name it.
    pub(super) physical_name: String,
    pub(super) source: ColumnSource,
    pub(super) comment: Option<String>,
}

/// `mapping` is `none`, `name` or `id`. 0A000 for types and mappings that cannot be read.
pub(super) fn read_schema(
    table: &RelationName,
    schema: &Value,
    mapping: &str,
) -> Result<Vec<DeltaColumn>> {
    fields_of(table, schema)?
        .iter()
        .map(|json| delta_column(table, json, mapping))
        .collect()
}

fn delta_column(table: &RelationName, json: &Value, mapping: &str) -> Result<DeltaColumn> {
    let file_field = field(table, json, mapping)?;
    let metadata = &json["metadata"];
    let physical_name = match mapping {
        "none" => file_field.name().clone(),
        _ => physical_name(json),
    };
    let field = provider_field(&file_field);
    let key = match (mapping, metadata["delta.columnMapping.id"].as_i64()) {
        ("id", Some(id)) => ColumnKey::FieldId {
            id: i32::try_from(id).map_err(|_| malformed(table))?,
            names: vec![physical_name.clone()],
        },
        ("none" | "name", _) => ColumnKey::Name(physical_name.clone()),
        _ => {
            return Err(refused(
                table,
                &format!("column mapping mode \"{mapping}\""),
            ));
        }
    };
    Ok(DeltaColumn {
        source: ColumnSource {
            key,
            missing: ScalarValue::try_from(field.data_type())?,
        },
        field,
        physical_name,
        comment: metadata["comment"].as_str().map(str::to_string),
    })
}

/// The field with the type that data files have.
fn field(table: &RelationName, json: &Value, mapping: &str) -> Result<Field> {
    let name = json["name"].as_str().ok_or_else(|| malformed(table))?;
    let nullable = json["nullable"].as_bool().unwrap_or(true);
    let data_type = data_type(table, &json["type"], mapping)?;
    Ok(Field::new(name, data_type, nullable))
}

fn data_type(table: &RelationName, json: &Value, mapping: &str) -> Result<DataType> {
    if let Some(name) = json.as_str() {
        return primitive(name).ok_or_else(|| refused(table, &format!("the type \"{name}\"")));
    }
    match json["type"].as_str() {
        Some("struct") => {
            let fields = fields_of(table, json)?;
            if mapping != "none"
                && fields
                    .iter()
                    .any(|f| f["name"] != physical_name(f).as_str())
            {
                return Err(refused(table, "column mapping of nested fields"));
            }
            let fields: Fields = fields
                .iter()
                .map(|f| field(table, f, mapping).map(Arc::new))
                .collect::<Result<_>>()?;
            Ok(DataType::Struct(fields))
        }
        Some("array") => {
            let element = data_type(table, &json["elementType"], mapping)?;
            let nullable = json["containsNull"].as_bool().unwrap_or(true);
            Ok(DataType::List(Arc::new(Field::new(
                "element", element, nullable,
            ))))
        }
        Some("map") => {
            let key = data_type(table, &json["keyType"], mapping)?;
            let value = data_type(table, &json["valueType"], mapping)?;
            let nullable = json["valueContainsNull"].as_bool().unwrap_or(true);
            let entries = DataType::Struct(
                vec![
                    Field::new("key", key, false),
                    Field::new("value", value, nullable),
                ]
                .into(),
            );
            Ok(DataType::Map(
                Arc::new(Field::new("key_value", entries, false)),
                false,
            ))
        }
        Some(other) => Err(refused(table, &format!("the type \"{other}\""))),
        None => Err(malformed(table)),
    }
}

fn primitive(name: &str) -> Option<DataType> {
    Some(match name {
        "string" => DataType::Utf8,
        "long" => DataType::Int64,
        "integer" => DataType::Int32,
        "short" => DataType::Int16,
        "byte" => DataType::Int8,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "boolean" => DataType::Boolean,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => {
            let arguments = name.strip_prefix("decimal(")?.strip_suffix(')')?;
            let (precision, scale) = arguments.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

fn physical_name(json: &Value) -> String {
    json["metadata"]["delta.columnMapping.physicalName"]
        .as_str()
        .or_else(|| json["name"].as_str())
        .unwrap_or_default()
        .to_string()
}

fn fields_of<'a>(table: &RelationName, json: &'a Value) -> Result<&'a Vec<Value>> {
    json["fields"].as_array().ok_or_else(|| malformed(table))
}

fn malformed(table: &RelationName) -> Error {
    Error::new(
        SqlState::DATA_CORRUPTED,
        format!("the schema in the Delta log of table \"{table}\" is malformed"),
    )
}
