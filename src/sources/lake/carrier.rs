//! The Arrow type that carries a lake column to the engine: the one that the
//! nearest Postgres type has. Called by the formats when they read a schema.
//!
//! Strings become Utf8View, binary BinaryView, timestamps microseconds (all
//! that Postgres has), unsigned integers the next wider signed type. Structs and
//! maps stay as they are: Postgres knows no row type for them, so clients are
//! told json.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use crate::sources::{Column, Representation};
use crate::types::PgType;

const EXTENSION_NAME: &str = "ARROW:extension:name";

/// The type that a column of a file's type is read as.
pub fn carrier(file_type: &DataType) -> DataType {
    match file_type {
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            DataType::BinaryView
        }
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into()))
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => decimal(*p, *s).unwrap_or_else(|| file_type.clone()),
        DataType::Dictionary(_, value) => carrier(value),
        DataType::RunEndEncoded(_, value) => carrier(value.data_type()),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => list(element, file_type),
        other => other.clone(),
    }
}

/// A field of the provider's schema: `file_field` as clients see it.
pub fn provider_field(file_field: &Field) -> Field {
    let uuid = file_field.data_type() == &DataType::FixedSizeBinary(16)
        && file_field
            .metadata()
            .get(EXTENSION_NAME)
            .is_some_and(|name| name == "arrow.uuid");
    let (pg_type, data_type) = if uuid {
        (PgType::UUID, DataType::FixedSizeBinary(16))
    } else {
        let data_type = carrier(file_field.data_type());
        (PgType::nearest(&data_type), data_type)
    };
    pg_type.tag(Field::new(
        file_field.name(),
        data_type,
        file_field.is_nullable(),
    ))
}

/// What clients are told of a field of the provider's schema.
pub fn column(field: &Field, comment: Option<String>) -> Column {
    Column {
        name: field.name().clone(),
        pg_type: PgType::of(field),
        nullable: field.is_nullable(),
        representation: Representation::Native,
        default: None,
        comment,
    }
}

/// As `PgType::arrow` carries the same numeric: no negative scale, 128 bits where they do.
fn decimal(precision: u8, scale: i8) -> Option<DataType> {
    PgType::numeric(precision, scale)
        .arrow()
        .filter(|data_type| {
            matches!(
                data_type,
                DataType::Decimal128(..) | DataType::Decimal256(..)
            )
        })
}

/// Arrays of scalars as Postgres has them; lists of lists, structs and maps stay.
fn list(element: &Arc<Field>, file_type: &DataType) -> DataType {
    if element.data_type().is_nested() {
        return file_type.clone();
    }
    let element_type = carrier(element.data_type());
    let array = PgType::nearest(&element_type).array();
    match array.arrow() {
        Some(DataType::List(field)) if field.data_type() == &element_type => DataType::List(field),
        _ => DataType::List(Arc::new(Field::new(
            Field::LIST_FIELD_DEFAULT_NAME,
            element_type,
            true,
        ))),
    }
}
