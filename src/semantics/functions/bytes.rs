//! bytea functions, digests and encodings (section 9.5 of the manual).

use datafusion::functions::crypto;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Cast;

use super::arithmetic::misfit;
use super::{Call, Overload, engine, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::text_in::from_hex;
use crate::semantics::text_out;
use crate::semantics::typed::field_of;
use crate::semantics::value::Value;
use crate::types::PgType;

const TEXT: PgType = PgType::TEXT;
const BYTEA: PgType = PgType::BYTEA;
const INT4: PgType = PgType::INT4;

pub(super) const FUNCTIONS: &[Overload] = &[
    engine("md5", &[TEXT], TEXT, |_, args| Ok(crypto::md5().call(args))),
    engine(
        "md5",
        &[BYTEA],
        TEXT,
        |_, args| Ok(crypto::md5().call(args)),
    ),
    engine("sha224", &[BYTEA], BYTEA, |_, args| {
        Ok(bytes(crypto::sha224().call(args)))
    }),
    engine("sha256", &[BYTEA], BYTEA, |_, args| {
        Ok(bytes(crypto::sha256().call(args)))
    }),
    engine("sha384", &[BYTEA], BYTEA, |_, args| {
        Ok(bytes(crypto::sha384().call(args)))
    }),
    engine("sha512", &[BYTEA], BYTEA, |_, args| {
        Ok(bytes(crypto::sha512().call(args)))
    }),
    strict("||", &[BYTEA, BYTEA], BYTEA, |_, row| match row {
        [Value::Bytes(a), Value::Bytes(b)] => Ok(Value::Bytes([a.as_slice(), b].concat())),
        _ => Err(misfit()),
    }),
    strict("length", &[BYTEA], INT4, length),
    strict("octet_length", &[BYTEA], INT4, length),
    strict("substring", &[BYTEA, INT4], BYTEA, substring),
    strict("substring", &[BYTEA, INT4, INT4], BYTEA, substring),
    strict("substr", &[BYTEA, INT4], BYTEA, substring),
    strict("substr", &[BYTEA, INT4, INT4], BYTEA, substring),
    strict("get_byte", &[BYTEA, INT4], INT4, |_, row| match row {
        [Value::Bytes(bytes), Value::Int(at)] => usize::try_from(*at)
            .ok()
            .and_then(|at| bytes.get(at))
            .map(|byte| Value::Int((*byte).into()))
            .ok_or_else(|| {
                Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    format!(
                        "index {at} out of valid range, 0..{}",
                        bytes.len() as i64 - 1
                    ),
                )
            }),
        _ => Err(misfit()),
    }),
    strict("encode", &[BYTEA, TEXT], TEXT, |_, row| match row {
        [Value::Bytes(bytes), Value::Text(format)] => encode(bytes, format),
        _ => Err(misfit()),
    }),
    strict("decode", &[TEXT, TEXT], BYTEA, |_, row| match row {
        [Value::Text(text), Value::Text(format)] => decode(text, format),
        _ => Err(misfit()),
    }),
    strict("convert_to", &[TEXT, TEXT], BYTEA, |_, row| match row {
        [Value::Text(text), Value::Text(encoding)] => {
            utf8_only(encoding)?;
            Ok(Value::Bytes(text.clone().into_bytes()))
        }
        _ => Err(misfit()),
    }),
    strict("convert_from", &[BYTEA, TEXT], TEXT, |_, row| match row {
        [Value::Bytes(bytes), Value::Text(encoding)] => {
            utf8_only(encoding)?;
            String::from_utf8(bytes.clone())
                .map(Value::Text)
                .map_err(|error| {
                    let at = error.utf8_error().valid_up_to();
                    let bad = bytes.get(at).copied().unwrap_or_default();
                    Error::new(
                        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                        format!("invalid byte sequence for encoding \"UTF8\": 0x{bad:02x}"),
                    )
                })
        }
        _ => Err(misfit()),
    }),
    strict("gen_random_uuid", &[], PgType::UUID, |_, _| {
        Ok(Value::Uuid(random_uuid()))
    })
    .volatile(),
];

