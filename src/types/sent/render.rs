//! Which writer serves which type.

use std::io::Write as _;

use postgres_types::Kind;

use super::geometry::Geometry;
use super::read::Bytes;
use super::{OwnType, OwnTypes, compound, network, numeric};
use crate::types::text::zone::write_offset;
use crate::types::text::{Interval, OutputStyle, bytea, datetime, float, interval};
use crate::types::{Oid, PgType};

/// Values in values: no type of a database is deeper.
const DEEPEST: usize = 64;

/// Days from 1970-01-01 to Postgres's epoch, 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;

/// Writes values of any type that is known here.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    own: &'a OwnTypes,
    style: &'a OutputStyle,
    depth: usize,
}

/// The element type of a built-in array.
pub(super) fn element_of(oid: Oid) -> Option<Oid> {
    match oid {
        // their text is no array's
        22 | 30 => None,
        _ => PgType::new(oid, -1).element().map(|element| element.oid),
    }
}

/// The subtype of a built-in range.
pub(super) fn subtype_of_range(oid: Oid) -> Option<Oid> {
    match PgType::new(oid, -1).known()?.kind() {
        Kind::Range(subtype) => Some(subtype.oid()),
        _ => None,
    }
}

/// The subtype of a built-in multirange's range.
pub(super) fn subtype_of_multirange(oid: Oid) -> Option<Oid> {
    Some(match oid {
        4451 => 23,
        4532 => 1700,
        4533 => 1114,
        4534 => 1184,
        4535 => 1082,
        4536 => 20,
        _ => return None,
    })
}

/// Is there a writer for a built-in type that is no array?
pub(super) fn is_known(oid: Oid) -> bool {
    let scalar = matches!(
        oid,
        16..=23
            | 25..=30
            | 114
            | 142
            | 600..=604
            | 628
            | 650
            | 700
            | 701
            | 718
            | 774
            | 829
            | 869
            | 1042
            | 1043
            | 1082
            | 1083
            | 1114
            | 1184
            | 1186
            | 1266
            | 1560
            | 1562
            | 1700
            | 1790
            | 2950
            | 2970
            | 3220
            | 3802
            | 4072
            | 5038
            | 5069
    );
    scalar || subtype_of_range(oid).is_some() || subtype_of_multirange(oid).is_some()
}

impl<'a> Writer<'a> {
    pub fn new(own: &'a OwnTypes, style: &'a OutputStyle) -> Self {
        Writer {
            own,
            style,
            depth: 0,
        }
    }

    /// The text of a value that is not NULL; `None` if it is malformed or its
    /// type is not known.
    pub fn write(&self, oid: Oid, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let inner = Writer {
            depth: self.depth + 1,
            ..*self
        };
        if inner.depth > DEEPEST {
            return None;
        }
        if let Some(own) = self.own.get(&oid) {
            return match *own {
                OwnType::Enum => copy(value, out),
                OwnType::Composite => compound::record(&inner, value, out),
                OwnType::Domain(base) => inner.write(base, value, out),
                OwnType::Array(_) => compound::array(&inner, value, out),
                OwnType::Range(subtype) => compound::range(&inner, subtype, value, out),
                OwnType::Multirange(subtype) => compound::multirange(&inner, subtype, value, out),
            };
        }
        if let Some(written) = self.scalar(oid, value, out) {
            return written;
        }
        if matches!(oid, 22 | 30) {
            return compound::vector(&inner, value, out);
        }
        if element_of(oid).is_some() {
            return compound::array(&inner, value, out);
        }
        if let Some(subtype) = subtype_of_range(oid) {
            return compound::range(&inner, subtype, value, out);
        }
        compound::multirange(&inner, subtype_of_multirange(oid)?, value, out)
    }

