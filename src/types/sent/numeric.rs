//! numeric from its base-10000 digits, with the scale that it is displayed in:
//! `numeric_send` and `get_str_from_var` in Postgres's numeric.c.

use super::read::Bytes;
use crate::types::text::padded;

pub(super) fn write(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut bytes = Bytes(value);
    let count = usize::from(bytes.u16()?);
    let weight = i32::from(bytes.i16()?);
    let sign = bytes.u16()?;
    let scale = usize::from(bytes.u16()?);
    match sign {
        0 => {}
        0x4000 => out.push(b'-'),
        0xc000 => return special(out, b"NaN"),
        0xd000 => return special(out, b"Infinity"),
        0xf000 => return special(out, b"-Infinity"),
        _ => return None,
    }
    let (digits, rest) = bytes.0.split_at_checked(count * 2)?;
    Bytes(rest).end()?;
    // places without a digit of their own are zero
    let digit = |place: i32| -> u64 {
        let at = usize::try_from(place).ok().map(|place| place * 2);
        let pair = at.and_then(|at| digits.get(at..at + 2)).unwrap_or(&[0, 0]);
        u64::from(u16::from_be_bytes([pair[0], pair[1]])).min(9999)
    };
    for place in 0..=weight.max(0) {
        // the digit at `weight` is the one before the point
        let value = if weight < 0 { 0 } else { digit(place) };
        padded(out, value, if place == 0 { 1 } else { 4 });
    }
    if scale > 0 {
        out.push(b'.');
        let end = out.len() + scale;
        let mut place = weight + 1;
        while out.len() < end {
            padded(out, digit(place), 4);
            place += 1;
        }
        out.truncate(end);
    }
    Some(())
}

fn special(out: &mut Vec<u8>, text: &[u8]) -> Option<()> {
    out.extend_from_slice(text);
    Some(())
}
