//! Values as Postgres writes and reads them in text: pure functions over a
//! buffer and the session's style. Used by the wire and by casts to text; knows
//! nothing of Arrow arrays or of sessions.

pub mod array;
pub mod bytea;
pub mod datetime;
pub mod float;
pub mod interval;
pub mod numeric;
pub mod parse;
mod posix;
pub mod zone;

pub use datetime::{DateOrder, DateStyle};
pub use interval::{Interval, IntervalStyle};
pub use posix::Posix;
pub use zone::Zone;

/// The settings that shape text output. Section 8.5.2 "Date/Time Output" and
/// section 20.11.2 of the Postgres manual.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputStyle {
    pub date: DateStyle,
    pub order: DateOrder,
    pub interval: IntervalStyle,
    pub zone: Zone,
    pub extra_float_digits: i32,
    pub bytea: ByteaOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteaOutput {
    Hex,
    Escape,
}

impl Default for OutputStyle {
    fn default() -> Self {
        OutputStyle {
            date: DateStyle::Iso,
            order: DateOrder::Mdy,
            interval: IntervalStyle::Postgres,
            zone: Zone::utc(),
            extra_float_digits: 1,
            bytea: ByteaOutput::Hex,
        }
    }
}

/// on, true, yes, 1 and their unique beginnings, in any case: section 8.6.
pub fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    if begins("true", 1) || begins("yes", 1) || text == "on" || text == "1" {
        Some(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// Decimal digits, at least `width` of them, zeros in front.
pub(crate) fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    for _ in digits.len()..width {
        out.push(b'0');
    }
    out.extend_from_slice(digits);
}

/// `.` and up to six digits of microseconds without trailing zeros; nothing for 0.
pub(crate) fn fraction(out: &mut Vec<u8>, micros: u64) {
    if micros == 0 {
        return;
    }
    out.push(b'.');
    padded(out, micros, 6);
    while out.last() == Some(&b'0') {
        out.pop();
    }
}
