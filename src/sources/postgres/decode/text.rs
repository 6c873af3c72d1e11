//! Text-like values: checked for UTF-8, because a source with encoding
//! SQL_ASCII sends whatever bytes were put in.

use std::borrow::Cow;

use super::fault::{Fault, Result, exactly};

pub(super) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let wrong = &bytes[error.valid_up_to()..];
        let length = error.error_len().unwrap_or(wrong.len());
        Fault::NotUtf8(wrong[..length.min(4)].to_vec())
    })
}

/// char(n) without its padding, which is not part of the value (section 8.3 of
/// the Postgres manual).
pub(super) fn padded(bytes: &[u8]) -> Result<&str> {
    Ok(text(bytes)?.trim_end_matches(' '))
}

/// jsonb is its text after a version byte: `jsonb_send`.
pub(super) fn jsonb(bytes: &[u8]) -> Result<&str> {
    match bytes.split_first() {
        Some((1, json)) => text(json),
        _ => Err(Fault::Malformed("a jsonb has an unknown version")),
    }
}

/// "char": one byte, zero is the empty string, and what is no ASCII is written
/// in octal, as `charout` does.
pub(super) fn single_char(bytes: &[u8]) -> Result<Cow<'static, str>> {
    let [byte] = exactly::<1>(bytes)?;
    Ok(match byte {
        0 => "".into(),
        1..=127 => char::from(byte).to_string().into(),
        _ => format!("\\{byte:03o}").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_utf8_names_the_bytes() {
        assert_eq!(text("żółw".as_bytes()), Ok("żółw"));
        assert_eq!(text(b"ab\xffcd"), Err(Fault::NotUtf8(vec![0xff])));
        assert_eq!(text(b"ab\xe2\x82"), Err(Fault::NotUtf8(vec![0xe2, 0x82])));
    }

    #[test]
    fn wrappers_are_stripped() {
        assert_eq!(jsonb(b"\x01{}"), Ok("{}"));
        assert!(jsonb(b"").is_err() && jsonb(b"\x02{}").is_err());
        for (byte, expected) in [(0, ""), (b'r', "r"), (0xe9, "\\351")] {
            assert_eq!(single_char(&[byte]).as_deref(), Ok(expected));
        }
    }
}
