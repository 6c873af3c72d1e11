//! One client's socket with what came in and what goes out. Reads whole
//! messages under a length limit, writes with back-pressure, and can watch for
//! the client's leaving while a statement runs. Knows nothing of statements.

use std::io;
use std::pin::Pin;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::backend::Outbox;
use super::frontend::{RawMessage, violation};
use crate::error::{Error, SqlState};

/// A TCP stream, or TLS over one.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

pub struct Channel {
    stream: Box<dyn Transport>,
    pub inbox: BytesMut,
    pub out: Outbox,
}

/// Why no further message comes.
#[derive(Debug)]
pub enum Lost {
    /// The client closed, or the network did.
    Closed,
    /// The client is told this, then the connection ends.
    Protocol(Error),
}

impl From<io::Error> for Lost {
    fn from(_: io::Error) -> Self {
        Lost::Closed
    }
}

/// Bytes asked of the socket at once.
const READ_SIZE: usize = 8 * 1024;

/// Bytes that a client may send ahead while its statement runs.
const READ_AHEAD: usize = 256 * 1024;

impl Channel {
    pub fn new(stream: Box<dyn Transport>) -> Self {
        Channel {
            stream,
            inbox: BytesMut::new(),
            out: Outbox::default(),
        }
    }

    /// The bare stream, for a TLS handshake; the caller has looked at the inbox.
    pub fn into_stream(self) -> Box<dyn Transport> {
        self.stream
    }

    /// At least `count` bytes are in the inbox.
    pub async fn need(&mut self, count: usize) -> Result<(), Lost> {
        while self.inbox.len() < count {
            self.fill().await?;
        }
        Ok(())
    }

    /// One read; memory grows with what came, never with what was announced.
    async fn fill(&mut self) -> Result<(), Lost> {
        self.inbox.reserve(READ_SIZE);
        match self.stream.read_buf(&mut self.inbox).await? {
            0 => Err(Lost::Closed),
            _ => Ok(()),
        }
    }

    /// The next message of at most `limit` bytes. May be dropped while it waits.
    pub async fn message(&mut self, limit: usize) -> Result<RawMessage, Lost> {
        if self.inbox.is_empty() && self.inbox.capacity() > 4 * READ_SIZE {
            self.inbox = BytesMut::new();
        }
        self.need(1).await?;
        let kind = self.inbox[0];
        if !RawMessage::is_known(kind) && kind != b'p' {
            return Err(Lost::Protocol(violation(format!(
                "invalid frontend message type {kind}"
            ))));
        }
        self.need(5).await?;
        let length =
            i32::from_be_bytes([self.inbox[1], self.inbox[2], self.inbox[3], self.inbox[4]]);
        let length = match usize::try_from(length) {
            Ok(length) if length >= 4 => length,
            _ => return Err(Lost::Protocol(violation("invalid message length"))),
        };
        if length > limit {
            return Err(Lost::Protocol(
                Error::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    format!("a message of {length} bytes exceeds the limit of {limit}"),
                )
                .with_hint("Raise message_size in [limits]."),
            ));
        }
        self.need(1 + length).await?;
        self.inbox.advance(5);
        Ok(RawMessage {
            kind,
            body: self.inbox.split_to(length - 4).freeze(),
        })
    }

    /// Everything written so far has left. May be dropped while it waits.
    pub async fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let count = self.stream.write(self.out.unsent()).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.out.advance(count);
        }
        self.stream.flush().await
    }

    /// Returns when the client is gone. Messages that it sends meanwhile stay in
    /// the inbox; past a bound no more are read, and its leaving shows on write.
    pub async fn watch(&mut self) {
        let seen = self.inbox.len();
        loop {
            if self.inbox.len() > READ_AHEAD {
                return std::future::pending().await;
            }
            if self.fill().await.is_err() {
                return;
            }
            if self.terminates(seen) {
                return;
            }
        }
    }

    /// Does a Terminate stand among the messages after the first `seen` bytes?
    fn terminates(&self, seen: usize) -> bool {
        let mut at = 0;
        while let Some(header) = self.inbox.get(at..at + 5) {
            if header[0] == b'X' && at >= seen {
                return true;
            }
            let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
            at = at.saturating_add(1 + length.max(4) as usize);
        }
        false
    }

    /// Flushes while it watches; false when the client is gone.
    pub async fn close(mut self) {
        let _ = self.flush().await;
        let _ = Pin::new(&mut self.stream).shutdown().await;
    }
}
