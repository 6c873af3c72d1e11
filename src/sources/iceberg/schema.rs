//! An Iceberg schema → columns found by field id. Called when a table is loaded.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::scalar::ScalarValue;
use iceberg::spec::{NestedField, PrimitiveType, Schema, TableMetadata, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::Value;

use super::values::scalar;
use crate::error::Result;
use crate::sources::lake::{ColumnKey, ColumnSource, provider_field};

/// The table property that gives ids to the columns of files that have none.
const NAME_MAPPING: &str = "schema.name-mapping.default";

#[derive(Debug)]
pub(super) struct IcebergColumn {
    pub(super) id: i32,
    /// As it is stored.
    pub(super) iceberg: Type,
    /// It is there for deletes alone.
    pub(super) hidden: bool,
    /// As clients see it.
    pub(super) field: Field,
    pub(super) source: ColumnSource,
    pub(super) comment: Option<String>,
}

/// Those of `schema`, one of the table's.
pub(super) fn columns(metadata: &TableMetadata, schema: &Schema) -> Result<Vec<IcebergColumn>> {
    let names = mapped_names(metadata);
    schema
        .as_struct()
        .fields()
        .iter()
        .map(|nested| column(nested, names.as_ref()))
        .collect()
}

/// A column for keys of deletes, with all that is stored.
pub(super) fn hidden_column(
    metadata: &TableMetadata,
    nested: &NestedField,
    name: &str,
) -> Result<IcebergColumn> {
    let stored = file_field(nested);
    let field = match stored.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => stored,
        _ => provider_field(&stored),
    };
    let field = field.with_name(name).with_nullable(true);
    let names = mapped_names(metadata);
    Ok(IcebergColumn {
        hidden: true,
        ..column_as(nested, field, names.as_ref())?
    })
}

fn column(
    nested: &NestedField,
    names: Option<&HashMap<i32, Vec<String>>>,
) -> Result<IcebergColumn> {
    column_as(nested, provider_field(&file_field(nested)), names)
}

fn column_as(
    nested: &NestedField,
    field: Field,
    names: Option<&HashMap<i32, Vec<String>>>,
) -> Result<IcebergColumn> {
    let missing = nested
        .initial_default
        .as_ref()
        .and_then(iceberg::spec::Literal::as_primitive_literal)
        .and_then(|literal| scalar(&literal, &nested.field_type, field.data_type()));
    let names = match names {
        Some(names) => names.get(&nested.id).cloned().unwrap_or_default(),
        None => vec![nested.name.clone()],
    };
    Ok(IcebergColumn {
        id: nested.id,
        iceberg: (*nested.field_type).clone(),
        hidden: false,
        source: ColumnSource {
            key: ColumnKey::FieldId {
                id: nested.id,
                names,
            },
            missing: match missing {
                Some(value) => value,
                None => ScalarValue::try_from(field.data_type())?,
            },
        },
        field,
        comment: nested.doc.clone(),
    })
}

/// The field as data files have it, with its id.
fn file_field(nested: &NestedField) -> Field {
    let mut metadata =
        HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_string(), nested.id.to_string())]);
    if matches!(*nested.field_type, Type::Primitive(PrimitiveType::Uuid)) {
        metadata.insert("ARROW:extension:name".into(), "arrow.uuid".into());
    }
    Field::new(
        &nested.name,
        data_type(&nested.field_type),
        !nested.required,
    )
    .with_metadata(metadata)
}

fn data_type(iceberg: &Type) -> DataType {
    match iceberg {
        Type::Primitive(primitive) => primitive_type(primitive),
        Type::Struct(fields) => DataType::Struct(
            fields
                .fields()
                .iter()
                .map(|nested| Arc::new(file_field(nested)))
                .collect(),
        ),
        Type::List(list) => {
            let element = file_field(&list.element_field).with_name("element");
            DataType::List(Arc::new(element))
        }
        Type::Map(map) => {
            let key = file_field(&map.key_field).with_name("key");
            let value = file_field(&map.value_field).with_name("value");
            let entries = DataType::Struct(vec![key, value].into());
            DataType::Map(Arc::new(Field::new("key_value", entries, false)), false)
        }
    }
}

fn primitive_type(primitive: &PrimitiveType) -> DataType {
    match primitive {
        PrimitiveType::Boolean => DataType::Boolean,
        PrimitiveType::Int => DataType::Int32,
        PrimitiveType::Long => DataType::Int64,
        PrimitiveType::Float => DataType::Float32,
        PrimitiveType::Double => DataType::Float64,
        // both at most 38: the library's parser has seen to it
        PrimitiveType::Decimal { precision, scale } => DataType::Decimal128(
            u8::try_from(*precision).unwrap_or(38),
            i8::try_from(*scale).unwrap_or(38),
        ),
        PrimitiveType::Date => DataType::Date32,
        PrimitiveType::Time => DataType::Time64(TimeUnit::Microsecond),
        PrimitiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        PrimitiveType::Timestamptz => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        PrimitiveType::TimestampNs => DataType::Timestamp(TimeUnit::Nanosecond, None),
        PrimitiveType::TimestamptzNs => {
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
        }
        PrimitiveType::String => DataType::Utf8,
        PrimitiveType::Uuid => DataType::FixedSizeBinary(16),
        PrimitiveType::Fixed(_) | PrimitiveType::Binary => DataType::Binary,
    }
}

/// Top-level names by field id; `None` where the table has no mapping.
fn mapped_names(metadata: &TableMetadata) -> Option<HashMap<i32, Vec<String>>> {
    let json: Value = serde_json::from_str(metadata.properties().get(NAME_MAPPING)?).ok()?;
    let fields = json.as_array()?;
    Some(
        fields
            .iter()
            .filter_map(|field| {
                let id = i32::try_from(field["field-id"].as_i64()?).ok()?;
                let names = field["names"].as_array()?;
                let names = names.iter().filter_map(Value::as_str).map(str::to_string);
                Some((id, names.collect()))
            })
            .collect(),
    )
}
