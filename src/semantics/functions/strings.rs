//! String functions (section 9.4 of the manual). Positions and lengths count
//! characters from 1.

mod format;

use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::functions::{string, unicode};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Cast;

use super::arithmetic::misfit;
use super::{ANY, Call, Overload, call_of, engine, strict};
use crate::error::{Error, Result, SqlState};
use crate::names::quote_identifier;
use crate::semantics::text_out;
use crate::semantics::typed::field_of;
use crate::semantics::value::Value;
use crate::types::PgType;
use format::format;

const TEXT: PgType = PgType::TEXT;
const INT4: PgType = PgType::INT4;
const INT8: PgType = PgType::INT8;
const BOOL: PgType = PgType::BOOL;

macro_rules! text {
    ($name:literal, $body:expr) => {
        strict($name, &[TEXT], TEXT, |_, row| match row {
            [Value::Text(text)] => {
                let body: fn(&str) -> String = $body;
                Ok(Value::Text(body(text)))
            }
            _ => Err(misfit()),
        })
    };
}

macro_rules! text_count {
    ($name:literal, $body:expr) => {
        strict($name, &[TEXT, INT4], TEXT, |_, row| match row {
            [Value::Text(text), Value::Int(count)] => {
                let body: fn(&str, i64) -> Result<String> = $body;
                Ok(Value::Text(body(text, *count)?))
            }
            _ => Err(misfit()),
        })
    };
}

macro_rules! text_text {
    ($name:literal, $body:expr) => {
        strict($name, &[TEXT, TEXT], TEXT, |_, row| match row {
            [Value::Text(text), Value::Text(other)] => {
                let body: fn(&str, &str) -> String = $body;
                Ok(Value::Text(body(text, other)))
            }
            _ => Err(misfit()),
        })
    };
}

