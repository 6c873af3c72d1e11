//! One value as Postgres types it, read from and written to Arrow arrays. The
//! functions that run row by row work on these; vectorised ones do not.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewBuilder, BooleanArray, Date32Array, Decimal128Array,
    Decimal256Array, FixedSizeBinaryBuilder, Float32Array, Float64Array, Int16Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, ListArray, NullArray, StringArray, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type, i256,
};
use datafusion::common::ScalarValue;
use num_bigint::BigInt;

use super::numeric::{self, Numeric};
use crate::error::{Error, Result, SqlState};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float4(f32),
    Float8(f64),
    Numeric(Numeric),
    Text(String),
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970-01-01, of local time.
    Timestamp(i64),
    /// Microseconds since 1970-01-01, of UTC.
    TimestampTz(i64),
    Interval(Interval),
    Uuid([u8; 16]),
    List(Vec<Value>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Interval {
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) micros: i64,
}

impl Value {
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

/// Carriers that are read by one reader each become the one it knows.
pub(super) fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    let target = match array.data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::RunEndEncoded(_, value) => value.data_type().clone(),
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => {
            DataType::Time64(TimeUnit::Microsecond)
        }
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Microsecond => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Interval(IntervalUnit::DayTime | IntervalUnit::YearMonth)
        | DataType::Duration(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(item.clone())
        }
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        DataType::Float16 => DataType::Float32,
        _ => return Ok(array.clone()),
    };
    plain(&cast(array, &target)?)
}