fn bytes(expr: Expr) -> Expr {
    Expr::Cast(Cast::new_from_field(Box::new(expr), field_of(BYTEA, "")))
}

fn random_uuid() -> [u8; 16] {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

fn utf8_only(encoding: &str) -> Result<()> {
    let plain: String = encoding
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    match plain.as_str() {
        "utf8" | "unicode" => Ok(()),
        _ => Err(Error::unsupported(format!(
            "encoding \"{encoding}\" is not supported here"
        ))),
    }
}

fn length(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [Value::Bytes(bytes)] => Ok(Value::Int(bytes.len() as i64)),
        _ => Err(misfit()),
    }
}

fn substring(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (bytes, start, end) = match row {
        [Value::Bytes(bytes), Value::Int(start)] => (bytes, *start, i64::MAX),
        [Value::Bytes(bytes), Value::Int(start), Value::Int(count)] => {
            if *count < 0 {
                return Err(Error::new(
                    SqlState::SUBSTRING_ERROR,
                    "negative substring length not allowed",
                ));
            }
            (bytes, *start, start + count)
        }
        _ => return Err(misfit()),
    };
    let length = bytes.len() as i64;
    let from = (start.max(1) - 1).min(length) as usize;
    let to = (end.max(1) - 1).min(length) as usize;
    Ok(Value::Bytes(
        bytes.get(from..to.max(from)).unwrap_or_default().to_vec(),
    ))
}

fn unknown_encoding(format: &str) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("unrecognized encoding: \"{format}\""),
    )
}

fn encode(bytes: &[u8], format: &str) -> Result<Value> {
    Ok(Value::Text(match format.to_ascii_lowercase().as_str() {
        "hex" => text_out::hex(bytes).split_off(2),
        "base64" => base64(bytes),
        "escape" => bytes
            .iter()
            .map(|byte| match byte {
                0 | 0x80.. => format!("\\{byte:03o}"),
                b'\\' => "\\\\".into(),
                byte => char::from(*byte).to_string(),
            })
            .collect(),
        _ => return Err(unknown_encoding(format)),
    }))
}

fn decode(text: &str, format: &str) -> Result<Value> {
    Ok(Value::Bytes(match format.to_ascii_lowercase().as_str() {
        "hex" => from_hex(text)?,
        "base64" => from_base64(text)?,
        "escape" => {
            let escaped = crate::semantics::text_in::Context {
                zone: crate::semantics::calendar::Zone::Fixed(0),
                now: 0,
            };
            // a leading \x is no hex form here
            let text = text.replacen("\\x", "\\\\x", usize::from(text.starts_with("\\x")));
            return crate::semantics::text_in::parse(&text, BYTEA, escaped);
        }
        _ => return Err(unknown_encoding(format)),
    }))
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Lines of 76 characters, as RFC 2045 has them.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for (index, chunk) in bytes.chunks(3).enumerate() {
        if index > 0 && index % 19 == 0 {
            out.push('\n');
        }
        let at = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            if position <= chunk.len() {
                let digit = (group >> (18 - 6 * position) & 63) as usize;
                out.push(char::from(DIGITS[digit]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn from_base64(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut count, mut ended) = (0u32, 0, false);
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        if c == '=' {
            ended = true;
            continue;
        }
        let digit = DIGITS.iter().position(|digit| char::from(*digit) == c);
        let Some(digit) = digit.filter(|_| !ended) else {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("invalid symbol \"{c}\" found while decoding base64 sequence"),
            ));
        };
        group = group << 6 | digit as u32;
        count += 1;
        if count == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, count) = (0, 0);
        }
    }
    match count {
        0 => Ok(out),
        2 => {
            out.push((group >> 4) as u8);
            Ok(out)
        }
        3 => {
            out.extend_from_slice(&((group >> 2) as u16).to_be_bytes());
            Ok(out)
        }
        _ => Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "invalid base64 end sequence",
        )
        .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted.")),
    }
}
