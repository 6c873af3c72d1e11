//! Parameters in text format; wrong text is refused in Postgres's words.

use datafusion::arrow::datatypes::IntervalMonthDayNano;
use datafusion::scalar::ScalarValue;

use super::numeric::numeric;
use super::{list, null};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;
use crate::types::text::parse::{self, Problem};
use crate::types::text::{Interval, OutputStyle, array, bytea};

trait Float: std::str::FromStr {
    fn overflowed(&self) -> bool;
}

impl Float for f32 {
    fn overflowed(&self) -> bool {
        self.is_infinite()
    }
}

impl Float for f64 {
    fn overflowed(&self) -> bool {
        self.is_infinite()
    }
}

pub(super) fn from_text(text: &str, pg_type: PgType, style: &OutputStyle) -> Result<ScalarValue> {
    let wrong = |name: &str| {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {name}: \"{text}\""),
        )
    };
    let trimmed = text.trim();
    Ok(match pg_type.oid {
        16 => ScalarValue::Boolean(Some(
            crate::types::text::boolean(trimmed).ok_or_else(|| wrong("boolean"))?,
        )),
        21 => ScalarValue::Int16(Some(integer(trimmed, text, "smallint")?)),
        23 => ScalarValue::Int32(Some(integer(trimmed, text, "integer")?)),
        20 => ScalarValue::Int64(Some(integer(trimmed, text, "bigint")?)),
        26 | 28 => ScalarValue::Int64(Some(oid(trimmed, text)?)),
        24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 => match trimmed.parse::<u32>() {
            Ok(oid) => ScalarValue::Int64(Some(i64::from(oid))),
            // a name: its meaning is the catalog's
            Err(_) => return Ok(ScalarValue::Utf8View(Some(text.to_string()))),
        },
        700 => ScalarValue::Float32(Some(float(trimmed, text, "real")?)),
        701 => ScalarValue::Float64(Some(float(trimmed, text, "double precision")?)),
        1700 => numeric(trimmed).ok_or_else(|| wrong("numeric"))?,
        17 => ScalarValue::BinaryView(Some(bytea::parse(text).ok_or_else(|| wrong("bytea"))?)),
        2950 => ScalarValue::FixedSizeBinary(
            16,
            Some(uuid(trimmed).ok_or_else(|| wrong("uuid"))?.to_vec()),
        ),
        1082 => ScalarValue::Date32(Some(
            parse::date(text, style.order).map_err(|p| datetime(p, "date", text))?,
        )),
        1083 => ScalarValue::Time64Microsecond(Some(
            parse::time(text).map_err(|p| datetime(p, "time", text))?,
        )),
        1114 => ScalarValue::TimestampMicrosecond(
            Some(parse::timestamp(text, style.order).map_err(|p| datetime(p, "timestamp", text))?),
            None,
        ),
        1184 => ScalarValue::TimestampMicrosecond(
            Some(
                parse::timestamptz(text, style.order, &style.zone)
                    .map_err(|p| datetime(p, "timestamp with time zone", text))?,
            ),
            Some("UTC".into()),
        ),
        1186 => interval(parse::interval(text).map_err(|p| datetime(p, "interval", text))?)?,
        114 | 3802 => {
            if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
                return Err(wrong("json"));
            }
            ScalarValue::Utf8View(Some(text.to_string()))
        }
        _ => match pg_type.element() {
            Some(element) if pg_type.arrow().is_some() => array_text(text, element, style)?,
            _ => ScalarValue::Utf8View(Some(text.to_string())),
        },
    })
}

fn integer<T: TryFrom<i64>>(trimmed: &str, text: &str, name: &str) -> Result<T> {
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {name}: \"{text}\""),
        ));
    }
    trimmed
        .parse::<i64>()
        .ok()
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| out_of_range(text, name))
}

fn oid(trimmed: &str, text: &str) -> Result<i64> {
    let value: i64 = integer(trimmed, text, "oid")?;
    match u32::try_from(value).or_else(|_| i32::try_from(value).map(|v| v as u32)) {
        Ok(oid) => Ok(i64::from(oid)),
        Err(_) => Err(out_of_range(text, "oid")),
    }
}

fn out_of_range(text: &str, name: &str) -> Error {
    Error::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("value \"{text}\" is out of range for type {name}"),
    )
}

fn float<T: Float>(trimmed: &str, text: &str, name: &str) -> Result<T> {
    let unsigned = trimmed.trim_start_matches(['-', '+']).to_ascii_lowercase();
    let named = matches!(unsigned.as_str(), "nan" | "inf" | "infinity");
    match trimmed.parse::<T>() {
        Ok(value) if value.overflowed() && !named => Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("\"{text}\" is out of range for type {name}"),
        )),
        Ok(value) => Ok(value),
        Err(_) => Err(Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {name}: \"{text}\""),
        )),
    }
}

/// Hexadecimal digits, hyphens after any group of four, braces allowed.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let digits: String = inner.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16)
        .ok()
        .map(u128::to_be_bytes)
}

fn datetime(problem: Problem, name: &str, text: &str) -> Error {
    match problem {
        Problem::Syntax => Error::new(
            SqlState::INVALID_DATETIME_FORMAT,
            format!("invalid input syntax for type {name}: \"{text}\""),
        ),
        Problem::OutOfRange => Error::new(
            SqlState::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{text}\""),
        ),
    }
}

pub(super) fn interval(value: Interval) -> Result<ScalarValue> {
    let nanos = value
        .micros
        .checked_mul(1000)
        .ok_or_else(|| Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range"))?;
    Ok(ScalarValue::IntervalMonthDayNano(Some(
        IntervalMonthDayNano::new(value.months, value.days, nanos),
    )))
}

fn array_text(text: &str, element: PgType, style: &OutputStyle) -> Result<ScalarValue> {
    let parts = array::parse(text).map_err(|malformed| match malformed {
        array::Malformed::Syntax(detail) => Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("malformed array literal: \"{text}\""),
        )
        .with_detail(detail),
        array::Malformed::Unsupported => {
            Error::unsupported("arrays of more than one dimension are not supported")
        }
    })?;
    let values = parts
        .into_iter()
        .map(|part| match part {
            Some(part) => from_text(&part, element, style),
            None => null(element),
        })
        .collect::<Result<Vec<_>>>()?;
    list(values, element)
}