    /// `None` if the type is none that is written in one piece.
    fn scalar(&self, oid: Oid, value: &[u8], out: &mut Vec<u8>) -> Option<Option<()>> {
        Some(match oid {
            19 | 25 | 114 | 142 | 1042 | 1043 | 1790 => copy(value, out),
            600..=604 | 628 | 718 => {
                let (bytes, style) = (Bytes(value), self.style);
                Geometry { bytes, style }.write(oid, out)
            }
            650 | 869 => network::inet(value, out),
            774 => network::hardware(value, 8, out),
            829 => network::hardware(value, 6, out),
            1560 | 1562 => bits(value, out),
            1700 => numeric::write(value, out),
            17 => {
                bytea::write(out, value, self.style.bytea);
                Some(())
            }
            2950 => uuid(value, out),
            // a version before the text
            3802 | 4072 => match value.split_first() {
                Some((1, text)) => copy(text, out),
                _ => None,
            },
            2970 | 5038 => snapshot(value, out),
            16
            | 18
            | 20
            | 21
            | 23
            | 26..=29
            | 700
            | 701
            | 1082
            | 1083
            | 1114
            | 1184
            | 1186
            | 1266
            | 3220
            | 5069 => self.fixed(oid, value, out),
            _ => return None,
        })
    }

    /// Types of one size.
    fn fixed(&self, oid: Oid, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut bytes = Bytes(value);
        let digits = self.style.extra_float_digits;
        match oid {
            16 => out.push(if bytes.byte()? == 0 { b'f' } else { b't' }),
            18 => match bytes.byte()? {
                0 => {}
                byte @ 1..=127 => out.push(byte),
                byte => number(out, format_args!("\\{byte:03o}")),
            },
            20 => number(out, format_args!("{}", bytes.i64()?)),
            21 => number(out, format_args!("{}", bytes.i16()?)),
            23 => number(out, format_args!("{}", bytes.i32()?)),
            26 | 28 | 29 => number(out, format_args!("{}", bytes.u32()?)),
            27 => number(out, format_args!("({},{})", bytes.u32()?, bytes.u16()?)),
            700 => float::write_float4(out, f32::from_be_bytes(bytes.take()?), digits),
            701 => float::write_float8(out, bytes.f64()?, digits),
            1082 => {
                let days = match bytes.i32()? {
                    infinite @ (i32::MIN | i32::MAX) => infinite,
                    days => days.checked_add(EPOCH_DAYS)?,
                };
                datetime::write_date(out, days, self.style);
            }
            1083 => datetime::write_time(out, bytes.i64()?),
            1114 => datetime::write_timestamp_since_2000(out, bytes.i64()?, self.style),
            1184 => datetime::write_timestamptz_since_2000(out, bytes.i64()?, self.style),
            1186 => {
                let micros = bytes.i64()?;
                let days = bytes.i32()?;
                let months = bytes.i32()?;
                match (months, days, micros) {
                    // since Postgres 17
                    (i32::MAX, i32::MAX, i64::MAX) => out.extend_from_slice(b"infinity"),
                    (i32::MIN, i32::MIN, i64::MIN) => out.extend_from_slice(b"-infinity"),
                    _ => {
                        let value = Interval {
                            months,
                            days,
                            micros,
                        };
                        interval::write(out, value, self.style.interval);
                    }
                }
            }
            1266 => {
                datetime::write_time(out, bytes.i64()?);
                // seconds west of Greenwich
                write_offset(out, bytes.i32()?.checked_neg()?);
            }
            3220 => {
                let at = bytes.u64()?;
                number(out, format_args!("{:X}/{:X}", at >> 32, at & 0xffff_ffff));
            }
            5069 => number(out, format_args!("{}", bytes.u64()?)),
            _ => return None,
        }
        bytes.end()
    }
}

fn copy(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(value);
    Some(())
}

fn number(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // writing to a Vec does not fail
    let _ = out.write_fmt(text);
}

/// `varbit_send`: a count of bits, then the bits in bytes.
fn bits(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    let count = usize::try_from(bytes.i32()?).ok()?;
    if bytes.0.len() != count.div_ceil(8) {
        return None;
    }
    for at in 0..count {
        let bit = bytes.0[at / 8] >> (7 - at % 8) & 1;
        out.push(b'0' + bit);
    }
    Some(())
}

fn uuid(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if value.len() != 16 {
        return None;
    }
    for (position, byte) in value.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        number(out, format_args!("{byte:02x}"));
    }
    Some(())
}

/// `pg_snapshot_send`: a count, xmin, xmax, the transactions in progress.
fn snapshot(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    let count = bytes.i32()?;
    number(out, format_args!("{}:{}:", bytes.u64()?, bytes.u64()?));
    for place in 0..count {
        let separator = if place > 0 { "," } else { "" };
        number(out, format_args!("{separator}{}", bytes.u64()?));
    }
    bytes.end()
}
