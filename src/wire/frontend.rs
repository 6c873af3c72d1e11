//! What clients send after startup, decoded from one complete message. Called
//! by `connection`; does no IO. Section 55.7 "Message Formats".
//!
//! Every read is checked against the message's own end, text must be UTF-8, and
//! nothing is reserved by a count that the client only claims.

use bytes::Bytes;

use crate::error::{Error, Result, SqlState};

#[derive(Debug)]
pub enum Frontend {
    Query(String),
    Parse(Parse),
    Bind(Bind),
    Describe(Target),
    Close(Target),
    Execute {
        portal: String,
        max_rows: i32,
    },
    Flush,
    Sync,
    Terminate,
    FunctionCall,
    /// CopyData, CopyDone and CopyFail: ignored outside COPY, as Postgres does.
    Copy,
}

#[derive(Debug)]
pub struct Parse {
    pub name: String,
    pub query: String,
    /// 0: left open.
    pub types: Vec<u32>,
}

#[derive(Debug)]
pub struct Bind {
    pub portal: String,
    pub statement: String,
    /// Formats and values, unread: a source that they are for reads them itself.
    pub rest: Bytes,
}

#[derive(Debug)]
pub struct BindValues {
    pub parameter_formats: Vec<i16>,
    pub parameters: Vec<Option<Bytes>>,
    pub result_formats: Vec<i16>,
}

impl Bind {
    pub fn values(&self) -> Result<BindValues> {
        let mut body = Body(self.rest.clone());
        let values = body.bind_values()?;
        body.end()?;
        Ok(values)
    }

    /// 22021 for a parameter in text format that is no UTF-8, before a source
    /// reads it. Whatever else is wrong is for the source to say.
    pub fn check_text(&self) -> Result<()> {
        if self.rest.is_ascii() {
            return Ok(());
        }
        let Ok(BindValues {
            parameter_formats,
            parameters,
            ..
        }) = self.values()
        else {
            return Ok(());
        };
        for (position, value) in parameters.iter().enumerate() {
            let format = match parameter_formats.as_slice() {
                [] => 0,
                [all] => *all,
                each => each.get(position).copied().unwrap_or(0),
            };
            if let (0, Some(value)) = (format, value) {
                utf8(value)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
pub enum Target {
    Statement(String),
    Portal(String),
}

/// A whole message: its type byte and body, length left out.
#[derive(Debug)]
pub struct RawMessage {
    pub kind: u8,
    pub body: Bytes,
}

impl RawMessage {
    /// Is an error in it answered once and then skipped to Sync?
    pub fn is_extended(&self) -> bool {
        matches!(self.kind, b'P' | b'B' | b'D' | b'C' | b'E' | b'H')
    }

    pub fn decode(self) -> Result<Frontend> {
        let mut body = Body(self.body);
        let message = match self.kind {
            b'Q' => Frontend::Query(body.text()?),
            b'P' => Frontend::Parse(body.parse()?),
            b'B' => {
                return Ok(Frontend::Bind(Bind {
                    portal: body.text()?,
                    statement: body.text()?,
                    rest: body.rest(),
                }));
            }
            b'D' => Frontend::Describe(body.target("DESCRIBE")?),
            b'C' => Frontend::Close(body.target("CLOSE")?),
            b'E' => Frontend::Execute {
                portal: body.text()?,
                max_rows: body.i32()?,
            },
            b'H' => Frontend::Flush,
            b'S' => Frontend::Sync,
            b'X' => return Ok(Frontend::Terminate),
            b'F' => return Ok(Frontend::FunctionCall),
            _ => return Ok(Frontend::Copy),
        };
        body.end()?;
        Ok(message)
    }

    /// Types that exist at all; anything else ends the connection.
    pub fn is_known(kind: u8) -> bool {
        matches!(
            kind,
            b'Q' | b'P'
                | b'B'
                | b'D'
                | b'C'
                | b'E'
                | b'H'
                | b'S'
                | b'X'
                | b'F'
                | b'd'
                | b'c'
                | b'f'
        )
    }
}

/// The unread rest of a message.
pub struct Body(pub Bytes);

impl Body {
    fn take(&mut self, length: usize) -> Result<Bytes> {
        if length > self.0.len() {
            return Err(violation("insufficient data left in message"));
        }
        Ok(self.0.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        <[u8; N]>::try_from(bytes.as_ref())
            .map_err(|_| violation("insufficient data left in message"))
    }

    pub fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// A count: unsigned, as Postgres 14 and later read it.
    fn count(&mut self) -> Result<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    /// Bytes up to and without a zero byte.
    pub fn string(&mut self) -> Result<Bytes> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            return Err(violation("invalid string in message"));
        };
        let bytes = self.0.split_to(end);
        self.0 = self.0.slice(1..);
        Ok(bytes)
    }

    pub fn text(&mut self) -> Result<String> {
        utf8(&self.string()?).map(str::to_string)
    }

    /// `None` for the length -1.
    pub fn sized(&mut self) -> Result<Option<Bytes>> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length)
                    .map_err(|_| violation("insufficient data left in message"))?;
                self.take(length).map(Some)
            }
        }
    }

    pub fn rest(self) -> Bytes {
        self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(violation("invalid message format"))
        }
    }

    fn formats(&mut self) -> Result<Vec<i16>> {
        let count = self.count()?;
        let mut formats = Vec::with_capacity(count.min(self.0.len() / 2));
        for _ in 0..count {
            formats.push(match self.i16()? {
                format @ (0 | 1) => format,
                other => {
                    return Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("unsupported format code: {other}"),
                    ));
                }
            });
        }
        Ok(formats)
    }

    fn parse(&mut self) -> Result<Parse> {
        let name = self.text()?;
        let query = self.text()?;
        let count = self.count()?;
        let mut types = Vec::with_capacity(count.min(self.0.len() / 4));
        for _ in 0..count {
            types.push(self.array().map(u32::from_be_bytes)?);
        }
        Ok(Parse { name, query, types })
    }

    fn bind_values(&mut self) -> Result<BindValues> {
        let parameter_formats = self.formats()?;
        let count = self.count()?;
        let mut parameters = Vec::with_capacity(count.min(self.0.len() / 4));
        for _ in 0..count {
            parameters.push(self.sized()?);
        }
        Ok(BindValues {
            parameter_formats,
            parameters,
            result_formats: self.formats()?,
        })
    }

    fn target(&mut self, message: &str) -> Result<Target> {
        match self.array::<1>()?[0] {
            b'S' => self.text().map(Target::Statement),
            b'P' => self.text().map(Target::Portal),
            other => Err(violation(format!(
                "invalid {message} message subtype {other}"
            ))),
        }
    }
}

