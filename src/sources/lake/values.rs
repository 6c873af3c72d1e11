//! Values that formats write as text or JSON: partition values, folder names,
//! statistics. Called by the formats; unknown is `None`, never a guess.

use std::str::FromStr;

use datafusion::arrow::compute::kernels::cast_utils::{
    Parser, parse_decimal, string_to_timestamp_nanos,
};
use datafusion::arrow::datatypes::{DataType, Date32Type, Decimal128Type, TimeUnit};
use datafusion::scalar::ScalarValue;
use serde_json::Value;

/// A value of a carrier type from its text; `None` where it is no such value.
/// Timestamps without an offset are UTC.
pub fn parse_value(text: &str, data_type: &DataType) -> Option<ScalarValue> {
    match data_type {
        DataType::Utf8View => Some(ScalarValue::Utf8View(Some(text.to_string()))),
        DataType::BinaryView => Some(ScalarValue::BinaryView(Some(text.as_bytes().to_vec()))),
        DataType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" => Some(ScalarValue::Boolean(Some(true))),
            "false" => Some(ScalarValue::Boolean(Some(false))),
            _ => None,
        },
        DataType::Int16 => parsed(text, ScalarValue::Int16),
        DataType::Int32 => parsed(text, ScalarValue::Int32),
        DataType::Int64 => parsed(text, ScalarValue::Int64),
        DataType::Float32 => parsed(text, ScalarValue::Float32),
        DataType::Float64 => parsed(text, ScalarValue::Float64),
        DataType::Date32 => Some(ScalarValue::Date32(Some(Date32Type::parse(text)?))),
        DataType::Decimal128(precision, scale) => {
            let value = parse_decimal::<Decimal128Type>(text, *precision, *scale).ok()?;
            Some(ScalarValue::Decimal128(Some(value), *precision, *scale))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => Some(
            ScalarValue::TimestampMicrosecond(Some(micros(text)?), zone.clone()),
        ),
        _ => None,
    }
}

/// A bound from JSON statistics. Decimals beyond what a JSON number carries
/// exactly are unknown.
pub fn value_of_json(value: &Value, data_type: &DataType) -> Option<ScalarValue> {
    match (value, data_type) {
        (Value::String(text), _) => parse_value(text, data_type),
        (Value::Bool(value), DataType::Boolean) => Some(ScalarValue::Boolean(Some(*value))),
        (Value::Number(number), DataType::Decimal128(precision, _)) => {
            const EXACT_IN_A_DOUBLE: u8 = 15;
            (number.is_i64() || *precision <= EXACT_IN_A_DOUBLE)
                .then(|| parse_value(&number.to_string(), data_type))
                .flatten()
        }
        (Value::Number(number), DataType::Float32 | DataType::Float64) => {
            parse_value(&number.to_string(), data_type)
        }
        (Value::Number(number), DataType::Int16 | DataType::Int32 | DataType::Int64) => {
            parse_value(&number.as_i64()?.to_string(), data_type)
        }
        _ => None,
    }
}

fn parsed<T: FromStr>(text: &str, make: fn(Option<T>) -> ScalarValue) -> Option<ScalarValue> {
    Some(make(Some(text.parse().ok()?)))
}

/// Microseconds since 1970, rounded down.
fn micros(text: &str) -> Option<i64> {
    // the engine's parser knows nanoseconds alone, and those end in 2262
    if let Ok(nanos) = string_to_timestamp_nanos(text) {
        return Some(nanos.div_euclid(1000));
    }
    let bare = text.trim_end_matches('Z').replace('T', " ");
    let time = chrono::NaiveDateTime::parse_from_str(&bare, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(time.and_utc().timestamp_micros())
}
