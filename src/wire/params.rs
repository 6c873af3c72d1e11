//! Bind's parameters as values of the types that the statement expects, from
//! text or binary format. Wrong text is 22P02 in Postgres's words, wrong binary
//! 22P03.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, i256};
use datafusion::scalar::ScalarValue;

use super::encode::Format;
use super::frontend::utf8;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;
use crate::types::text::parse::{self, Problem};
use crate::types::text::{Interval, OutputStyle, array, bytea};

/// `number` is the parameter's: $1 is 1.
pub fn decode(
    value: Option<&[u8]>,
    pg_type: PgType,
    format: Format,
    style: &OutputStyle,
    number: usize,
) -> Result<ScalarValue> {
    let Some(bytes) = value else {
        return null(pg_type);
    };
    match format {
        Format::Text => {
            let text = utf8(bytes)?;
            if text.contains('\0') {
                return Err(Error::new(
                    SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                    "invalid byte sequence for encoding \"UTF8\": 0x00",
                ));
            }
            from_text(text, pg_type, style)
        }
        Format::Binary => from_binary(bytes, pg_type, number),
    }
}

fn null(pg_type: PgType) -> Result<ScalarValue> {
    let data_type = pg_type.arrow().unwrap_or(DataType::Utf8View);
    Ok(ScalarValue::try_from(&data_type)?)
}

fn from_text(text: &str, pg_type: PgType, style: &OutputStyle) -> Result<ScalarValue> {
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

/// A numeric with as many digits after the point as the text has.
fn numeric(text: &str) -> Option<ScalarValue> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = i32::try_from(fraction.len()).ok()? - exponent;
    decimal(negative, &digits, scale)
}