pub fn violation(message: impl Into<String>) -> Error {
    Error::new(SqlState::PROTOCOL_VIOLATION, message)
}

/// 22021 with the first bad bytes, in Postgres's words.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let start = error.valid_up_to();
        let length = match bytes[start] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let bad: Vec<String> = bytes[start..bytes.len().min(start + length)]
            .iter()
            .map(|byte| format!("0x{byte:02x}"))
            .collect();
        Error::new(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            format!(
                "invalid byte sequence for encoding \"UTF8\": {}",
                bad.join(" ")
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_in_text_are_utf8() {
        // formats, values, no result formats
        for (rest, good) in [
            (&b"\0\0\0\x01\0\0\0\x02\xc3\xa9\0\0"[..], true),
            (b"\0\0\0\x01\0\0\0\x01\xc3\0\0", false),
            (b"\0\x01\0\x01\0\x01\0\0\0\x01\xc3\0\0", true),
            (b"\0\0\0\x01\xff\xff\xff\xff\0\0", true),
            // cut short: for the source to refuse
            (b"\0\0\0\x01\0\0\0\x09\xc3", true),
        ] {
            let bind = Bind {
                portal: String::new(),
                statement: String::new(),
                rest: Bytes::copy_from_slice(rest),
            };
            assert_eq!(bind.check_text().is_ok(), good, "{rest:?}");
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Result<Frontend> {
        let message = RawMessage {
            kind,
            body: Bytes::copy_from_slice(body),
        }
        .decode()?;
        if let Frontend::Bind(bind) = &message {
            bind.values()?;
        }
        Ok(message)
    }

    fn state(kind: u8, body: &[u8]) -> SqlState {
        decode(kind, body).expect_err("must be refused").state()
    }

    #[test]
    fn truncated_and_overlong_messages_are_refused() {
        for (kind, body) in [
            (b'Q', &b"select 1"[..]),
            (b'Q', b"select 1\0x"),
            (b'P', b"\0select 1\0\0"),
            (b'P', b"\0select 1\0\xff\xff\0\0\0\x17"),
            (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff"),
            (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            (b'B', b"\0\0\0\0\xff\xff"),
            (b'E', b"\0\0\0"),
            (b'D', b"Zx\0"),
            (b'D', b""),
            (b'S', b"x"),
        ] {
            assert_eq!(state(kind, body), SqlState::PROTOCOL_VIOLATION, "{body:?}");
        }
    }

    #[test]
    fn text_is_utf8() {
        let error = decode(b'Q', b"select '\xe2\x28'\0").expect_err("must be refused");
        assert_eq!(error.state(), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
        assert_eq!(
            error.message(),
            "invalid byte sequence for encoding \"UTF8\": 0xe2 0x28 0x27"
        );
    }

    #[test]
    fn a_bind_has_nulls_and_formats() {
        let Ok(Frontend::Bind(bind)) = decode(
            b'B',
            b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x01a\0\x01\0\x00",
        ) else {
            panic!("must decode");
        };
        assert_eq!((bind.portal.as_str(), bind.statement.as_str()), ("p", "s"));
        let bind = bind.values().expect("valid");
        assert_eq!(bind.parameters, [None, Some(Bytes::from_static(b"a"))]);
        assert_eq!(bind.result_formats, [0]);
    }
}
