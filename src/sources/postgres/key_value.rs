//! One join key as Postgres reads it in binary, and as SQL for the ends of a
//! range: the reverse of `decode`, for the types whose equality is the same here
//! and there. Called by `keys`.

use datafusion::scalar::ScalarValue;
use tokio_postgres::types::Type;

const DAYS_TO_2000: i32 = 10_957;
const MICROSECONDS_TO_2000: i64 = 946_684_800_000_000;

/// The type that keys for a column of this type are sent as.
pub(super) fn key_type(column: u32) -> Option<Type> {
    Some(match Type::from_oid(column)? {
        // text's operators are varchar's
        Type::VARCHAR => Type::TEXT,
        sent @ (Type::INT2
        | Type::INT4
        | Type::INT8
        | Type::UUID
        | Type::DATE
        | Type::TIMESTAMP
        | Type::TIMESTAMPTZ
        | Type::NUMERIC
        | Type::TEXT) => sent,
        _ => return None,
    })
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Encoded {
    Value(Vec<u8>),
    /// No value of the column can be equal to it.
    Matchless,
    /// It cannot be written in the column's type.
    Unknown,
}

pub(super) fn encode(value: &ScalarValue, sent: &Type) -> Encoded {
    if value.is_null() {
        return Encoded::Matchless;
    }
    let fitting = |bytes: Option<Vec<u8>>| bytes.map_or(Encoded::Matchless, Encoded::Value);
    match *sent {
        Type::INT2 | Type::INT4 | Type::INT8 => {
            let Some(value) = integer(value) else {
                return Encoded::Unknown;
            };
            fitting(match *sent {
                Type::INT2 => i16::try_from(value).ok().map(|v| v.to_be_bytes().into()),
                Type::INT4 => i32::try_from(value).ok().map(|v| v.to_be_bytes().into()),
                _ => Some(value.to_be_bytes().into()),
            })
        }
        Type::UUID => match value {
            ScalarValue::FixedSizeBinary(16, Some(bytes)) => Encoded::Value(bytes.clone()),
            _ => Encoded::Unknown,
        },
        Type::DATE => match value {
            ScalarValue::Date32(Some(infinity @ (i32::MIN | i32::MAX))) => {
                Encoded::Value(infinity.to_be_bytes().into())
            }
            ScalarValue::Date32(Some(days)) => {
                let days = days.checked_sub(DAYS_TO_2000);
                fitting(days.map(|days| days.to_be_bytes().into()))
            }
            _ => Encoded::Unknown,
        },
        Type::TIMESTAMP | Type::TIMESTAMPTZ => match value {
            ScalarValue::TimestampMicrosecond(Some(time), zone)
                if zone.is_some() == (*sent == Type::TIMESTAMPTZ) =>
            {
                match *time {
                    infinity @ (i64::MIN | i64::MAX) => {
                        Encoded::Value(infinity.to_be_bytes().into())
                    }
                    time => {
                        let time = time.checked_sub(MICROSECONDS_TO_2000);
                        fitting(time.map(|time| time.to_be_bytes().into()))
                    }
                }
            }
            _ => Encoded::Unknown,
        },
        Type::NUMERIC => match value {
            ScalarValue::Decimal128(Some(unscaled), _, scale) => {
                numeric(*unscaled, *scale).map_or(Encoded::Unknown, Encoded::Value)
            }
            _ => Encoded::Unknown,
        },
        Type::TEXT => match value {
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)) => match text.contains('\0') {
                true => Encoded::Matchless,
                false => Encoded::Value(text.clone().into_bytes()),
            },
            _ => Encoded::Unknown,
        },
        _ => Encoded::Unknown,
    }
}

/// Whole numbers and days: what is counted in steps of one.
pub(super) fn step(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Date32(Some(i32::MIN | i32::MAX)) => None,
        ScalarValue::Date32(Some(days)) => Some((*days).into()),
        other => integer(other),
    }
}

