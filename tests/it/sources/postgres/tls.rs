//! How far each sslmode trusts a server, against one that speaks just enough.

use std::path::PathBuf;
use std::sync::Arc;

use narrows::error::SqlState;
use narrows::sources::Source;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::source;

pub fn data(file: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "tests/it/sources/postgres/tls_data",
        file,
    ]
    .iter()
    .collect()
}

pub fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(data("server.crt"))
        .expect("readable")
        .collect::<Result<Vec<_>, _>>()
        .expect("certificates");
    let key = PrivateKeyDer::from_pem_file(data("server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

/// Refuses every login, saying whether it came over TLS.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let acceptor = acceptor();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, acceptor.clone()));
        }
    });
    port
}

async fn serve(mut socket: TcpStream, acceptor: TlsAcceptor) -> std::io::Result<()> {
    let mut start = [0; 8];
    socket.peek(&mut start).await?;
    if start == [0, 0, 0, 8, 4, 210, 22, 47] {
        socket.read_exact(&mut start).await?;
        socket.write_all(b"S").await?;
        return refuse(acceptor.accept(socket).await?, "seen over TLS").await;
    }
    refuse(socket, "seen in clear").await
}

async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin, why: &str) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    let mut startup = vec![0; length as usize - 4];
    stream.read_exact(&mut startup).await?;
    let fields = format!("SFATAL\0C28000\0M{why}\0\0");
    stream.write_all(b"E").await?;
    stream.write_u32(fields.len() as u32 + 4).await?;
    stream.write_all(fields.as_bytes()).await?;
    stream.flush().await
}

#[tokio::test]
async fn sslmode_decides_whom_to_trust() {
    let port = server().await;
    let file = |name: &str| data(name).display().to_string();
    let (ca, other) = (file("ca.crt"), file("other_ca.crt"));
    for (host, options, expected) in [
        ("localhost", "sslmode=disable".to_string(), "seen in clear"),
        ("localhost", "".to_string(), "seen over TLS"),
        ("localhost", "sslmode=require".to_string(), "seen over TLS"),
        (
            "localhost",
            format!("sslmode=require&sslrootcert={other}"),
            "UnknownIssuer",
        ),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={ca}"),
            "seen over TLS",
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={ca}"),
            "seen over TLS",
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            "seen over TLS",
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            "not valid for name",
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={other}"),
            "UnknownIssuer",
        ),
        (
            "localhost",
            "sslmode=verify-full".to_string(),
            "UnknownIssuer",
        ),
    ] {
        let url = format!("postgres://u:p@{host}:{port}/d?{options}");
        let error = source(&url, "t_tls", 1)
            .discover()
            .await
            .expect_err("refused");
        assert_eq!(
            error.state(),
            SqlState::UNABLE_TO_CONNECT,
            "{host} {options}"
        );
        assert!(
            error.message().contains(expected),
            "{host} {options}: {error}"
        );
    }
}