pub(super) const FUNCTIONS: &[Overload] = &[
    engine("lower", &[TEXT], TEXT, |_, args| {
        Ok(string::lower().call(args))
    }),
    engine("upper", &[TEXT], TEXT, |_, args| {
        Ok(string::upper().call(args))
    }),
    engine("length", &[TEXT], INT4, length),
    engine("char_length", &[TEXT], INT4, length),
    engine("character_length", &[TEXT], INT4, length),
    engine("octet_length", &[TEXT], INT4, |_, args| {
        Ok(int4(string::octet_length().call(args)))
    }),
    engine("bit_length", &[TEXT], INT4, |_, args| {
        Ok(int4(string::bit_length().call(args)))
    }),
    engine("strpos", &[TEXT, TEXT], INT4, |_, args| {
        Ok(int4(unicode::strpos().call(args)))
    }),
    engine("starts_with", &[TEXT, TEXT], BOOL, |_, args| {
        Ok(string::starts_with().call(args))
    }),
    engine("substr", &[TEXT, INT4], TEXT, substring),
    engine("substr", &[TEXT, INT4, INT4], TEXT, substring),
    engine("substring", &[TEXT, INT4], TEXT, substring),
    engine("substring", &[TEXT, INT4, INT4], TEXT, substring),
    strict("text_substr", &[TEXT, INT4], TEXT, text_substr),
    strict("text_substr", &[TEXT, INT4, INT4], TEXT, text_substr),
    text_count!("left", |text, count| Ok(left(text, count))),
    text_count!("right", |text, count| Ok(right(text, count))),
    text_count!("repeat", |text, count| {
        let count = usize::try_from(count).unwrap_or(0);
        match text.len().checked_mul(count) {
            Some(length) if length <= MAX_TEXT => Ok(text.repeat(count)),
            _ => Err(too_long()),
        }
    }),
    text_count!("lpad", |text, count| pad(text, count, " ", Side::Left)),
    text_count!("rpad", |text, count| pad(text, count, " ", Side::Right)),
    strict("lpad", &[TEXT, INT4, TEXT], TEXT, |_, row| match row {
        [Value::Text(text), Value::Int(count), Value::Text(fill)] => {
            Ok(Value::Text(pad(text, *count, fill, Side::Left)?))
        }
        _ => Err(misfit()),
    }),
    strict("rpad", &[TEXT, INT4, TEXT], TEXT, |_, row| match row {
        [Value::Text(text), Value::Int(count), Value::Text(fill)] => {
            Ok(Value::Text(pad(text, *count, fill, Side::Right)?))
        }
        _ => Err(misfit()),
    }),
    text!("btrim", |text| text.trim_matches(' ').to_string()),
    text!("trim", |text| text.trim_matches(' ').to_string()),
    text!("ltrim", |text| text.trim_start_matches(' ').to_string()),
    text!("rtrim", |text| text.trim_end_matches(' ').to_string()),
    text_text!("btrim", |text, set| text
        .trim_matches(|c| set.contains(c))
        .to_string()),
    text_text!("ltrim", |text, set| text
        .trim_start_matches(|c| set.contains(c))
        .to_string()),
    text_text!("rtrim", |text, set| text
        .trim_end_matches(|c| set.contains(c))
        .to_string()),
    text!("reverse", |text| text.chars().rev().collect()),
    text!("initcap", initcap),
    strict("replace", &[TEXT, TEXT, TEXT], TEXT, |_, row| match row {
        [Value::Text(text), Value::Text(from), Value::Text(to)] => {
            Ok(Value::Text(if from.is_empty() {
                text.clone()
            } else {
                text.replace(from.as_str(), to)
            }))
        }
        _ => Err(misfit()),
    }),
    strict("translate", &[TEXT, TEXT, TEXT], TEXT, |_, row| match row {
        [Value::Text(text), Value::Text(from), Value::Text(to)] => {
            Ok(Value::Text(translate(text, from, to)))
        }
        _ => Err(misfit()),
    }),
    strict(
        "split_part",
        &[TEXT, TEXT, INT4],
        TEXT,
        |_, row| match row {
            [Value::Text(text), Value::Text(delimiter), Value::Int(field)] => {
                split_part(text, delimiter, *field)
            }
            _ => Err(misfit()),
        },
    ),
    strict("overlay", &[TEXT, TEXT, INT4], TEXT, overlay),
    strict("overlay", &[TEXT, TEXT, INT4, INT4], TEXT, overlay),
    strict("ascii", &[TEXT], INT4, |_, row| match row {
        [Value::Text(text)] => Ok(Value::Int(
            text.chars().next().map_or(0, |c| i64::from(u32::from(c))),
        )),
        _ => Err(misfit()),
    }),
    strict("chr", &[INT4], TEXT, |_, row| match row {
        [Value::Int(code)] => chr(*code),
        _ => Err(misfit()),
    }),
    strict("to_hex", &[INT4], TEXT, |_, row| match row {
        [Value::Int(number)] => Ok(Value::Text(format!("{:x}", *number as i32))),
        _ => Err(misfit()),
    }),
    strict("to_hex", &[INT8], TEXT, |_, row| match row {
        [Value::Int(number)] => Ok(Value::Text(format!("{number:x}"))),
        _ => Err(misfit()),
    }),
    strict("concat", &[ANY], TEXT, |call, row| {
        Ok(Value::Text(
            row.iter()
                .enumerate()
                .filter_map(|(index, value)| output(call, index, value))
                .collect(),
        ))
    })
    .nullable()
    .variadic(),
    strict("concat_ws", &[TEXT, ANY], TEXT, |call, row| match row {
        [Value::Text(separator), rest @ ..] => {
            let parts: Vec<String> = rest
                .iter()
                .enumerate()
                .filter_map(|(index, value)| output(call, index + 1, value))
                .collect();
            Ok(Value::Text(parts.join(separator)))
        }
        _ => Ok(Value::Null),
    })
    .nullable()
    .variadic(),
    strict("format", &[TEXT], TEXT, format).nullable(),
    strict("format", &[TEXT, ANY], TEXT, format)
        .nullable()
        .variadic(),
    text!("quote_literal", quote_literal),
    text!("quote_ident", quote_identifier),
    strict("quote_literal", &[ANY], TEXT, |call, row| {
        let text = row
            .first()
            .and_then(|value| text_out::text(value, call.context.zone));
        Ok(text.map_or(Value::Null, |text| Value::Text(quote_literal(&text))))
    }),
    strict("quote_nullable", &[ANY], TEXT, |call, row| {
        let text = row
            .first()
            .and_then(|value| text_out::text(value, call.context.zone));
        Ok(Value::Text(text.map_or_else(
            || "NULL".into(),
            |text| quote_literal(&text),
        )))
    })
    .nullable(),
];

/// Longer values than Postgres's 1 GB are refused.
const MAX_TEXT: usize = 1 << 30;

fn too_long() -> Error {
    Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "requested length too large",
    )
}

fn int4(expr: Expr) -> Expr {
    Expr::Cast(Cast::new_from_field(Box::new(expr), field_of(INT4, "")))
}

fn length(_: &[PgType], args: Vec<Expr>) -> EngineResult<Expr> {
    Ok(int4(unicode::character_length().call(args)))
}

/// What functions that take any type print: as clients see it, so t and f.
fn output(call: &Call<'_>, index: usize, value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(if *value { "t" } else { "f" }.into()),
        // char(n) prints its padding, which its carrier has not
        Value::Text(text) => {
            let own = call
                .types
                .get(index)
                .filter(|own| own.oid == PgType::BPCHAR.oid);
            let width = own.map_or(0, |own| usize::try_from(own.typmod - 4).unwrap_or(0));
            Some(format!("{text:<width$}"))
        }
        other => text_out::text(other, call.context.zone),
    }
}

