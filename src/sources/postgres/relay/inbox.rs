//! What a source sent, cut into frames and not decoded. Used by `connection`,
//! which fills it; does no IO.
//!
//! A frame is one message of section 55.7 "Message Formats" with its header. A
//! frame that was handed out stays readable until the inbox is filled again.
//! Memory follows what arrived, never what a length claims.

use bytes::{Buf, BytesMut};

/// Kind and length.
pub(super) const HEADER: usize = 5;
/// The first read of an idle connection has room for this much.
const SMALL_READ: usize = 8 << 10;
const LARGE_READ: usize = 128 << 10;
/// An idle connection keeps no more than this.
const KEPT: usize = 16 << 10;
/// No message of Postgres is longer.
const LARGEST_ROW: usize = 1 << 30;
/// Rows up to this long are handed out whole: if the source ends in the middle of
/// one, its reader can still be told.
const WHOLE_ROW: usize = 256 << 10;
/// Of messages that are not rows: an error may quote a long statement.
const LARGEST_OTHER: usize = 64 << 20;
/// Nothing in a login is nearly as long, nor is a parameter.
const LARGEST_IN_LOGIN: usize = 64 << 10;

/// One message, or a stand-in for one that the source need not send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Inbox { start: usize, len: usize },
    Synthetic(&'static [u8]),
}

impl Frame {
    /// A message without a body.
    pub(super) fn synthetic(bytes: &'static [u8; HEADER]) -> Frame {
        Frame {
            kind: bytes[0],
            place: Place::Synthetic(bytes),
        }
    }
}

/// A run of row frames (`D`, `d`), the last one perhaps not whole yet if it is long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bulk {
    start: usize,
    pub len: usize,
}

/// What a source may not send, in words.
pub(super) type Malformed = &'static str;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Login,
    Session,
}

#[derive(Debug)]
pub(super) struct Inbox {
    buffer: BytesMut,
    /// What lies before was handed out.
    at: usize,
    /// Bytes that the frame which was handed out last still lacks.
    missing: usize,
    /// How much room the next read gets.
    room: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            buffer: BytesMut::new(),
            at: 0,
            missing: 0,
            room: SMALL_READ,
        }
    }
}

impl Inbox {
    /// The next whole frame; `None` until more has arrived, or while a frame
    /// that was begun by `bulk` is not through.
    pub fn next(&mut self, stage: Stage) -> Result<Option<Frame>, Malformed> {
        if self.missing > 0 {
            return Ok(None);
        }
        let Some((kind, len)) = self.header(self.at, stage)? else {
            return Ok(None);
        };
        if self.buffer.len() - self.at < len {
            return Ok(None);
        }
        let start = self.at;
        self.at += len;
        Ok(Some(Frame {
            kind,
            place: Place::Inbox { start, len },
        }))
    }

    /// What `next` would give, and will.
    pub fn peek(&mut self, stage: Stage) -> Result<Option<Frame>, Malformed> {
        let at = self.at;
        let frame = self.next(stage);
        self.at = at;
        frame
    }

    /// The longest run of rows from here on, including the begin of a long one.
    pub fn bulk(&mut self) -> Result<Bulk, Malformed> {
        let (start, end) = (self.at, self.buffer.len());
        let rest = self.missing.min(end - start);
        self.missing -= rest;
        let mut at = start + rest;
        while self.missing == 0 && matches!(self.buffer.get(at), Some(b'D' | b'd')) {
            let Some((_, len)) = self.header(at, Stage::Session)? else {
                break;
            };
            let here = len.min(end - at);
            if here < len && len <= WHOLE_ROW {
                break;
            }
            self.missing = len - here;
            at += here;
        }
        self.at = at;
        Ok(Bulk {
            start,
            len: at - start,
        })
    }

    /// Kind and whole length.
    fn header(&self, at: usize, stage: Stage) -> Result<Option<(u8, usize)>, Malformed> {
        let Some(&[kind, a, b, c, d]) = self.buffer.get(at..at + HEADER) else {
            return Ok(None);
        };
        // Negative lengths are above every limit.
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        check(kind, length, stage)?;
        Ok(Some((kind, 1 + length)))
    }

    /// Bytes that a row lacks whose begin was handed out.
    pub fn missing(&self) -> usize {
        self.missing
    }

    pub fn bytes(&self, frame: Frame) -> &[u8] {
        match frame.place {
            Place::Inbox { start, len } => self.buffer.get(start..start + len).unwrap_or(&[]),
            Place::Synthetic(bytes) => bytes,
        }
    }

    /// What follows the header.
    pub fn body(&self, frame: Frame) -> &[u8] {
        self.bytes(frame).get(HEADER..).unwrap_or(&[])
    }

    pub fn rows(&self, bulk: Bulk) -> &[u8] {
        let end = bulk.start + bulk.len;
        self.buffer.get(bulk.start..end).unwrap_or(&[])
    }

    /// Has something arrived that was not handed out?
    pub fn has_unread(&self) -> bool {
        self.at < self.buffer.len()
    }

    /// The buffer to read into; frames handed out before are gone.
    pub fn prepare(&mut self) -> &mut BytesMut {
        self.buffer.advance(self.at);
        self.at = 0;
        if self.buffer.capacity() - self.buffer.len() < self.room / 2 {
            self.buffer.reserve(self.room);
        }
        &mut self.buffer
    }

    /// A read took `count` bytes: large answers are read in large pieces.
    pub fn filled(&mut self, count: usize) {
        if count >= self.room / 2 {
            self.room = (self.room * 4).min(LARGE_READ);
        }
    }