/// The value of a row; `array` is `plain`.
pub(super) fn read(array: &ArrayRef, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Value::Int(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Int(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::Int(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Value::Int(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Value::Int(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Value::Numeric(Numeric::new(
            array.as_primitive::<UInt64Type>().value(row),
            0,
        )),
        DataType::Float32 => Value::Float4(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => Value::Float8(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => {
            decimal(array.as_primitive::<Decimal128Type>().value(row), *scale)
        }
        DataType::Decimal256(precision, scale) => {
            let value = array.as_primitive::<Decimal256Type>().value(row);
            let value = BigInt::from_signed_bytes_le(&value.to_le_bytes());
            match decimal(value, *scale) {
                // a numeric without a declared scale displays what it has
                Value::Numeric(n) if (*precision, *scale) == crate::types::UNBOUNDED_NUMERIC => {
                    Value::Numeric(n.trimmed())
                }
                value => value,
            }
        }
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).to_string()),
        DataType::BinaryView => Value::Bytes(array.as_binary_view().value(row).to_vec()),
        DataType::FixedSizeBinary(16) => {
            let bytes = array.as_fixed_size_binary().value(row);
            Value::Uuid(bytes.try_into().unwrap_or_default())
        }
        DataType::Date32 => Value::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(TimeUnit::Microsecond) => {
            Value::Time(array.as_primitive::<Time64MicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            match zone {
                Some(_) => Value::TimestampTz(micros),
                None => Value::Timestamp(micros),
            }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            Value::Interval(Interval {
                months: value.months,
                days: value.days,
                micros: value.nanoseconds / 1_000,
            })
        }
        DataType::List(_) => {
            let items = plain(&array.as_list::<i32>().value(row))?;
            let items = (0..items.len()).map(|row| read(&items, row));
            Value::List(items.collect::<Result<_>>()?)
        }
        other => {
            return Err(Error::unsupported(format!(
                "values of type {other} are not read here"
            )));
        }
    })
}

fn decimal(unscaled: impl Into<BigInt>, scale: i8) -> Value {
    let unscaled = unscaled.into();
    Value::Numeric(match u32::try_from(scale) {
        Ok(scale) => Numeric::new(unscaled, scale),
        Err(_) => Numeric::new(
            unscaled * numeric::power_of_ten(u32::from(scale.unsigned_abs())),
            0,
        ),
    })
}

/// Values as an array of a type. Integers out of its range and numerics that
/// it cannot hold are errors; numerics round to its scale.
pub(super) fn build(values: Vec<Value>, data_type: &DataType) -> Result<ArrayRef> {
    macro_rules! collect {
        ($array:ty, $($pattern:pat => $value:expr),+) => {
            Arc::new(
                values
                    .into_iter()
                    .map(|value| match value {
                        Value::Null => Ok(None),
                        $($pattern => Ok(Some($value)),)+
                        other => Err(mismatch(&other, data_type)),
                    })
                    .collect::<Result<$array>>()?,
            )
        };
    }
    Ok(match data_type {
        DataType::Null => Arc::new(NullArray::new(values.len())),
        DataType::Boolean => collect!(BooleanArray, Value::Bool(v) => v),
        DataType::Int16 => collect!(Int16Array, Value::Int(v) => i16::try_from(v)
            .map_err(|_| out_of_range("smallint"))?),
        DataType::Int32 => collect!(Int32Array, Value::Int(v) => i32::try_from(v)
            .map_err(|_| out_of_range("integer"))?),
        DataType::Int64 => collect!(Int64Array, Value::Int(v) => v),
        DataType::Float32 => collect!(Float32Array, Value::Float4(v) => v),
        DataType::Float64 => collect!(Float64Array, Value::Float8(v) => v),
        DataType::Utf8 => collect!(StringArray, Value::Text(v) => v),
        DataType::Utf8View => collect!(StringViewArray, Value::Text(v) => v),
        DataType::Date32 => collect!(Date32Array, Value::Date(v) => v),
        DataType::Time64(TimeUnit::Microsecond) => {
            collect!(Time64MicrosecondArray, Value::Time(v) => v)
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let array = values
                .into_iter()
                .map(|value| match value {
                    Value::Null => Ok(None),
                    Value::Timestamp(v) | Value::TimestampTz(v) => Ok(Some(v)),
                    other => Err(mismatch(&other, data_type)),
                })
                .collect::<Result<TimestampMicrosecondArray>>()?;
            Arc::new(array.with_timezone_opt(zone.clone()))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            collect!(IntervalMonthDayNanoArray, Value::Interval(v) => carried(v)?)
        }
        DataType::Decimal128(precision, scale) => {
            let array = collect!(Decimal128Array, Value::Numeric(v) => i128::try_from(
                fitted(&v, *precision, *scale)?).map_err(|_| numeric::overflow())?, Value::Int(v) =>
                i128::try_from(fitted(&v.into(), *precision, *scale)?).map_err(|_| numeric::overflow())?);
            let array: Decimal128Array = Arc::unwrap_or_clone(array);
            Arc::new(array.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Decimal256(precision, scale) => {
            let array = collect!(Decimal256Array,
                Value::Numeric(v) => to_i256(&fitted(&v, *precision, *scale)?)?,
                Value::Int(v) => to_i256(&fitted(&v.into(), *precision, *scale)?)?);
            let array: Decimal256Array = Arc::unwrap_or_clone(array);
            Arc::new(array.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::BinaryView => {
            let mut builder = BinaryViewBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Value::Null => builder.append_null(),
                    Value::Bytes(bytes) => builder.append_value(bytes),
                    other => return Err(mismatch(&other, data_type)),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::FixedSizeBinary(16) => {
            let mut builder = FixedSizeBinaryBuilder::with_capacity(values.len(), 16);
            for value in values {
                match value {
                    Value::Null => builder.append_null(),
                    Value::Uuid(bytes) => builder.append_value(bytes)?,
                    other => return Err(mismatch(&other, data_type)),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::List(item) => {
            let mut lengths = Vec::with_capacity(values.len());
            let mut valid = Vec::with_capacity(values.len());
            let mut items = Vec::new();
            for value in values {
                valid.push(!value.is_null());
                match value {
                    Value::Null => lengths.push(0),
                    Value::List(list) => {
                        lengths.push(list.len());
                        items.extend(list);
                    }
                    other => return Err(mismatch(&other, data_type)),
                }
            }
            Arc::new(ListArray::try_new(
                item.clone(),
                OffsetBuffer::from_lengths(lengths),
                build(items, item.data_type())?,
                Some(NullBuffer::from(valid)),
            )?)
        }
        other => {
            return Err(Error::unsupported(format!(
                "values of type {other} are not made here"
            )));
        }
    })
}

/// The one value of an array as a scalar that keeps its type, the items' too.
pub(super) fn scalar(array: &ArrayRef) -> Result<ScalarValue> {
    Ok(match array.data_type() {
        DataType::List(_) => ScalarValue::List(Arc::new(array.as_list::<i32>().clone())),
        _ => ScalarValue::try_from_array(array, 0)?,
    })
}

pub(super) fn out_of_range(type_name: &str) -> Error {
    Error::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("{type_name} out of range"),
    )
}

fn carried(interval: Interval) -> Result<IntervalMonthDayNano> {
    let nanos = interval
        .micros
        .checked_mul(1_000)
        .ok_or_else(interval_out_of_range)?;
    Ok(IntervalMonthDayNano::new(
        interval.months,
        interval.days,
        nanos,
    ))
}

pub(super) fn interval_out_of_range() -> Error {
    Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

/// Rounded to the scale of a carrier; 22003 where it has too many digits.
fn fitted(value: &Numeric, precision: u8, scale: i8) -> Result<BigInt> {
    let scale = u32::try_from(scale).unwrap_or(0);
    let unscaled = if value.scale <= scale {
        value.at_scale(scale)
    } else {
        value.round(i32::try_from(scale).unwrap_or(0)).unscaled
    };
    if unscaled.magnitude() >= numeric::power_of_ten(u32::from(precision)).magnitude() {
        return Err(numeric_field_overflow(precision, scale));
    }
    Ok(unscaled)
}

pub(super) fn numeric_field_overflow(precision: u8, scale: u32) -> Error {
    if (precision, i8::try_from(scale).unwrap_or(0)) == crate::types::UNBOUNDED_NUMERIC {
        return numeric::overflow()
            .with_detail("Values of type numeric hold 56 digits before the point here.");
    }
    let whole = i64::from(precision) - i64::from(scale);
    let bound = if whole == 0 {
        "1".to_string()
    } else {
        format!("10^{whole}")
    };
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
    ))
}

fn to_i256(value: &BigInt) -> Result<i256> {
    let mut bytes = [if value.sign() == num_bigint::Sign::Minus {
        0xff
    } else {
        0
    }; 32];
    let own = value.to_signed_bytes_le();
    bytes
        .get_mut(..own.len())
        .ok_or_else(numeric::overflow)?
        .copy_from_slice(&own);
    Ok(i256::from_le_bytes(bytes))
}

fn mismatch(value: &Value, data_type: &DataType) -> Error {
    Error::internal(format!("a value {value:?} was made for type {data_type}"))
}
