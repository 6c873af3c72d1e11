//! Text → values, with the spellings that Postgres accepts and its errors
//! (22P02, 22003). Dates and intervals are read by their own files.

use super::calendar::Zone;
use super::functions::json;
use super::numeric::{self, Numeric};
use super::typed::type_name;
use super::value::{self, Value, out_of_range};
use super::{interval_in, timestamp_in};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// What reading some types depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) zone: Zone,
    /// The start of the transaction, in microseconds since 1970.
    pub(super) now: i64,
}

/// Reads the text of a type. The modifier of the type is applied by the caller.
pub(super) fn parse(text: &str, pg_type: PgType, context: Context) -> Result<Value> {
    let bad = || invalid(pg_type, text);
    Ok(match pg_type.oid {
        16 => Value::Bool(boolean(text).ok_or_else(bad)?),
        20 | 21 | 23 => Value::Int(integer(text, pg_type)?),
        24 | 26 | 28 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 => {
            Value::Int(integer(text, PgType::new(PgType::INT8.oid, -1)).map_err(|_| bad())?)
        }
        700 => Value::Float4(float4(text)?),
        701 => Value::Float8(float8(text)?),
        1700 => Value::Numeric(numeric(text)?),
        17 => Value::Bytes(bytea(text)?),
        1082 => Value::Date(timestamp_in::date(text, context)?),
        1083 => Value::Time(timestamp_in::time(text)?),
        1114 => Value::Timestamp(timestamp_in::timestamp(text, context)?),
        1184 => Value::TimestampTz(timestamp_in::timestamptz(text, context)?),
        1186 => Value::Interval(interval_in::parse(text)?),
        2950 => Value::Uuid(uuid(text).ok_or_else(bad)?),
        114 => {
            json::check(text)?;
            Value::Text(text.to_string())
        }
        3802 => Value::Text(json::jsonb_text(text)?),
        _ => match pg_type.element() {
            Some(element) => Value::List(array(text, element, context)?),
            None => Value::Text(text.to_string()),
        },
    })
}

/// 22P02 in Postgres's words.
pub(super) fn invalid(pg_type: PgType, text: &str) -> Error {
    Error::new(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!(
            "invalid input syntax for type {}: \"{text}\"",
            type_name(pg_type)
        ),
    )
}

fn too_large(text: &str, pg_type: PgType) -> Error {
    let name = type_name(pg_type);
    let what = match pg_type.oid {
        700 | 701 => format!("\"{text}\" is out of range for type {name}"),
        _ => format!("value \"{text}\" is out of range for type {name}"),
    };
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, what)
}

fn boolean(text: &str) -> Option<bool> {
    let word = text.trim().to_ascii_lowercase();
    if word.is_empty() {
        return None;
    }
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if begins("true", 1) || begins("yes", 1) || word == "on" || word == "1" {
        Some(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0" {
        Some(false)
    } else {
        None
    }
}

fn integer(text: &str, pg_type: PgType) -> Result<i64> {
    let trimmed = text.trim_matches(is_space);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(pg_type, text));
    }
    let in_range = |value: &i64| match pg_type.oid {
        21 => i16::try_from(*value).is_ok(),
        23 => i32::try_from(*value).is_ok(),
        _ => true,
    };
    trimmed
        .parse::<i64>()
        .ok()
        .filter(in_range)
        .ok_or_else(|| too_large(text, pg_type))
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

fn float_word(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    Some(match lower.as_str() {
        "nan" => f64::NAN,
        "infinity" | "+infinity" | "inf" | "+inf" => f64::INFINITY,
        "-infinity" | "-inf" => f64::NEG_INFINITY,
        _ => return None,
    })
}

fn looks_like_number(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
}

fn float8(text: &str) -> Result<f64> {
    let trimmed = text.trim_matches(is_space);
    if let Some(word) = float_word(trimmed) {
        return Ok(word);
    }
    let value: f64 = Some(trimmed)
        .filter(|text| looks_like_number(text))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| invalid(PgType::FLOAT8, text))?;
    let lost = value == 0.0 && has_nonzero_digit(trimmed);
    if value.is_infinite() || lost {
        return Err(too_large(text, PgType::FLOAT8));
    }
    Ok(value)
}

fn float4(text: &str) -> Result<f32> {
    let trimmed = text.trim_matches(is_space);
    if let Some(word) = float_word(trimmed) {
        return Ok(word as f32);
    }
    let value: f32 = Some(trimmed)
        .filter(|text| looks_like_number(text))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| invalid(PgType::FLOAT4, text))?;
    let lost = value == 0.0 && has_nonzero_digit(trimmed);
    if value.is_infinite() || lost {
        return Err(too_large(text, PgType::FLOAT4));
    }
    Ok(value)
}

fn has_nonzero_digit(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'))
}

fn numeric(text: &str) -> Result<Numeric> {
    let trimmed = text.trim_matches(is_space);
    if float_word(trimmed).is_some() {
        return Err(Error::unsupported(
            "NaN and infinity are not supported in numeric values here",
        ));
    }
    Some(trimmed)
        .filter(|text| looks_like_number(text))
        .and_then(Numeric::parse)
        .ok_or_else(|| invalid(PgType::NUMERIC, text))
}

/// Hex (`\x1f`) and escape (`\\`, `\037`) forms.
fn bytea(text: &str) -> Result<Vec<u8>> {
    if let Some(digits) = text.strip_prefix("\\x") {
        return from_hex(digits);
    }
    let bad = || {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type bytea",
        )
    };
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte != b'\\' {
            out.push(*byte);
            at += 1;
            continue;
        }
        match bytes.get(at + 1..) {
            Some([b'\\', ..]) => {
                out.push(b'\\');
                at += 2;
            }
            Some([a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                at += 4;
            }
            _ => return Err(bad()),
        }
    }
    Ok(out)
}