    /// Throws away what arrived.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.at = 0;
        self.missing = 0;
    }

    /// An idle connection keeps little.
    pub fn shrink(&mut self) {
        self.room = SMALL_READ;
        if self.at == self.buffer.len() {
            self.at = 0;
            match self.buffer.capacity() > KEPT {
                true => self.buffer = BytesMut::new(),
                false => self.buffer.clear(),
            }
        }
    }
}

/// A length counts itself, not the kind.
fn check(kind: u8, length: usize, stage: Stage) -> Result<(), Malformed> {
    if length < 4 {
        return Err("a message is shorter than its own length");
    }
    if stage == Stage::Login {
        return match length > LARGEST_IN_LOGIN {
            true => Err("a message of the login is too long"),
            false => Ok(()),
        };
    }
    let fits = match kind {
        b'D' | b'd' | b'V' => length <= LARGEST_ROW,
        b'1' | b'2' | b'3' | b'c' | b'n' | b'I' | b's' => length == 4,
        b'Z' => length == 5,
        b'S' => length <= LARGEST_IN_LOGIN,
        b'A' | b'C' | b'E' | b'G' | b'H' | b'N' | b'T' | b't' => length <= LARGEST_OTHER,
        _ => return Err("a message of an unknown kind"),
    };
    match fits {
        true => Ok(()),
        false => Err("a message of a length that its kind cannot have"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn feed(inbox: &mut Inbox, bytes: &[u8]) {
        inbox.prepare().extend_from_slice(bytes);
    }

    /// Everything handed out, in order, whatever the pieces it arrived in.
    fn walk(inbox: &mut Inbox, out: &mut Vec<u8>) {
        loop {
            let bulk = inbox.bulk().expect("well-formed");
            out.extend_from_slice(inbox.rows(bulk));
            match inbox.next(Stage::Session).expect("well-formed") {
                Some(frame) => {
                    assert!(!matches!(frame.kind, b'D' | b'd'), "rows are bulk");
                    out.extend_from_slice(inbox.bytes(frame));
                }
                None if bulk.len == 0 => return,
                None => {}
            }
        }
    }

    #[test]
    fn frames_are_whole_however_they_are_split() {
        let mut stream = frame(b'T', b"columns");
        for row in [&b""[..], b"x", &[7; 300]] {
            stream.extend(frame(b'D', row));
        }
        stream.extend(frame(b'C', b"SELECT 3\0"));
        stream.extend(frame(b'd', b"copy"));
        stream.extend(frame(b'Z', b"I"));
        for cut in 0..=stream.len() {
            let mut inbox = Inbox::default();
            let mut out = Vec::new();
            feed(&mut inbox, &stream[..cut]);
            walk(&mut inbox, &mut out);
            feed(&mut inbox, &stream[cut..]);
            walk(&mut inbox, &mut out);
            assert_eq!(out, stream, "cut at {cut}");
            assert!(!inbox.has_unread());
        }
        let mut inbox = Inbox::default();
        let mut out = Vec::new();
        for byte in &stream {
            feed(&mut inbox, &[*byte]);
            walk(&mut inbox, &mut out);
        }
        assert_eq!(out, stream);
    }

    #[test]
    fn short_rows_are_whole_and_long_ones_go_on_before_they_are() {
        let short = frame(b'D', &[1; 100]);
        let row = frame(b'D', &vec![1; WHOLE_ROW]);
        let mut inbox = Inbox::default();
        feed(&mut inbox, &short[..50]);
        assert_eq!(inbox.bulk().expect("rows").len, 0);
        feed(&mut inbox, &short[50..]);
        feed(&mut inbox, &row[..50]);
        assert_eq!(inbox.bulk().expect("rows").len, short.len() + 50);
        assert_eq!(inbox.missing(), row.len() - 50);
        assert_eq!(inbox.next(Stage::Session), Ok(None));
        feed(&mut inbox, &row[50..]);
        feed(&mut inbox, &frame(b'Z', b"I"));
        assert_eq!(inbox.bulk().expect("rows").len, row.len() - 50);
        let end = inbox.next(Stage::Session).expect("well-formed");
        assert_eq!(end.map(|frame| frame.kind), Some(b'Z'));
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for (bytes, stage) in [
            (&b"D\0\0\0\x03"[..], Stage::Session),
            (b"D\xff\xff\xff\xff", Stage::Session),
            (b"D\x7f\xff\xff\xff", Stage::Session),
            (b"E\x7f\0\0\0", Stage::Session),
            (b"Z\0\0\0\x06", Stage::Session),
            (b"1\0\0\0\x05", Stage::Session),
            (b"?\0\0\0\x04", Stage::Session),
            (b"R\0\0\0\x08", Stage::Session),
            (b"R\0\0\0\0", Stage::Login),
            (b"R\0\x01\0\x01", Stage::Login),
            (b"S\x80\0\0\0", Stage::Login),
        ] {
            let mut inbox = Inbox::default();
            feed(&mut inbox, bytes);
            assert!(inbox.next(stage).is_err(), "{bytes:?}");
            assert!(inbox.buffer.capacity() < 1 << 20);
        }
    }

    #[test]
    fn reads_grow_with_the_answer_and_idle_ones_are_small() {
        let mut inbox = Inbox::default();
        for _ in 0..4 {
            let room = {
                let buffer = inbox.prepare();
                let room = buffer.capacity() - buffer.len();
                buffer.resize(buffer.len() + room, 0);
                room
            };
            inbox.filled(room);
        }
        assert_eq!(inbox.room, LARGE_READ);
        inbox.clear();
        inbox.shrink();
        assert!(inbox.buffer.capacity() <= KEPT);
        assert_eq!(inbox.room, SMALL_READ);
    }
}