/// `digits` × 10^-`scale` in the smallest decimal that holds it.
fn decimal(negative: bool, digits: &str, scale: i32) -> Option<ScalarValue> {
    let mut digits = digits.trim_start_matches('0').to_string();
    let mut scale = scale;
    if scale < 0 {
        if scale < -80 && !digits.is_empty() {
            return None;
        }
        digits.extend(std::iter::repeat_n('0', usize::try_from(-scale).ok()?));
        scale = 0;
    }
    // zeros at the end of a fraction mean nothing to a value without a scale
    while scale > 0 && digits.len() > 76 && digits.ends_with('0') {
        digits.pop();
        scale -= 1;
    }
    let scale = i8::try_from(scale).ok().filter(|scale| *scale <= 76)?;
    if digits.is_empty() {
        digits.push('0');
    }
    let sign = if negative { "-" } else { "" };
    let text = format!("{sign}{digits}");
    let needed = digits.len().max(usize::try_from(scale).ok()?);
    if needed <= 38 {
        return Some(ScalarValue::Decimal128(Some(text.parse().ok()?), 38, scale));
    }
    if needed <= 76 {
        let value: i256 = text.parse().ok()?;
        return Some(ScalarValue::Decimal256(Some(value), 76, scale));
    }
    None
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

fn interval(value: Interval) -> Result<ScalarValue> {
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

/// A list whose elements all have the element type's own Arrow type.
fn list(values: Vec<ScalarValue>, element: PgType) -> Result<ScalarValue> {
    let data_type = element.arrow().unwrap_or(DataType::Utf8View);
    let values = values
        .into_iter()
        .map(|value| value.cast_to(&data_type))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let array = ScalarValue::new_list_nullable(&values, &data_type);
    Ok(ScalarValue::List(array))
}

fn from_binary(bytes: &[u8], pg_type: PgType, number: usize) -> Result<ScalarValue> {
    let wrong = || {
        Error::new(
            SqlState::INVALID_BINARY_REPRESENTATION,
            format!("incorrect binary data format in bind parameter {number}"),
        )
    };
    Ok(match pg_type.oid {
        16 => match fixed::<1>(bytes).ok_or_else(wrong)? {
            [byte] => ScalarValue::Boolean(Some(byte != 0)),
        },
        21 => ScalarValue::Int16(Some(i16::from_be_bytes(fixed(bytes).ok_or_else(wrong)?))),
        23 => ScalarValue::Int32(Some(i32::from_be_bytes(fixed(bytes).ok_or_else(wrong)?))),
        20 => ScalarValue::Int64(Some(i64::from_be_bytes(fixed(bytes).ok_or_else(wrong)?))),
        24 | 26 | 28 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 => {
            let oid = u32::from_be_bytes(fixed(bytes).ok_or_else(wrong)?);
            ScalarValue::Int64(Some(i64::from(oid)))
        }
        700 => ScalarValue::Float32(Some(f32::from_be_bytes(fixed(bytes).ok_or_else(wrong)?))),
        701 => ScalarValue::Float64(Some(f64::from_be_bytes(fixed(bytes).ok_or_else(wrong)?))),
        1700 => binary_numeric(bytes).ok_or_else(wrong)?,
        17 => ScalarValue::BinaryView(Some(bytes.to_vec())),
        2950 => {
            ScalarValue::FixedSizeBinary(16, Some(fixed::<16>(bytes).ok_or_else(wrong)?.to_vec()))
        }
        1082 => {
            let days = i32::from_be_bytes(fixed(bytes).ok_or_else(wrong)?);
            let days = match days {
                i32::MIN | i32::MAX => days,
                _ => days.checked_add(EPOCH_DAYS).ok_or_else(wrong)?,
            };
            ScalarValue::Date32(Some(days))
        }
        1083 => {
            let micros = i64::from_be_bytes(fixed(bytes).ok_or_else(wrong)?);
            ScalarValue::Time64Microsecond(Some(micros))
        }
        1114 | 1184 => {
            let micros = i64::from_be_bytes(fixed(bytes).ok_or_else(wrong)?);
            let micros = match micros {
                i64::MIN | i64::MAX => micros,
                _ => micros.checked_add(EPOCH_MICROS).ok_or_else(wrong)?,
            };
            let zone = (pg_type.oid == 1184).then(|| Arc::from("UTC"));
            ScalarValue::TimestampMicrosecond(Some(micros), zone)
        }
        1186 => {
            let whole: [u8; 16] = fixed(bytes).ok_or_else(wrong)?;
            let micros = i64::from_be_bytes(fixed(&whole[..8]).ok_or_else(wrong)?);
            let days = i32::from_be_bytes(fixed(&whole[8..12]).ok_or_else(wrong)?);
            let months = i32::from_be_bytes(fixed(&whole[12..]).ok_or_else(wrong)?);
            interval(Interval {
                months,
                days,
                micros,
            })?
        }
        3802 => {
            let json = bytes.strip_prefix(&[1]).ok_or_else(wrong)?;
            from_text(utf8(json)?, PgType::JSONB, &OutputStyle::default())?
        }
        _ => match pg_type.element() {
            Some(element) if pg_type.arrow().is_some() => {
                binary_array(bytes, element, number)?.ok_or_else(wrong)?
            }
            _ => from_text(utf8(bytes)?, PgType::TEXT, &OutputStyle::default())?,
        },
    })
}

const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// numeric_recv: digit count, weight, sign, display scale, base-10000 digits.
fn binary_numeric(bytes: &[u8]) -> Option<ScalarValue> {
    let word = |at: usize| -> Option<u16> {
        bytes
            .get(at..at + 2)
            .and_then(fixed::<2>)
            .map(u16::from_be_bytes)
    };
    let count = usize::from(word(0)?);
    // two's complement
    let weight = i32::from(word(2)? as i16);
    let negative = match word(4)? {
        0 => false,
        0x4000 => true,
        // NaN and the infinities have no decimal
        _ => return None,
    };
    let scale = i32::from(word(6)?);
    if bytes.len() != 8 + count * 2 || scale > 16_383 {
        return None;
    }
    let mut digits = String::with_capacity(count * 4);
    for position in 0..count {
        let group = word(8 + position * 2)?;
        if group > 9999 {
            return None;
        }
        digits.push_str(&format!("{group:04}"));
    }
    // the digits end at this decimal place; bring them to the display scale
    let mut at = (i32::try_from(count).ok()? - 1 - weight) * 4;
    while at > scale && digits.ends_with('0') {
        digits.pop();
        at -= 1;
    }
    if at < scale && scale - at <= 80 {
        digits.extend(std::iter::repeat_n('0', usize::try_from(scale - at).ok()?));
        at = scale;
    }
    decimal(negative, &digits, at)
}

/// array_recv; `None`: malformed.
fn binary_array(bytes: &[u8], element: PgType, number: usize) -> Result<Option<ScalarValue>> {
    let mut at = 0;
    let mut word = || -> Option<i32> {
        let bytes = bytes.get(at..at + 4).and_then(fixed::<4>)?;
        at += 4;
        Some(i32::from_be_bytes(bytes))
    };
    let (Some(dimensions), Some(_), Some(declared)) = (word(), word(), word()) else {
        return Ok(None);
    };
    if u32::try_from(declared).ok() != Some(element.oid) {
        return Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "binary data has array element type {declared} instead of expected {}",
                element.oid
            ),
        ));
    }
    let length = match dimensions {
        0 => return list(Vec::new(), element).map(Some),
        1 => word(),
        _ => {
            return Err(Error::unsupported(
                "arrays of more than one dimension are not supported",
            ));
        }
    };
    let (Some(length), Some(_)) = (length, word()) else {
        return Ok(None);
    };
    let mut values = Vec::new();
    for _ in 0..length {
        let Some(size) = bytes
            .get(at..at + 4)
            .and_then(fixed::<4>)
            .map(i32::from_be_bytes)
        else {
            return Ok(None);
        };
        at += 4;
        if size == -1 {
            values.push(null(element)?);
            continue;
        }
        let Some(value) = usize::try_from(size)
            .ok()
            .and_then(|size| bytes.get(at..at + size))
        else {
            return Ok(None);
        };
        at += value.len();
        values.push(from_binary(value, element, number)?);
    }
    if at != bytes.len() {
        return Ok(None);
    }
    list(values, element).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str, pg_type: PgType) -> Result<ScalarValue> {
        decode(
            Some(value.as_bytes()),
            pg_type,
            Format::Text,
            &OutputStyle::default(),
            1,
        )
    }

    #[test]
    fn wrong_text_is_named_as_postgres_names_it() {
        for (value, pg_type, state, message) in [
            (
                "abc",
                PgType::INT4,
                "22P02",
                "invalid input syntax for type integer: \"abc\"",
            ),
            (
                "",
                PgType::INT8,
                "22P02",
                "invalid input syntax for type bigint: \"\"",
            ),
            (
                "99999",
                PgType::INT2,
                "22003",
                "value \"99999\" is out of range for type smallint",
            ),
            (
                "x",
                PgType::BOOL,
                "22P02",
                "invalid input syntax for type boolean: \"x\"",
            ),
            (
                "1e400",
                PgType::FLOAT8,
                "22003",
                "\"1e400\" is out of range for type double precision",
            ),
            (
                "1.2.3",
                PgType::NUMERIC,
                "22P02",
                "invalid input syntax for type numeric: \"1.2.3\"",
            ),
            (
                "zz",
                PgType::UUID,
                "22P02",
                "invalid input syntax for type uuid: \"zz\"",
            ),
            (
                "soon",
                PgType::DATE,
                "22007",
                "invalid input syntax for type date: \"soon\"",
            ),
            (
                "2023-02-30",
                PgType::DATE,
                "22008",
                "date/time field value out of range: \"2023-02-30\"",
            ),
            (
                "{1,2",
                PgType::INT4.array(),
                "22P02",
                "malformed array literal: \"{1,2\"",
            ),
            (
                "{",
                PgType::JSONB,
                "22P02",
                "invalid input syntax for type json: \"{\"",
            ),
        ] {
            let error = text(value, pg_type).expect_err(value);
            assert_eq!((error.state().code(), error.message()), (state, message));
        }
    }

    #[test]
    fn values_are_read() {
        let decimal = |value: i128, scale: i8| ScalarValue::Decimal128(Some(value), 38, scale);
        for (value, pg_type, expected) in [
            (" 42 ", PgType::INT4, ScalarValue::Int32(Some(42))),
            ("TRUE", PgType::BOOL, ScalarValue::Boolean(Some(true))),
            ("-1.50", PgType::NUMERIC, decimal(-150, 2)),
            ("1e3", PgType::NUMERIC, decimal(1000, 0)),
            ("1.5e-3", PgType::NUMERIC, decimal(15, 4)),
            ("0", PgType::NUMERIC, decimal(0, 0)),
            ("-1", PgType::OID, ScalarValue::Int64(Some(4_294_967_295))),
            ("1970-01-02", PgType::DATE, ScalarValue::Date32(Some(1))),
            ("x", PgType::TEXT, ScalarValue::Utf8View(Some("x".into()))),
            (
                "-Infinity",
                PgType::FLOAT8,
                ScalarValue::Float64(Some(f64::NEG_INFINITY)),
            ),
        ] {
            assert_eq!(text(value, pg_type).expect(value), expected, "{value}");
        }
        let list = text("{1,NULL,3}", PgType::INT4.array()).expect("an array");
        assert_eq!(list.to_string(), "[1, , 3]");
    }

    #[test]
    fn binary_values_are_checked() {
        let binary = |bytes: &[u8], pg_type| {
            decode(
                Some(bytes),
                pg_type,
                Format::Binary,
                &OutputStyle::default(),
                1,
            )
        };
        assert_eq!(
            binary(&[0, 0, 0, 7], PgType::INT4).expect("valid"),
            ScalarValue::Int32(Some(7))
        );
        assert_eq!(
            binary(
                &[0, 2, 0, 0, 0x40, 0, 0, 2, 0, 123, 0x11, 0x94],
                PgType::NUMERIC
            )
            .expect("valid"),
            ScalarValue::Decimal128(Some(-12345), 38, 2)
        );
        for (bytes, pg_type) in [
            (&[0u8, 0, 7][..], PgType::INT4),
            (&[0, 1, 0, 0], PgType::NUMERIC),
            (&[0, 0, 0, 0, 0xc0, 0, 0, 0], PgType::NUMERIC),
            (&[1; 15], PgType::UUID),
            (&[2, b'{', b'}'], PgType::JSONB),
            (
                &[
                    0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1,
                ],
                PgType::INT4.array(),
            ),
        ] {
            let error = binary(bytes, pg_type).expect_err("malformed");
            assert_eq!(error.state(), SqlState::INVALID_BINARY_REPRESENTATION);
        }
        assert_eq!(
            binary(&[0xff], PgType::TEXT)
                .expect_err("not UTF-8")
                .state(),
            SqlState::CHARACTER_NOT_IN_REPERTOIRE
        );
    }
}
