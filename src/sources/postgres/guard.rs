//! The socket that scans log in over, watched until the login is through:
//! `tokio_postgres` would give its password to whoever asks, and make room for
//! as much as a server announces. Called by `connection`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::end_point::tls_server_end_point;
use super::policy::{AuthMethod, AuthPolicy, Channel};
use super::socket::Socket;

/// Nothing in a login is nearly as long.
const LONGEST: u32 = 64 << 10;

/// An encrypted socket, or one in clear, that needs no handshake any more.
pub(super) struct Guarded {
    socket: Socket,
    watch: Option<Watch>,
}

impl Guarded {
    pub fn new(socket: Socket, policy: AuthPolicy, channel: Channel) -> Self {
        Guarded {
            socket,
            watch: Some(Watch {
                policy,
                channel,
                head: [0; 9],
                have: 0,
                skip: 0,
                asked: false,
            }),
        }
    }

    /// For a cancel request, which is no login.
    pub fn unwatched(socket: Socket) -> Self {
        Guarded {
            socket,
            watch: None,
        }
    }
}

/// What `tokio_postgres` takes for its TLS handshake, which is over already.
pub(super) struct HandOver;

impl TlsConnect<Guarded> for HandOver {
    type Stream = Guarded;
    type Error = Infallible;
    type Future = Ready<Result<Guarded, Infallible>>;

    fn connect(self, stream: Guarded) -> Self::Future {
        ready(Ok(stream))
    }
}

impl TlsStream for Guarded {
    fn channel_binding(&self) -> ChannelBinding {
        match self.socket.certificate().and_then(tls_server_end_point) {
            Some(hash) => ChannelBinding::tls_server_end_point(hash),
            None => ChannelBinding::none(),
        }
    }
}

/// Reads along: kind, length and the code of authentication requests.
struct Watch {
    policy: AuthPolicy,
    channel: Channel,
    head: [u8; 9],
    have: usize,
    /// Bytes of the message that are of no interest.
    skip: usize,
    /// The server asked for something before it was content.
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Login,
    /// Authentication is over.
    End,
}

impl Watch {
    fn see(&mut self, mut bytes: &[u8]) -> Result<Seen, &'static str> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            bytes = rest;
            self.head[self.have] = *first;
            self.have += 1;
            let [kind, a, b, c, d, code @ ..] = self.head;
            let length = u32::from_be_bytes([a, b, c, d]);
            match (self.have, kind) {
                (..5, _) => {}
                (5, _) if !(4..=LONGEST).contains(&length) => {
                    return Err("a message of the login has a length that cannot be");
                }
                (5, b'R') if length >= 8 => {}
                (5, _) => self.pass(length - 4),
                (9, _) => {
                    if self.judge(u32::from_be_bytes(code))? == Seen::End {
                        return Ok(Seen::End);
                    }
                    self.pass(length - 8);
                }
                _ => {}
            }
        }
        Ok(Seen::Login)
    }

    fn pass(&mut self, bytes: u32) {
        self.have = 0;
        self.skip = bytes as usize;
    }

    fn judge(&mut self, code: u32) -> Result<Seen, &'static str> {
        let method = match code {
            0 if self.asked => return Ok(Seen::End),
            0 => AuthMethod::None,
            3 => AuthMethod::Password,
            5 => AuthMethod::Md5,
            10 => AuthMethod::Scram,
            // The messages of SASL, and what is refused elsewhere.
            _ => return Ok(Seen::Login),
        };
        self.asked = true;
        match self.policy.refusal(method, self.channel) {
            Some(why) => Err(why),
            None if method == AuthMethod::None => Ok(Seen::End),
            None => Ok(Seen::Login),
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.socket).poll_read(cx, buf);
        if let (Some(watch), Poll::Ready(Ok(()))) = (&mut this.watch, &polled) {
            match watch.see(&buf.filled()[before..]) {
                Ok(Seen::Login) => {}
                Ok(Seen::End) => this.watch = None,
                Err(why) => {
                    buf.set_filled(before);
                    return Poll::Ready(Err(io::Error::other(why)));
                }
            }
        }
        polled
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the pieces the bytes come in.
    fn check(policy: &str, bytes: &[u8], expected: Result<Seen, ()>) {
        for size in 1..=bytes.len() {
            let policy = AuthPolicy::parse(policy).unwrap_or_default();
            let guarded = Guarded::new(Socket::Closed, policy, Channel::Clear);
            let mut watch = guarded.watch.expect("it watches");
            let mut seen = Ok(Seen::Login);
            for piece in bytes.chunks(size) {
                seen = watch.see(piece).map_err(drop);
                if seen != Ok(Seen::Login) {
                    break;
                }
            }
            assert_eq!(
                seen,
                expected,
                "{policy:?} {bytes:?} by {size}",
                policy = watch.policy
            );
        }
    }

    #[test]
    fn a_login_is_watched_to_its_end() {
        const SCRAM: &[u8] = b"R\0\0\0\x18\0\0\0\x0aSCRAM-SHA-256\0\0\0";
        const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
        let notice = b"N\0\0\0\x06\0\0".as_slice();
        for (policy, bytes, expected) in [
            ("", OK.to_vec(), Ok(Seen::End)),
            ("!none", OK.to_vec(), Err(())),
            ("!none", [SCRAM, OK].concat(), Ok(Seen::End)),
            (
                "scram-sha-256",
                [notice, SCRAM, notice].concat(),
                Ok(Seen::Login),
            ),
            ("scram-sha-256", [notice, notice, OK].concat(), Err(())),
            ("md5", SCRAM.to_vec(), Err(())),
            // the password in clear, to nobody known
            ("", b"R\0\0\0\x08\0\0\0\x03".to_vec(), Err(())),
            (
                "password",
                b"R\0\0\0\x08\0\0\0\x03".to_vec(),
                Ok(Seen::Login),
            ),
            ("", b"R\0\0\0\x0c\0\0\0\x05salt".to_vec(), Ok(Seen::Login)),
            ("", b"R\0\0\0\x03".to_vec(), Err(())),
            ("", b"E\x7f\xff\xff\xff".to_vec(), Err(())),
            ("", b"R\0\0\0\x04E\0\0\0\x05\0".to_vec(), Ok(Seen::Login)),
        ] {
            check(policy, &bytes, expected);
        }
    }
}