/// Pairs of digits, with spaces allowed between pairs.
pub(super) fn from_hex(digits: &str) -> Result<Vec<u8>> {
    let wrong = |message: String| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut out = Vec::with_capacity(digits.len() / 2);
    let mut high: Option<u32> = None;
    for c in digits.chars() {
        if high.is_none() && is_space(c) {
            continue;
        }
        let digit = c
            .to_digit(16)
            .ok_or_else(|| wrong(format!("invalid hexadecimal digit: \"{c}\"")))?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push((high * 16 + digit) as u8),
        }
    }
    match high {
        None => Ok(out),
        Some(_) => Err(wrong(
            "invalid hexadecimal data: odd number of digits".into(),
        )),
    }
}

/// Upper or lower case, braces, and hyphens after any group of four digits.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut digits = Vec::with_capacity(32);
    for c in inner.chars() {
        match c.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if c == '-' && digits.len() % 4 == 0 && !digits.is_empty() => {}
            None => return None,
        }
    }
    if digits.len() != 32 || inner.ends_with('-') {
        return None;
    }
    let mut bytes = [0u8; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] * 16 + pair[1];
    }
    Some(bytes)
}

/// One dimension: `{1,NULL,"a b"}`.
fn array(text: &str, element: PgType, context: Context) -> Result<Vec<Value>> {
    let malformed = |detail: &str| {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("malformed array literal: \"{text}\""),
        )
        .with_detail(detail.to_string())
    };
    let trimmed = text.trim_matches(is_space);
    let Some(inner) = trimmed.strip_prefix('{') else {
        return Err(malformed(
            "Array value must start with \"{\" or dimension information.",
        ));
    };
    let mut chars = inner.chars().peekable();
    let mut items = Vec::new();
    loop {
        while chars.next_if(|c| is_space(*c)).is_some() {}
        let mut item = String::new();
        let mut quoted = false;
        let end = loop {
            match chars.next() {
                None => return Err(malformed("Unexpected end of input.")),
                Some('{') => {
                    return Err(Error::unsupported(
                        "arrays of more than one dimension are not supported here",
                    ));
                }
                Some('"') => {
                    quoted = true;
                    loop {
                        match chars.next() {
                            None => return Err(malformed("Unexpected end of input.")),
                            Some('"') => break,
                            Some('\\') => item.extend(chars.next()),
                            Some(c) => item.push(c),
                        }
                    }
                }
                Some('\\') => item.extend(chars.next()),
                Some(c @ (',' | '}')) => break c,
                Some(c) => item.push(c),
            }
        };
        if !quoted {
            item.truncate(item.trim_end_matches(is_space).len());
        }
        if !quoted && item.is_empty() {
            if end == '}' && items.is_empty() {
                break;
            }
            return Err(malformed(&format!("Unexpected \"{end}\" character.")));
        }
        items.push(if !quoted && item.eq_ignore_ascii_case("null") {
            Value::Null
        } else {
            parse(&item, element, context)?
        });
        if end == '}' {
            break;
        }
    }
    if chars.any(|c| !is_space(c)) {
        return Err(malformed("Junk after closing right brace."));
    }
    Ok(items)
}

/// Applies a modifier as an explicit cast does: text is cut, numerics round.
pub(super) fn with_modifier(value: Value, pg_type: PgType) -> Result<Value> {
    Ok(match value {
        Value::Text(text) if pg_type.oid == PgType::BPCHAR.oid => {
            let cut = cut(&text, pg_type.typmod);
            Value::Text(cut.trim_end_matches(' ').to_string())
        }
        Value::Text(text) if pg_type.oid == PgType::VARCHAR.oid => {
            Value::Text(cut(&text, pg_type.typmod).to_string())
        }
        Value::Text(text) if pg_type.oid == PgType::CHAR.oid => {
            Value::Text(text.chars().take(1).collect())
        }
        Value::Text(text) if pg_type.oid == PgType::NAME.oid => {
            let mut end = text.len().min(63);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            Value::Text(text[..end].to_string())
        }
        Value::Numeric(number) => match pg_type.numeric_precision() {
            None => Value::Numeric(number),
            Some((precision, scale)) => {
                let rounded = number.round(scale);
                let whole = u32::try_from(precision - scale).unwrap_or(0);
                let bound = Numeric::new(numeric::power_of_ten(whole), 0);
                if rounded.abs().compare(&bound).is_ge() {
                    let precision = u8::try_from(precision).unwrap_or(u8::MAX);
                    let scale = u32::try_from(scale).unwrap_or(0);
                    return Err(value::numeric_field_overflow(precision, scale));
                }
                Value::Numeric(rounded)
            }
        },
        Value::Int(value) => {
            let (fits, name) = match pg_type.oid {
                21 => (i16::try_from(value).is_ok(), "smallint"),
                23 => (i32::try_from(value).is_ok(), "integer"),
                _ => (true, ""),
            };
            if !fits {
                return Err(out_of_range(name));
            }
            Value::Int(value)
        }
        other => other,
    })
}

/// The first characters that varchar(n) or char(n) holds.
fn cut(text: &str, typmod: i32) -> &str {
    match usize::try_from(typmod - 4) {
        Ok(length) => text
            .char_indices()
            .nth(length)
            .map_or(text, |(at, _)| &text[..at]),
        Err(_) => text,
    }
}
