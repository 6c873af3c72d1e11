//! bytea in text: section 8.4 of the Postgres manual.

use super::ByteaOutput;

pub fn write(out: &mut Vec<u8>, bytes: &[u8], style: ByteaOutput) {
    match style {
        ByteaOutput::Hex => hex(out, bytes),
        ByteaOutput::Escape => escape(out, bytes),
    }
}

fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(2 + bytes.len() * 2);
    out.extend_from_slice(b"\\x");
    for byte in bytes {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

fn digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble)]
}

fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x20..=0x7e => out.push(byte),
            _ => out.extend_from_slice(&[
                b'\\',
                b'0' + (byte >> 6),
                b'0' + ((byte >> 3) & 7),
                b'0' + (byte & 7),
            ]),
        }
    }
}

/// Either form; `None`: neither.
pub fn parse(text: &str) -> Option<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(hex) => parse_hex(hex),
        None => parse_escape(text.as_bytes()),
    }
}

fn parse_hex(hex: &str) -> Option<Vec<u8>> {
    let mut nibbles = hex
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(byte).to_digit(16));
    let mut bytes = Vec::with_capacity(hex.len() / 2);
    while let Some(high) = nibbles.next() {
        bytes.push(u8::try_from(high? << 4 | nibbles.next()??).ok()?);
    }
    Some(bytes)
}

fn parse_escape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'\\' {
            bytes.push(byte);
            rest = after;
        } else if after.first() == Some(&b'\\') {
            bytes.push(b'\\');
            rest = &after[1..];
        } else {
            let digits = after.get(..3)?;
            if !matches!(digits, [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7']) {
                return None;
            }
            bytes.push((digits[0] - b'0') << 6 | (digits[1] - b'0') << 3 | (digits[2] - b'0'));
            rest = &after[3..];
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_round_trip() {
        let bytes: Vec<u8> = (0..=255).collect();
        for style in [ByteaOutput::Hex, ByteaOutput::Escape] {
            let mut out = Vec::new();
            write(&mut out, &bytes, style);
            let text = String::from_utf8(out).expect("ASCII");
            assert_eq!(parse(&text).as_deref(), Some(&bytes[..]));
        }
        assert_eq!(parse("\\x1"), None);
        assert_eq!(parse("\\4"), None);
        assert_eq!(parse("a\\001b").as_deref(), Some(&b"a\x01b"[..]));
    }
}
