//! Parameters in binary format, as Postgres's receive functions read them.

use std::sync::Arc;

use datafusion::scalar::ScalarValue;

use super::numeric::binary_numeric;
use super::text::{from_text, interval};
use super::{list, null};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;
use crate::types::text::{Interval, OutputStyle};
use crate::wire::frontend::utf8;

const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

pub(super) fn from_binary(bytes: &[u8], pg_type: PgType, number: usize) -> Result<ScalarValue> {
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

pub(super) fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}
