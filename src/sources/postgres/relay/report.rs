//! The fields of an ErrorResponse or NoticeResponse (section 55.8). Used by
//! whoever has to read one: most are forwarded unread.

use super::super::error::{Reported, from_report};
use crate::error::Error;
use crate::names::SourceName;

/// Borrowed from a frame's body.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    body: &'a [u8],
}

impl<'a> Report<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Report { body }
    }

    /// Code and value of every field, in the order they came. Ends early where
    /// the body is malformed.
    pub fn fields(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.body;
        std::iter::from_fn(move || {
            let (&code, tail) = rest.split_first()?;
            if code == 0 {
                return None;
            }
            let end = tail.iter().position(|byte| *byte == 0)?;
            rest = &tail[end + 1..];
            Some((code, &tail[..end]))
        })
    }

    pub fn field(self, code: u8) -> Option<&'a str> {
        let mut fields = self.fields();
        let (_, value) = fields.find(|(found, _)| *found == code)?;
        std::str::from_utf8(value).ok()
    }

    /// SQLSTATE; empty if the report has none.
    pub fn code(self) -> &'a str {
        self.field(b'C').unwrap_or_default()
    }

    pub fn message(self) -> &'a str {
        self.field(b'M').unwrap_or("it gave no reason")
    }

    /// Does the connection end with it? `V` is not translated; servers before 9.6
    /// send `S` alone.
    pub fn ends_connection(self) -> bool {
        matches!(
            self.field(b'V').or_else(|| self.field(b'S')),
            Some("FATAL" | "PANIC")
        )
    }

    /// "cached plan must not change result type": what a prepared statement reads
    /// was altered. The routine's name is not translated.
    pub fn is_stale_statement(self) -> bool {
        self.code() == "0A000" && self.field(b'R') == Some("RevalidateCachedQuery")
    }

    pub fn to_error(self, source: &SourceName) -> Error {
        let error = from_report(
            source,
            &Reported {
                code: self.code(),
                message: self.message(),
                detail: self.field(b'D'),
                hint: self.field(b'H'),
            },
        );
        // schema, table, column, type, constraint, context, and where in the source's code
        b"stcdnWFLR"
            .iter()
            .fold(error, |error, code| match self.field(*code) {
                Some(value) => error.with_field(*code, value),
                None => error,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_malformed_ones_end_the_report() {
        for (body, code, ends) in [
            (&b"SERROR\0VERROR\0C42P01\0Mgone\0\0"[..], "42P01", false),
            (b"SFATAL\0C57P01\0Mbye\0\0", "57P01", true),
            (b"SFEHLER\0VERROR\0C22012\0", "22012", false),
            (b"C57P01", "", false),
            (b"C\xff\xff\0\0", "", false),
            (b"", "", false),
            (b"\0", "", false),
        ] {
            let report = Report::new(body);
            assert_eq!(report.code(), code);
            assert_eq!(report.ends_connection(), ends);
            let error = report.to_error(&SourceName::new("shop"));
            assert!(!error.message().is_empty());
        }
    }
}
