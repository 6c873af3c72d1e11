//! What the server sends, written straight into the outgoing buffer. Used by
//! all of `wire`; does no IO. Section 55.7 "Message Formats".

use datafusion::arrow::datatypes::SchemaRef;

use super::encode::Format;
use crate::error::{Error, Result, SqlState};
use crate::session::{Notice, Status};
use crate::types::PgType;
use crate::types::sent::Sent;

/// Lengths are signed 32-bit, and clients refuse messages of a gigabyte.
pub const LARGEST_MESSAGE: usize = 0x3fff_ffff;

/// Room for a short answer.
const KEPT: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Fatal,
}

/// Outgoing bytes that the socket has not taken yet; always whole messages, so
/// that an error can follow at any time.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    pub fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `count` bytes have left. An idle connection keeps no large buffer.
    pub fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.bytes.len() {
            self.sent = 0;
            if self.bytes.capacity() > 256 * 1024 {
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
        }
    }

    /// An idle connection holds next to nothing.
    pub fn release(&mut self) {
        if self.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
            self.sent = 0;
        }
    }

    /// The end of the buffer, for rows; the caller writes whole messages.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn message(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[kind, 0, 0, 0, 0]);
        body(&mut self.bytes);
        let length = self.bytes.len() - start - 1;
        // all but rows are far below the limit: names and texts of one message
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        self.bytes[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
    }

    pub fn authentication(&mut self, code: i32, data: &[u8]) {
        self.message(b'R', |out| {
            out.extend_from_slice(&code.to_be_bytes());
            out.extend_from_slice(data);
        });
    }

    pub fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |out| {
            string(out, name);
            string(out, value);
        });
    }

    pub fn backend_key_data(&mut self, pid: i32, secret: &[u8]) {
        self.message(b'K', |out| {
            out.extend_from_slice(&pid.to_be_bytes());
            out.extend_from_slice(secret);
        });
    }

    pub fn negotiate_protocol_version(&mut self, newest: i32, unknown: &[String]) {
        self.message(b'v', |out| {
            out.extend_from_slice(&newest.to_be_bytes());
            out.extend_from_slice(&count32(unknown.len()).to_be_bytes());
            for name in unknown {
                string(out, name);
            }
        });
    }

    pub fn ready_for_query(&mut self, status: Status) {
        self.message(b'Z', |out| {
            out.push(match status {
                Status::Idle => b'I',
                Status::InTransaction => b'T',
                Status::Failed => b'E',
            });
        });
    }

    pub fn command_complete(&mut self, tag: &str) {
        self.message(b'C', |out| string(out, tag));
    }

    pub fn empty_query(&mut self) {
        self.message(b'I', |_| {});
    }

    pub fn parse_complete(&mut self) {
        self.message(b'1', |_| {});
    }

    pub fn bind_complete(&mut self) {
        self.message(b'2', |_| {});
    }

    pub fn close_complete(&mut self) {
        self.message(b'3', |_| {});
    }

    pub fn no_data(&mut self) {
        self.message(b'n', |_| {});
    }

    pub fn portal_suspended(&mut self) {
        self.message(b's', |_| {});
    }

    pub fn parameter_description(&mut self, types: &[PgType]) {
        self.message(b't', |out| {
            out.extend_from_slice(&count16(types.len()).to_be_bytes());
            for pg_type in types {
                out.extend_from_slice(&pg_type.oid.to_be_bytes());
            }
        });
    }

    /// `formats` are one a column.
    pub fn row_description(&mut self, schema: &SchemaRef, formats: &[Format]) -> Result<()> {
        let columns = u16::try_from(schema.fields().len())
            .ok()
            .filter(|columns| *columns <= 1664)
            .ok_or_else(|| {
                Error::new(
                    SqlState::TOO_MANY_COLUMNS,
                    "target lists can have at most 1664 entries",
                )
            })?;
        self.message(b'T', |out| {
            out.extend_from_slice(&columns.to_be_bytes());
            for (field, format) in schema.fields().iter().zip(formats) {
                let pg_type = PgType::of(field);
                let length = Sent::of(field).map_or(pg_type.length(), |sent| sent.length());
                string(out, field.name());
                out.extend_from_slice(&[0; 6]);
                out.extend_from_slice(&pg_type.oid.to_be_bytes());
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&pg_type.typmod.to_be_bytes());
                out.extend_from_slice(&format.code().to_be_bytes());
            }
        });
        Ok(())
    }

    pub fn copy_out_response(&mut self, format: Format, columns: usize) {
        self.message(b'H', |out| {
            out.push(u8::from(format == Format::Binary));
            out.extend_from_slice(&count16(columns).to_be_bytes());
            for _ in 0..columns {
                out.extend_from_slice(&format.code().to_be_bytes());
            }
        });
    }

    pub fn copy_done(&mut self) {
        self.message(b'c', |_| {});
    }

    pub fn error(&mut self, error: &Error, severity: Severity) {
        let severity = match severity {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        };
        self.message(b'E', |out| {
            report(
                out,
                severity,
                error.state().code(),
                error.message(),
                error.detail(),
                error.hint(),
                error.position(),
                error.fields(),
            );
        });
    }

    /// A source's report as it is, but for the position, which is one in the
    /// client's text.
    pub fn relayed_report<'a>(
        &mut self,
        kind: u8,
        fields: impl Iterator<Item = (u8, &'a [u8])>,
        position: impl Fn(usize) -> usize,
    ) {
        self.message(kind, |out| {
            for (code, value) in fields {
                out.push(code);
                let number = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
                match (code, number) {
                    (b'P', Some(remote)) => {
                        out.extend_from_slice(position(remote).to_string().as_bytes());
                    }
                    _ => out.extend_from_slice(value),
                }
                out.push(0);
            }
            out.push(0);
        });
    }

    /// A RowDescription as it is, but for the table and column that each of its
    /// columns is said to be from.
    pub fn relayed_columns(&mut self, frame: &[u8], here: impl Fn(u32, i16) -> (u32, i16)) {
        /// Of type, length, modifier and format.
        const REST: usize = 12;
        // kind, length and count
        let mut at = self.bytes.len() + 7;
        self.bytes.extend_from_slice(frame);
        let end_of_name = |bytes: &[u8]| bytes.iter().position(|byte| *byte == 0);
        while let Some(length) = self.bytes.get(at..).and_then(end_of_name) {
            let start = at + length + 1;
            let Some([a, b, c, d, e, f]) = self.bytes.get_mut(start..start + 6) else {
                return;
            };
            let table = u32::from_be_bytes([*a, *b, *c, *d]);
            if table != 0 {
                let (table, column) = here(table, i16::from_be_bytes([*e, *f]));
                [*a, *b, *c, *d] = table.to_be_bytes();
                [*e, *f] = column.to_be_bytes();
            }
            at = start + 6 + REST;
        }
    }

    /// One row of one text.
    pub fn text_row(&mut self, text: &str) {
        self.message(b'D', |out| {
            out.extend_from_slice(&1u16.to_be_bytes());
            let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        });
    }

    pub fn notice(&mut self, notice: &Notice) {
        self.message(b'N', |out| {
            report(
                out,
                notice.severity,
                notice.state.code(),
                &notice.message,
                None,
                None,
                None,
                &[],
            );
        });
    }
}

