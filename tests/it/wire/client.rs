//! A client that sends any bytes and reads messages; every read has a deadline.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

pub const DEADLINE: Duration = Duration::from_secs(20);

pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

pub struct Client {
    pub stream: Box<dyn Stream>,
    pub socket: TcpStream,
    pub pid: i32,
    pub key: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: char,
    pub body: Vec<u8>,
}

impl Message {
    /// A field of an ErrorResponse or NoticeResponse.
    pub fn field(&self, field: char) -> Option<String> {
        assert!(matches!(self.kind, 'E' | 'N'), "{self:?}");
        self.body
            .split(|byte| *byte == 0)
            .find_map(|part| match part.split_first() {
                Some((first, text)) if char::from(*first) == field => {
                    Some(String::from_utf8_lossy(text).into_owned())
                }
                _ => None,
            })
    }

    pub fn code(&self) -> String {
        self.field('C').expect("every error has a code")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body)
            .trim_end_matches('\0')
            .to_string()
    }

    /// The values of a DataRow.
    pub fn values(&self) -> Vec<Option<Vec<u8>>> {
        assert_eq!(self.kind, 'D');
        let count = u16::from_be_bytes([self.body[0], self.body[1]]);
        let mut at = 2;
        (0..count)
            .map(|_| {
                let length = i32::from_be_bytes(self.body[at..at + 4].try_into().expect("four"));
                at += 4;
                let length = usize::try_from(length).ok()?;
                at += length;
                Some(self.body[at - length..at].to_vec())
            })
            .collect()
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).expect("a connection");
        socket.set_read_timeout(Some(DEADLINE)).expect("set");
        socket.set_nodelay(true).expect("set");
        Client {
            stream: Box::new(socket.try_clone().expect("a clone")),
            socket,
            pid: 0,
            key: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
        self.stream.flush().expect("sent");
    }

    pub fn startup(&mut self, minor: i32, parameters: &[(&str, &str)]) {
        let bytes = startup(3 << 16 | minor, parameters);
        self.send(&bytes);
    }

    /// The next message; `None` when the server closed.
    pub fn read(&mut self) -> Option<Message> {
        let mut header = [0; 5];
        let mut got = 0;
        while got < 5 {
            match self.stream.read(&mut header[got..]) {
                Ok(0) => {
                    assert_eq!(got, 0, "closed inside a message");
                    return None;
                }
                Ok(count) => got += count,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return None,
                Err(error) => panic!("no message came: {error}"),
            }
        }
        let length = u32::from_be_bytes(header[1..].try_into().expect("four"));
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body).expect("a whole message");
        Some(Message {
            kind: char::from(header[0]),
            body,
        })
    }

    /// Messages up to ReadyForQuery, or to the end of the connection.
    pub fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.read() {
            if message.kind == 'K' {
                self.pid = i32::from_be_bytes(message.body[..4].try_into().expect("four"));
                self.key = message.body[4..].to_vec();
            }
            let ready = message.kind == 'Z';
            messages.push(message);
            if ready {
                break;
            }
        }
        messages
    }

    pub fn query(&mut self, sql: &str) -> Vec<Message> {
        self.send(&query(sql));
        self.until_ready()
    }

    /// The rows of a query, as text.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.query(sql)
            .iter()
            .inspect(|message| assert_ne!(message.kind, 'E', "{sql}: {}", message.text()))
            .filter(|message| message.kind == 'D')
            .map(|row| {
                row.values()
                    .into_iter()
                    .map(|value| value.map(|bytes| String::from_utf8(bytes).expect("UTF-8")))
                    .collect()
            })
            .collect()
    }

    /// The one value of a query.
    pub fn value(&mut self, sql: &str) -> String {
        let rows = self.rows(sql);
        rows[0][0].clone().expect("not NULL")
    }

    /// The SQLSTATE that a query ends with.
    pub fn error(&mut self, sql: &str) -> String {
        let messages = self.query(sql);
        let error = messages.iter().find(|message| message.kind == 'E');
        error.unwrap_or_else(|| panic!("{sql}: no error")).code()
    }

    /// Nothing more comes but the end.
    pub fn expect_closed(&mut self) {
        if let Some(message) = self.read() {
            panic!("not closed but {message:?}: {}", message.text());
        }
    }

    pub fn stop_writing(&self) {
        self.socket.shutdown(Shutdown::Write).expect("shut down");
    }
}

/// The kinds of messages, such as `TDCZ`.
pub fn kinds(messages: &[Message]) -> String {
    messages.iter().map(|message| message.kind).collect()
}

/// The status that ReadyForQuery says.
pub fn status(messages: &[Message]) -> char {
    let last = messages.last().expect("a message");
    assert_eq!(last.kind, 'Z', "{}", kinds(messages));
    char::from(last.body[0])
}

pub fn startup(version: i32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    untyped(&body)
}

/// A length and the body: startup, cancel, SSL request.
pub fn untyped(body: &[u8]) -> Vec<u8> {
    let mut bytes = i32::try_from(body.len() + 4)
        .expect("small")
        .to_be_bytes()
        .to_vec();
    bytes.extend_from_slice(body);
    bytes
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(untyped(body));
    bytes
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

pub fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let mut body = format!("{name}\0{sql}\0").into_bytes();
    body.extend(u16::try_from(types.len()).expect("few").to_be_bytes());
    for oid in types {
        body.extend(oid.to_be_bytes());
    }
    message(b'P', &body)
}

pub fn bind(
    portal: &str,
    statement: &str,
    values: &[Option<&[u8]>],
    formats: [&[i16]; 2],
) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    let codes = |body: &mut Vec<u8>, codes: &[i16]| {
        body.extend(u16::try_from(codes.len()).expect("few").to_be_bytes());
        for code in codes {
            body.extend(code.to_be_bytes());
        }
    };
    codes(&mut body, formats[0]);
    body.extend(u16::try_from(values.len()).expect("few").to_be_bytes());
    for value in values {
        match value {
            None => body.extend((-1i32).to_be_bytes()),
            Some(bytes) => {
                body.extend(i32::try_from(bytes.len()).expect("small").to_be_bytes());
                body.extend_from_slice(bytes);
            }
        }
    }
    codes(&mut body, formats[1]);
    message(b'B', &body)
}

pub fn describe(kind: char, name: &str) -> Vec<u8> {
    message(b'D', format!("{kind}{name}\0").as_bytes())
}

pub fn close(kind: char, name: &str) -> Vec<u8> {
    message(b'C', format!("{kind}{name}\0").as_bytes())
}

pub fn execute(portal: &str, max_rows: i32) -> Vec<u8> {
    let mut body = format!("{portal}\0").into_bytes();
    body.extend(max_rows.to_be_bytes());
    message(b'E', &body)
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

pub fn flush() -> Vec<u8> {
    message(b'H', b"")
}
