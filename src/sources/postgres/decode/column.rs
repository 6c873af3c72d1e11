//! One column's values as they arrive → one Arrow array. Which decoder serves is
//! a table over what the source sends (a type OID) and what the plan wants (an
//! Arrow type); a pair that is not in it is a mismatch, found before any row.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::datatypes::*;
use tokio_postgres::types::{Kind, Type};

use super::fault::{Fault, Result};
use super::list::ListDecoder;
use super::{numeric, scalar, text};
use crate::error::Error;

/// Takes one column's values in row order.
pub(super) trait ColumnDecoder: Send {
    fn append(&mut self, value: &[u8]) -> Result<()>;
    fn append_null(&mut self);
    /// What was appended since the last call.
    fn finish(&mut self) -> Result<ArrayRef, Error>;
}

/// The decoder that reads `sent` into `wanted`; `None` if there is none.
pub(super) fn decoder(sent: &Type, wanted: &DataType) -> Option<Box<dyn ColumnDecoder>> {
    use DataType as D;
    if let Kind::Array(element) = sent.kind() {
        let D::List(field) = wanted else { return None };
        return Some(Box::new(ListDecoder::new(sent, element, field)?));
    }
    Some(match (sent.oid(), wanted) {
        (16, D::Boolean) => Box::new(Booleans(BooleanBuilder::new())),
        (21, D::Int16) => fixed::<Int16Type>(scalar::int2),
        (21, D::Int32) => fixed::<Int32Type>(|bytes| scalar::int2(bytes).map(i32::from)),
        (21, D::Int64) => fixed::<Int64Type>(|bytes| scalar::int2(bytes).map(i64::from)),
        (23, D::Int32) => fixed::<Int32Type>(scalar::int4),
        (23, D::Int64) => fixed::<Int64Type>(|bytes| scalar::int4(bytes).map(i64::from)),
        (20, D::Int64) => fixed::<Int64Type>(scalar::int8),
        (20, D::UInt64) => fixed::<UInt64Type>(scalar::count),
        (24 | 26 | 28 | 29 | 2202..=2206 | 3734 | 3769 | 4089 | 4096, D::Int64) => {
            fixed::<Int64Type>(scalar::oid)
        }
        (700, D::Float32) => fixed::<Float32Type>(scalar::float4),
        (700, D::Float64) => fixed::<Float64Type>(|bytes| scalar::float4(bytes).map(f64::from)),
        (701, D::Float64) => fixed::<Float64Type>(scalar::float8),
        (1700, &D::Decimal128(precision, scale)) => typed::<Decimal128Type>(wanted, move |bytes| {
            numeric::decimal128(bytes, precision, scale)
        }),
        (1700, &D::Decimal256(precision, scale)) => typed::<Decimal256Type>(wanted, move |bytes| {
            numeric::decimal256(bytes, precision, scale)
        }),
        (1082, D::Date32) => fixed::<Date32Type>(scalar::date),
        (1083, D::Time64(TimeUnit::Microsecond)) => fixed::<Time64MicrosecondType>(scalar::time),
        (1114, D::Timestamp(TimeUnit::Microsecond, None))
        | (1184, D::Timestamp(TimeUnit::Microsecond, Some(_))) => {
            typed::<TimestampMicrosecondType>(wanted, scalar::timestamp)
        }
        (1186, D::Interval(IntervalUnit::MonthDayNano)) => {
            fixed::<IntervalMonthDayNanoType>(scalar::interval)
        }
        (2950, D::FixedSizeBinary(16)) => Box::new(Uuids(FixedSizeBinaryBuilder::new(16))),
        (19 | 25 | 114 | 142 | 705 | 1043, _) => strings(wanted, StringForm::Text)?,
        (1042, _) => strings(wanted, StringForm::Padded)?,
        (3802, _) => strings(wanted, StringForm::Jsonb)?,
        (18, _) => strings(wanted, StringForm::SingleChar)?,
        (17, D::BinaryView) => Box::new(Bytes(BinaryViewBuilder::new())),
        (17, D::Binary) => Box::new(Bytes(BinaryBuilder::new())),
        (17, D::LargeBinary) => Box::new(Bytes(LargeBinaryBuilder::new())),
        _ => return None,
    })
}

