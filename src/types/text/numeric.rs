//! numeric in text and in the binary form of the protocol: base-10000 digits
//! with weight, sign and display scale, as `numeric_send` writes them.

use datafusion::arrow::datatypes::i256;

/// Shall zeros at the end of the fraction be printed?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zeros {
    /// numeric(p,s): always s digits.
    Keep,
    /// numeric without a scale of its own.
    Trim,
}

/// A decimal's digits, most significant first, without leading zeros.
pub struct Digits {
    buffer: [u8; 80],
    start: usize,
    negative: bool,
}

impl Digits {
    pub fn of_i128(value: i128) -> Self {
        let mut digits = Digits {
            buffer: [b'0'; 80],
            start: 80,
            negative: value < 0,
        };
        digits.prepend(value.unsigned_abs(), 0);
        digits
    }

    pub fn of_i256(value: i256) -> Self {
        if let Some(small) = value.to_i128() {
            return Digits::of_i128(small);
        }
        let mut digits = Digits {
            buffer: [b'0'; 80],
            start: 80,
            negative: value < i256::ZERO,
        };
        // i256 holds up to 77 digits: two limbs of 38 and a last one
        let limb = i256::from_i128(10i128.pow(38));
        let mut rest = value;
        while rest != i256::ZERO {
            let low = rest.wrapping_rem(limb).to_i128().unwrap_or(0);
            rest = rest.wrapping_div(limb);
            let width = if rest == i256::ZERO { 0 } else { 38 };
            digits.prepend(low.unsigned_abs(), width);
        }
        digits
    }

    fn prepend(&mut self, value: u128, width: usize) {
        let mut buffer = itoa::Buffer::new();
        let text = if value == 0 {
            &[]
        } else {
            buffer.format(value).as_bytes()
        };
        let length = text.len().max(width);
        let end = self.start;
        self.start = end.saturating_sub(length);
        let from = end - text.len().min(end);
        self.buffer[from..end].copy_from_slice(text);
    }

    fn digits(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

/// `scale` digits of the value stand after the point; a negative one means zeros before it.
pub fn write(out: &mut Vec<u8>, value: &Digits, scale: i8, zeros: Zeros) {
    let digits = value.digits();
    if value.negative {
        out.push(b'-');
    }
    let Ok(scale) = usize::try_from(scale) else {
        out.extend_from_slice(if digits.is_empty() { b"0" } else { digits });
        if !digits.is_empty() {
            out.resize(out.len() + usize::from(scale.unsigned_abs()), b'0');
        }
        return;
    };
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if scale == 0 {
        return;
    }
    out.push(b'.');
    out.resize(out.len() + (scale - fraction.len()), b'0');
    out.extend_from_slice(fraction);
    if zeros == Zeros::Trim {
        while out.last() == Some(&b'0') {
            out.pop();
        }
        if out.last() == Some(&b'.') {
            out.pop();
        }
    }
}

/// Section 55.7 leaves it to the sources: ndigits, weight, sign, dscale, digits.
pub fn write_binary(out: &mut Vec<u8>, value: &Digits, scale: i8, zeros: Zeros) {
    let mut text = Vec::with_capacity(96);
    write(&mut text, value, scale, zeros);
    let unsigned = text.strip_prefix(b"-").unwrap_or(&text);
    let point = unsigned
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(unsigned.len());
    let whole = &unsigned[..point];
    let fraction = unsigned.get(point + 1..).unwrap_or_default();

    let mut groups: Vec<u16> = Vec::with_capacity(24);
    let first = whole.len() % 4;
    if first > 0 {
        groups.push(group(&whole[..first]));
    }
    groups.extend(whole[first..].chunks(4).map(group));
    let mut weight = i32::try_from(groups.len()).unwrap_or(0) - 1;
    for chunk in fraction.chunks(4) {
        let shift = 10u16.pow(u32::try_from(4 - chunk.len()).unwrap_or(0));
        groups.push(group(chunk) * shift);
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= i32::try_from(leading).unwrap_or(0);
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    let sign: u16 = if value.negative && !groups.is_empty() {
        0x4000
    } else {
        0
    };
    for word in [
        u16::try_from(groups.len()).unwrap_or(0),
        // two's complement of a small number
        (weight & 0xffff) as u16,
        sign,
        u16::try_from(fraction.len()).unwrap_or(0),
    ] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

fn group(digits: &[u8]) -> u16 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + u16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: i128, scale: i8, zeros: Zeros) -> String {
        let mut out = Vec::new();
        write(&mut out, &Digits::of_i128(value), scale, zeros);
        String::from_utf8(out).expect("ASCII")
    }

    fn binary(value: i128, scale: i8) -> Vec<u8> {
        let mut out = Vec::new();
        write_binary(&mut out, &Digits::of_i128(value), scale, Zeros::Keep);
        out
    }

    #[test]
    fn text_has_the_scale_or_trims_it() {
        for (value, scale, kept, trimmed) in [
            (0, 0, "0", "0"),
            (0, 2, "0.00", "0"),
            (5, 2, "0.05", "0.05"),
            (-5, 2, "-0.05", "-0.05"),
            (12345, 2, "123.45", "123.45"),
            (12300, 2, "123.00", "123"),
            (12, -3, "12000", "12000"),
            (0, -3, "0", "0"),
            (100, 0, "100", "100"),
        ] {
            assert_eq!(text(value, scale, Zeros::Keep), kept);
            assert_eq!(text(value, scale, Zeros::Trim), trimmed);
        }
    }

    #[test]
    fn the_widest_values_have_all_digits() {
        let nines = "9".repeat(76);
        let value: i256 = nines.parse().expect("fits");
        let mut out = Vec::new();
        write(&mut out, &Digits::of_i256(value), 0, Zeros::Keep);
        assert_eq!(out, nines.as_bytes());
        let sparse = format!("-1{}7", "0".repeat(60));
        let value: i256 = sparse.parse().expect("fits");
        out.clear();
        write(&mut out, &Digits::of_i256(value), 0, Zeros::Keep);
        assert_eq!(out, sparse.as_bytes());
    }

    #[test]
    fn binary_is_what_numeric_send_gives() {
        // select encode(numeric_send(x), 'hex')
        for (value, scale, expected) in [
            (0, 0, &[0u8, 0, 0, 0, 0, 0, 0, 0][..]),
            (0, 2, &[0, 0, 0, 0, 0, 0, 0, 2]),
            (1, 0, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
            (-12345, 2, &[0, 2, 0, 0, 0x40, 0, 0, 2, 0, 123, 0x11, 0x94]),
            (1, 4, &[0, 1, 0xff, 0xff, 0, 0, 0, 4, 0, 1]),
            (10000, 0, &[0, 1, 0, 1, 0, 0, 0, 0, 0, 1]),
            (5, 5, &[0, 1, 0xff, 0xfe, 0, 0, 0, 5, 0x13, 0x88]),
        ] {
            assert_eq!(binary(value, scale), expected, "{value} {scale}");
        }
    }
}
