//! Arrays, ranges, multiranges and row values: what they are made of is written
//! by the caller's function, type by type; here are shapes and quotes. Sections
//! 8.15.6, 8.17.5 and 8.16.6 of the Postgres manual.

use super::read::Bytes;
use super::render::Writer;
use crate::types::Oid;
use crate::types::text::array::quote_from;

/// More than Postgres allows (MAXDIM).
const MOST_DIMENSIONS: usize = 6;

const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// `array_send`: dimensions, a flag, the element type, lengths and lower bounds,
/// elements.
pub(super) fn array(writer: &Writer<'_>, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    let count = usize::try_from(bytes.i32()?).ok()?;
    let _has_nulls = bytes.i32()?;
    let element = bytes.u32()?;
    if count > MOST_DIMENSIONS {
        return None;
    }
    let mut dimensions = Vec::with_capacity(count);
    for _ in 0..count {
        dimensions.push((bytes.i32()?, bytes.i32()?));
    }
    if dimensions.iter().any(|(length, _)| *length < 0) {
        return None;
    }
    if count == 0 || dimensions.iter().any(|(length, _)| *length == 0) {
        out.extend_from_slice(b"{}");
        return bytes.end();
    }
    if dimensions.iter().any(|(_, lower)| *lower != 1) {
        for (length, lower) in &dimensions {
            let upper = i64::from(*lower) + i64::from(*length) - 1;
            out.extend_from_slice(format!("[{lower}:{upper}]").as_bytes());
        }
        out.push(b'=');
    }
    let elements = Elements {
        writer,
        oid: element,
        // of all built-in types, box alone is separated otherwise
        delimiter: if element == 603 { b';' } else { b',' },
    };
    elements.dimension(&dimensions, &mut bytes, out)?;
    bytes.end()
}

struct Elements<'a> {
    writer: &'a Writer<'a>,
    oid: Oid,
    delimiter: u8,
}

impl Elements<'_> {
    fn dimension(
        &self,
        dimensions: &[(i32, i32)],
        bytes: &mut Bytes<'_>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let ((length, _), inner) = dimensions.split_first()?;
        out.push(b'{');
        for place in 0..*length {
            if place > 0 {
                out.push(self.delimiter);
            }
            match inner.is_empty() {
                true => self.element(bytes, out)?,
                false => self.dimension(inner, bytes, out)?,
            }
        }
        out.push(b'}');
        Some(())
    }

    fn element(&self, bytes: &mut Bytes<'_>, out: &mut Vec<u8>) -> Option<()> {
        match bytes.sized()? {
            None => out.extend_from_slice(b"NULL"),
            Some(value) => {
                let start = out.len();
                self.writer.write(self.oid, value, out)?;
                quote_from(out, start, self.delimiter);
            }
        }
        Some(())
    }
}

/// int2vector and oidvector: arrays with a form of their own.
pub(super) fn vector(writer: &Writer<'_>, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    let count = bytes.i32()?;
    let _has_nulls = bytes.i32()?;
    let element = bytes.u32()?;
    let (length, _lower) = match count {
        0 => (0, 0),
        1 => (bytes.i32()?, bytes.i32()?),
        _ => return None,
    };
    for place in 0..length {
        if place > 0 {
            out.push(b' ');
        }
        writer.write(element, bytes.sized()??, out)?;
    }
    bytes.end()
}

/// `range_send`: flags, then the bounds that there are.
pub(super) fn range(
    writer: &Writer<'_>,
    subtype: Oid,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut bytes = Bytes(value);
    let flags = bytes.byte()?;
    let has = |flag: u8| flags & flag != 0;
    if has(EMPTY) {
        out.extend_from_slice(b"empty");
        return bytes.end();
    }
    out.push(if has(LOWER_INCLUSIVE) { b'[' } else { b'(' });
    if !has(LOWER_INFINITE) {
        bound(writer, subtype, bytes.sized()??, out)?;
    }
    out.push(b',');
    if !has(UPPER_INFINITE) {
        bound(writer, subtype, bytes.sized()??, out)?;
    }
    out.push(if has(UPPER_INCLUSIVE) { b']' } else { b')' });
    bytes.end()
}

fn bound(writer: &Writer<'_>, subtype: Oid, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    writer.write(subtype, value, out)?;
    double_quotes(out, start, b"()[],");
    Some(())
}

/// `multirange_send`: a count, then ranges with a length each.
pub(super) fn multirange(
    writer: &Writer<'_>,
    subtype: Oid,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut bytes = Bytes(value);
    let count = bytes.u32()?;
    out.push(b'{');
    for place in 0..count {
        if place > 0 {
            out.push(b',');
        }
        range(writer, subtype, bytes.sized()??, out)?;
    }
    out.push(b'}');
    bytes.end()
}

/// `record_send`: a count, then each field's type and value.
pub(super) fn record(writer: &Writer<'_>, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    let count = bytes.u32()?;
    out.push(b'(');
    for place in 0..count {
        if place > 0 {
            out.push(b',');
        }
        let oid = bytes.u32()?;
        if let Some(field) = bytes.sized()? {
            let start = out.len();
            writer.write(oid, field, out)?;
            double_quotes(out, start, b"(),");
        }
    }
    out.push(b')');
    bytes.end()
}

/// What was written from `start` on, quoted if it is empty or has one of
/// `special` in it; quotes and backslashes are doubled.
fn double_quotes(out: &mut Vec<u8>, start: usize, special: &[u8]) {
    let plain = &out[start..];
    let quoted = plain.is_empty()
        || plain.iter().any(|byte| {
            matches!(byte, b'"' | b'\\' | b' ' | 0x09..=0x0d) || special.contains(byte)
        });
    if !quoted {
        return;
    }
    let plain = out.split_off(start);
    out.push(b'"');
    for byte in plain {
        if matches!(byte, b'"' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}
