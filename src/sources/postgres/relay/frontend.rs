//! Messages to a source, written into the outgoing buffer. Used by `connection`
//! and `login`; does no IO. Section 55.7 "Message Formats".

use bytes::{BufMut, BytesMut};

/// Major 3, minor 0.
const VERSION: u32 = 3 << 16;
const CANCEL_REQUEST: u32 = 80_877_102;

pub(super) fn cancel_request(process: u32, secret: u32) -> [u8; 16] {
    let mut message = [0; 16];
    let words = [16, CANCEL_REQUEST, process, secret];
    for (place, word) in message.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    message
}

/// Names and values hold no NUL byte; the caller saw to that.
pub(super) fn startup<'a>(
    out: &mut BytesMut,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let start = out.len();
    out.put_u32(0);
    out.put_u32(VERSION);
    for (name, value) in parameters {
        text(out, name);
        text(out, value);
    }
    out.put_u8(0);
    set_length(out, start);
}

pub(super) fn message(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    let start = out.len();
    out.put_u32(0);
    body(out);
    set_length(out, start);
}

/// A text of the protocol ends at the first NUL byte, so there is none in it.
pub(super) fn text(out: &mut BytesMut, text: &str) {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|byte| *byte == 0);
    out.put_slice(&bytes[..end.unwrap_or(bytes.len())]);
    out.put_u8(0);
}

fn set_length(out: &mut BytesMut, start: usize) {
    // Statements are limited to far less where they enter this server.
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}