struct Fixed<T: ArrowPrimitiveType, F> {
    builder: PrimitiveBuilder<T>,
    read: F,
}

fn fixed<T: ArrowPrimitiveType>(read: fn(&[u8]) -> Result<T::Native>) -> Box<dyn ColumnDecoder> {
    typed::<T>(&T::DATA_TYPE, read)
}

/// For types whose Arrow type has parameters: time zone, precision and scale.
fn typed<T: ArrowPrimitiveType>(
    data_type: &DataType,
    read: impl Fn(&[u8]) -> Result<T::Native> + Send + 'static,
) -> Box<dyn ColumnDecoder> {
    Box::new(Fixed {
        builder: PrimitiveBuilder::<T>::new().with_data_type(data_type.clone()),
        read,
    })
}

impl<T, F> ColumnDecoder for Fixed<T, F>
where
    T: ArrowPrimitiveType,
    F: Fn(&[u8]) -> Result<T::Native> + Send,
{
    fn append(&mut self, value: &[u8]) -> Result<()> {
        self.builder.append_value((self.read)(value)?);
        Ok(())
    }

    fn append_null(&mut self) {
        self.builder.append_null();
    }

    fn finish(&mut self) -> Result<ArrayRef, Error> {
        Ok(Arc::new(self.builder.finish()))
    }
}

struct Booleans(BooleanBuilder);

impl ColumnDecoder for Booleans {
    fn append(&mut self, value: &[u8]) -> Result<()> {
        self.0.append_value(scalar::boolean(value)?);
        Ok(())
    }

    fn append_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> Result<ArrayRef, Error> {
        Ok(Arc::new(self.0.finish()))
    }
}

struct Uuids(FixedSizeBinaryBuilder);

impl ColumnDecoder for Uuids {
    fn append(&mut self, value: &[u8]) -> Result<()> {
        self.0
            .append_value(scalar::uuid(value)?)
            .map_err(|_| Fault::Malformed("a uuid has the wrong length"))
    }

    fn append_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> Result<ArrayRef, Error> {
        Ok(Arc::new(self.0.finish()))
    }
}

#[derive(Clone, Copy)]
enum StringForm {
    Text,
    /// char(n): the padding means nothing, so it is not carried.
    Padded,
    Jsonb,
    SingleChar,
}

/// Strings of any layout; `B` is the builder.
struct Strings<B> {
    builder: B,
    form: StringForm,
}

fn strings(wanted: &DataType, form: StringForm) -> Option<Box<dyn ColumnDecoder>> {
    Some(match wanted {
        DataType::Utf8View => Box::new(Strings {
            builder: StringViewBuilder::new(),
            form,
        }),
        DataType::Utf8 => Box::new(Strings {
            builder: StringBuilder::new(),
            form,
        }),
        DataType::LargeUtf8 => Box::new(Strings {
            builder: LargeStringBuilder::new(),
            form,
        }),
        _ => return None,
    })
}

impl<B: StringLikeArrayBuilder> ColumnDecoder for Strings<B> {
    fn append(&mut self, value: &[u8]) -> Result<()> {
        match self.form {
            StringForm::Text => self.builder.append_value(text::text(value)?),
            StringForm::Padded => self.builder.append_value(text::padded(value)?),
            StringForm::Jsonb => self.builder.append_value(text::jsonb(value)?),
            StringForm::SingleChar => self.builder.append_value(&text::single_char(value)?),
        }
        Ok(())
    }

    fn append_null(&mut self) {
        self.builder.append_null();
    }

    fn finish(&mut self) -> Result<ArrayRef, Error> {
        Ok(ArrayBuilder::finish(&mut self.builder))
    }
}

/// Byte strings of any layout; `B` is the builder.
pub(super) struct Bytes<B>(pub B);

impl<B: BinaryLikeArrayBuilder> ColumnDecoder for Bytes<B> {
    fn append(&mut self, value: &[u8]) -> Result<()> {
        self.0.append_value(value);
        Ok(())
    }

    fn append_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> Result<ArrayRef, Error> {
        Ok(ArrayBuilder::finish(&mut self.0))
    }
}
