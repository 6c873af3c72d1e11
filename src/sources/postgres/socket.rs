//! The bytes to and from a source: TCP, a Unix socket or TLS over TCP, behind one
//! type. Used by `reach`; knows no message but the SSLRequest.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The SSLRequest, whole.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Where one server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Endpoint {
    pub fn is_local(&self) -> bool {
        match self {
            Endpoint::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Endpoint::Unix(_) => true,
        }
    }

    pub async fn open(&self, config: &tokio_postgres::Config) -> io::Result<Socket> {
        let address = match self {
            Endpoint::Unix(path) => return Ok(Socket::Unix(UnixStream::connect(path).await?)),
            Endpoint::Tcp(address) => address,
        };
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        if config.get_keepalives() {
            let mut keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
            if let Some(interval) = config.get_keepalives_interval() {
                keepalive = keepalive.with_interval(interval);
            }
            if let Some(retries) = config.get_keepalives_retries() {
                keepalive = keepalive.with_retries(retries);
            }
            socket.set_tcp_keepalive(&keepalive)?;
        }
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(config.get_tcp_user_timeout().copied())?;
        Ok(Socket::Tcp(stream))
    }
}

pub(super) enum Socket {
    /// Reads nothing, writes nowhere.
    Closed,
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How to ask for TLS, and what to check.
#[derive(Clone)]
pub(super) struct TlsRequest {
    pub mode: SslMode,
    pub negotiation: SslNegotiation,
    pub config: Arc<ClientConfig>,
    /// What the certificate is checked against.
    pub name: ServerName<'static>,
}

/// What a server said before it proved who it is never reaches a client
/// (CVE-2024-10977); nor may it send anything ahead of the handshake that could
/// pass for a message of the encrypted session (CVE-2021-23222).
pub(super) async fn encrypt(socket: Socket, request: &TlsRequest) -> io::Result<Socket> {
    let Socket::Tcp(mut stream) = socket else {
        return Err(invalid("TLS is for TCP connections"));
    };
    if request.mode == SslMode::Disable {
        return Ok(Socket::Tcp(stream));
    }
    if request.negotiation != SslNegotiation::Direct {
        stream.write_all(&SSL_REQUEST).await?;
        let mut answer = [0; 2];
        match (stream.read(&mut answer).await?, answer[0]) {
            (0, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            (1, b'S') => {}
            (1, b'N') if request.mode == SslMode::Prefer => return Ok(Socket::Tcp(stream)),
            (1, b'N') => return Err(invalid("it does not offer TLS, which sslmode requires")),
            (2.., b'S' | b'N') => return Err(invalid("it sent data in clear ahead of TLS")),
            _ => return Err(invalid("it did not answer the request for TLS")),
        }
    }
    let connector = TlsConnector::from(request.config.clone());
    let stream = connector.connect(request.name.clone(), stream).await?;
    Ok(Socket::Tls(Box::new(stream)))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Socket {
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Socket::Tls(_))
    }

    /// The server's certificate, DER.
    pub fn certificate(&self) -> Option<&[u8]> {
        match self {
            Socket::Tls(stream) => {
                let (_, session) = stream.get_ref();
                session.peer_certificates()?.first().map(AsRef::as_ref)
            }
            _ => None,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Closed => Poll::Ready(Ok(())),
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Closed => Poll::Ready(Ok(())),
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Closed => Poll::Ready(Ok(())),
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
