//! Iceberg's single values (bounds, partition values, defaults) → the engine's.
//! Called when a table is loaded; unknown is `None`, never a guess.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::scalar::ScalarValue;
use iceberg::spec::{DataFile, PrimitiveLiteral, PrimitiveType, Type};

use super::schema::IcebergColumn;
use crate::sources::lake::{ColumnBounds, Tightness};

/// `literal`, which was written as `iceberg`, as a value of the column's type.
/// The two may differ: columns are promoted (int to long, float to double).
pub(super) fn scalar(
    literal: &PrimitiveLiteral,
    iceberg: &Type,
    data_type: &DataType,
) -> Option<ScalarValue> {
    use ScalarValue as Scalar;
    Some(match (literal, data_type) {
        (PrimitiveLiteral::Boolean(value), DataType::Boolean) => Scalar::Boolean(Some(*value)),
        (PrimitiveLiteral::Int(value), DataType::Int32) => Scalar::Int32(Some(*value)),
        (PrimitiveLiteral::Int(value), DataType::Int64) => Scalar::Int64(Some(i64::from(*value))),
        (PrimitiveLiteral::Int(value), DataType::Date32) => Scalar::Date32(Some(*value)),
        (PrimitiveLiteral::Long(value), DataType::Int64) => Scalar::Int64(Some(*value)),
        (PrimitiveLiteral::Long(value), DataType::Time64(TimeUnit::Microsecond)) => {
            Scalar::Time64Microsecond(Some(*value))
        }
        (PrimitiveLiteral::Long(value), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            let nanos = matches!(
                iceberg,
                Type::Primitive(PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs)
            );
            // as the cast of the column's values does
            let micros = if nanos { value / 1000 } else { *value };
            Scalar::TimestampMicrosecond(Some(micros), zone.clone())
        }
        // of keys of deletes alone
        (PrimitiveLiteral::Long(value), DataType::Timestamp(TimeUnit::Nanosecond, zone)) => {
            Scalar::TimestampNanosecond(Some(*value), zone.clone())
        }
        (PrimitiveLiteral::Float(value), DataType::Float32) => Scalar::Float32(Some(value.0)),
        (PrimitiveLiteral::Float(value), DataType::Float64) => {
            Scalar::Float64(Some(f64::from(value.0)))
        }
        (PrimitiveLiteral::Double(value), DataType::Float64) => Scalar::Float64(Some(value.0)),
        (PrimitiveLiteral::String(value), DataType::Utf8View) => {
            Scalar::Utf8View(Some(value.clone()))
        }
        (PrimitiveLiteral::Binary(value), DataType::BinaryView) => {
            Scalar::BinaryView(Some(value.clone()))
        }
        (PrimitiveLiteral::Int128(value), DataType::Decimal128(precision, scale)) => {
            Scalar::Decimal128(Some(*value), *precision, *scale)
        }
        (PrimitiveLiteral::UInt128(value), DataType::FixedSizeBinary(16)) => {
            Scalar::FixedSizeBinary(16, Some(value.to_be_bytes().to_vec()))
        }
        _ => return None,
    })
}

/// What a manifest says of one column of a file. Bounds need not be tight: the
/// specification asks only that they hold.
pub(super) fn bounds(file: &DataFile, column: &IcebergColumn) -> ColumnBounds {
    let data_type = column.field.data_type();
    let bound = |datum: &iceberg::spec::Datum| {
        let iceberg = Type::Primitive(datum.data_type().clone());
        scalar(datum.literal(), &iceberg, data_type)
    };
    let bounds = ColumnBounds {
        min: file.lower_bounds().get(&column.id).and_then(bound),
        max: file.upper_bounds().get(&column.id).and_then(bound),
        nulls: file.null_value_counts().get(&column.id).copied(),
        tightness: Tightness::Wide,
    };
    match file.nan_value_counts().get(&column.id) {
        Some(0) => bounds,
        _ => bounds.without_nan_knowledge(data_type),
    }
}