/// The fields of section 55.8; this server's file, line and routine are never told.
#[allow(clippy::too_many_arguments)]
fn report(
    out: &mut Vec<u8>,
    severity: &str,
    code: &str,
    message: &str,
    detail: Option<&str>,
    hint: Option<&str>,
    position: Option<usize>,
    further: &[(u8, String)],
) {
    for (field, value) in [
        (b'S', Some(severity)),
        (b'V', Some(severity)),
        (b'C', Some(code)),
        (b'M', Some(message)),
        (b'D', detail),
        (b'H', hint),
    ] {
        if let Some(value) = value {
            out.push(field);
            string(out, value);
        }
    }
    if let Some(position) = position {
        out.push(b'P');
        string(out, &position.to_string());
    }
    for (code, value) in further {
        out.push(*code);
        string(out, value);
    }
    out.push(0);
}

/// Text and its zero byte; a zero byte inside would end it early.
fn string(out: &mut Vec<u8>, text: &str) {
    match text.find('\0') {
        None => out.extend_from_slice(text.as_bytes()),
        Some(end) => out.extend_from_slice(&text.as_bytes()[..end]),
    }
    out.push(0);
}

fn count16(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn count32(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(columns: &[(&str, u32, i16)]) -> Vec<u8> {
        let mut out = Outbox::default();
        out.message(b'T', |out| {
            out.extend_from_slice(&(columns.len() as u16).to_be_bytes());
            for (name, table, column) in columns {
                out.extend_from_slice(name.as_bytes());
                out.push(0);
                out.extend_from_slice(&table.to_be_bytes());
                out.extend_from_slice(&column.to_be_bytes());
                out.extend_from_slice(&[7; 12]);
            }
        });
        out.unsent().to_vec()
    }

    #[test]
    fn relayed_columns_are_of_tables_here() {
        let frame = described(&[("a", 16_400, 3), ("", 0, 0), ("é", 99, 1)]);
        let here = |table, column| match (table, column) {
            (16_400, 3) => (5, 2),
            _ => (0, 0),
        };
        let mut out = Outbox::default();
        out.raw(b"before");
        out.relayed_columns(&frame, here);
        let expected = described(&[("a", 5, 2), ("", 0, 0), ("é", 0, 0)]);
        assert_eq!(&out.unsent()[6..], expected);
        // a frame that is cut short goes on as it is
        let mut out = Outbox::default();
        out.relayed_columns(&frame[..9], here);
        assert_eq!(out.unsent(), &frame[..9]);
    }
}