/// The engine's substr agrees where the start and the count are not negative.
fn substring(types: &[PgType], args: Vec<Expr>) -> EngineResult<Expr> {
    let at_least = |arg: Option<&Expr>, least: i32| match arg {
        None => true,
        Some(Expr::Literal(ScalarValue::Int32(Some(value)), _)) => *value >= least,
        Some(_) => false,
    };
    if at_least(args.get(1), 1) && at_least(args.get(2), 0) {
        let big = |arg: Expr| Expr::Cast(Cast::new_from_field(Box::new(arg), field_of(INT8, "")));
        let args = args
            .into_iter()
            .enumerate()
            .map(|(index, arg)| if index == 0 { arg } else { big(arg) })
            .collect();
        return Ok(unicode::substr().call(args));
    }
    call_of("text_substr", types.to_vec(), args)
}

fn text_substr(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (text, start, count) = match row {
        [Value::Text(text), Value::Int(start)] => (text, *start, None),
        [Value::Text(text), Value::Int(start), Value::Int(count)] => (text, *start, Some(*count)),
        _ => return Err(misfit()),
    };
    if count.is_some_and(|count| count < 0) {
        return Err(negative_length());
    }
    let end = count.map(|count| start + count);
    let skip = usize::try_from(start - 1).unwrap_or(0);
    let rest = text.chars().skip(skip);
    Ok(Value::Text(match end {
        None => rest.collect(),
        Some(end) => {
            let take = (end - start.max(1)).max(0);
            rest.take(usize::try_from(take).unwrap_or(0)).collect()
        }
    }))
}

fn negative_length() -> Error {
    Error::new(
        SqlState::SUBSTRING_ERROR,
        "negative substring length not allowed",
    )
}

fn left(text: &str, count: i64) -> String {
    let take = match count {
        0.. => count,
        _ => text.chars().count() as i64 + count,
    };
    text.chars()
        .take(usize::try_from(take).unwrap_or(0))
        .collect()
}

fn right(text: &str, count: i64) -> String {
    let length = text.chars().count() as i64;
    let skip = match count {
        0.. => (length - count).max(0),
        _ => -count,
    };
    text.chars()
        .skip(usize::try_from(skip).unwrap_or(usize::MAX))
        .collect()
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

fn pad(text: &str, count: i64, fill: &str, side: Side) -> Result<String> {
    let count = usize::try_from(count).unwrap_or(0);
    if count > MAX_TEXT / 4 {
        return Err(too_long());
    }
    let own: Vec<char> = text.chars().take(count).collect();
    if fill.is_empty() {
        return Ok(own.into_iter().collect());
    }
    let padding = fill.chars().cycle().take(count - own.len());
    Ok(match side {
        Side::Left => padding.chain(own.iter().copied()).collect(),
        Side::Right => own.iter().copied().chain(padding).collect(),
    })
}

fn initcap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric();
    }
    out
}

fn translate(text: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    text.chars()
        .filter_map(|c| match from.chars().position(|known| known == c) {
            Some(at) => to.get(at).copied(),
            None => Some(c),
        })
        .collect()
}

fn split_part(text: &str, delimiter: &str, field: i64) -> Result<Value> {
    if field == 0 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "field position must not be zero",
        ));
    }
    let parts: Vec<&str> = match (text.is_empty(), delimiter.is_empty()) {
        (true, _) => vec![],
        (_, true) => vec![text],
        _ => text.split(delimiter).collect(),
    };
    let at = match field {
        1.. => usize::try_from(field - 1).ok(),
        _ => usize::try_from(parts.len() as i64 + field).ok(),
    };
    let part = at.and_then(|at| parts.get(at)).copied().unwrap_or("");
    Ok(Value::Text(part.to_string()))
}

fn overlay(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (text, new, start, count) = match row {
        [Value::Text(text), Value::Text(new), Value::Int(start)] => {
            (text, new, *start, new.chars().count() as i64)
        }
        [
            Value::Text(text),
            Value::Text(new),
            Value::Int(start),
            Value::Int(count),
        ] => (text, new, *start, *count),
        _ => return Err(misfit()),
    };
    if start <= 0 {
        return Err(negative_length());
    }
    let before = text.chars().take(usize::try_from(start - 1).unwrap_or(0));
    let after = text
        .chars()
        .skip(usize::try_from(start - 1 + count).unwrap_or(0));
    Ok(Value::Text(
        before.chain(new.chars()).chain(after).collect(),
    ))
}

fn chr(code: i64) -> Result<Value> {
    if code == 0 {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "null character not permitted",
        ));
    }
    if code < 0 {
        return Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "character number must be positive",
        ));
    }
    match u32::try_from(code).ok().and_then(char::from_u32) {
        Some(c) => Ok(Value::Text(c.to_string())),
        None => Err(Error::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("requested character not valid for encoding: {code}"),
        )),
    }
}

fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match doubled.contains('\\') {
        true => format!("E'{}'", doubled.replace('\\', "\\\\")),
        false => format!("'{doubled}'"),
    }
}