/// The end of a range over a column of this type. Not of text: there the order is
/// another one. `None` for values that are not written so.
pub(super) fn literal(value: &ScalarValue, sent: &Type) -> Option<String> {
    match *sent {
        Type::INT2 | Type::INT4 | Type::INT8 => {
            Some(format!("'{}'::pg_catalog.int8", integer(value)?))
        }
        Type::DATE => match value {
            ScalarValue::Date32(Some(_)) => {
                let days = step(value)?;
                Some(format!("('1970-01-01'::pg_catalog.date + {days})"))
            }
            _ => None,
        },
        _ => None,
    }
}

fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int16(Some(value)) => Some((*value).into()),
        ScalarValue::Int32(Some(value)) => Some((*value).into()),
        ScalarValue::Int64(Some(value)) => Some(*value),
        _ => None,
    }
}

/// As `numeric_recv` reads it: count, weight, sign and display scale, then
/// base-10000 digits (src/backend/utils/adt/numeric.c).
fn numeric(unscaled: i128, scale: i8) -> Option<Vec<u8>> {
    let scale = u32::try_from(scale).ok()?;
    // so that the point lies between two digits
    let missing = (4 - scale % 4) % 4;
    let mut rest = unscaled.unsigned_abs().checked_mul(10u128.pow(missing))?;
    let mut digits = Vec::new();
    while rest > 0 {
        digits.push((rest % 10_000) as u16);
        rest /= 10_000;
    }
    let fraction = i16::try_from(scale.div_ceil(4)).ok()?;
    let weight = i16::try_from(digits.len()).ok()? - fraction - 1;
    let sign: u16 = if unscaled < 0 { 0x4000 } else { 0 };
    let mut bytes = Vec::with_capacity(8 + digits.len() * 2);
    bytes.extend(u16::try_from(digits.len()).ok()?.to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend(u16::try_from(scale).ok()?.to_be_bytes());
    for digit in digits.iter().rev() {
        bytes.extend(digit.to_be_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::decode::read_numeric;
    use super::*;

    #[test]
    fn numerics_come_back_as_they_were() {
        for (unscaled, scale) in [
            (0, 0),
            (0, 2),
            (1, 0),
            (-1, 4),
            (12_345_678, 3),
            (-99_999_999, 2),
            (10_000, 4),
            (7, 9),
            (10i128.pow(33), 5),
        ] {
            let bytes = numeric(unscaled, scale).expect("small enough");
            let read = read_numeric(&bytes, scale);
            assert_eq!(read, Some(unscaled), "{unscaled} {scale}");
        }
        assert_eq!(numeric(i128::MAX, 1), None);
    }

    #[test]
    fn keys_are_written_in_the_columns_type() {
        use ScalarValue as S;
        let value = |bytes: &[u8]| Encoded::Value(bytes.into());
        for (key, sent, expected) in [
            (S::Int64(Some(7)), Type::INT4, value(&[0, 0, 0, 7])),
            (S::Int64(Some(1 << 40)), Type::INT4, Encoded::Matchless),
            (S::Int32(Some(-1)), Type::INT2, value(&[0xff, 0xff])),
            (S::Int32(None), Type::INT4, Encoded::Matchless),
            (S::Utf8(Some("7".into())), Type::INT4, Encoded::Unknown),
            (S::Date32(Some(DAYS_TO_2000)), Type::DATE, value(&[0; 4])),
            (
                S::Date32(Some(i32::MAX)),
                Type::DATE,
                value(&i32::MAX.to_be_bytes()),
            ),
            (
                S::TimestampMicrosecond(Some(MICROSECONDS_TO_2000 + 1), None),
                Type::TIMESTAMP,
                value(&1i64.to_be_bytes()),
            ),
            (
                S::TimestampMicrosecond(Some(0), None),
                Type::TIMESTAMPTZ,
                Encoded::Unknown,
            ),
            (
                S::Utf8View(Some("é".into())),
                Type::TEXT,
                value("é".as_bytes()),
            ),
            (
                S::Utf8View(Some("a\0".into())),
                Type::TEXT,
                Encoded::Matchless,
            ),
        ] {
            assert_eq!(encode(&key, &sent), expected, "{key} {sent}");
        }
    }
}
