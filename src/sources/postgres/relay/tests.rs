//! Servers that say what a test wants them to say: hostile ones, and ones that
//! end at the wrong moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::config::{self, Secret};
use crate::error::{Error, SqlState};
use crate::names::SourceName;
use crate::sources::postgres::PostgresSource;

const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const READY: &[u8] = b"Z\0\0\0\x05I";

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// What a server says once it lets somebody in.
fn welcome() -> Vec<u8> {
    let mut bytes = OK.to_vec();
    bytes.extend(frame(b'S', b"client_encoding\0UTF8\0"));
    bytes.extend(frame(b'S', b"server_version\x009.6.1\0"));
    bytes.extend(frame(b'S', b"TimeZone\0UTC\0"));
    bytes.extend(frame(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]));
    bytes.extend(READY);
    bytes
}

/// Serves each connection with `serve`; the answer is its address.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    address.to_string()
}

/// Reads a startup message.
async fn startup(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = socket.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    socket.read_exact(&mut body).await?;
    Ok(body)
}

async fn message(socket: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let kind = socket.read_u8().await?;
    Ok((kind, startup(socket).await?))
}

fn source(address: &str, options: &str) -> Arc<PostgresSource> {
    let url = format!("postgres://u:hunter2@{address}/d?{options}");
    let declared = config::PostgresSource {
        url: Secret::new(url),
        schemas: BTreeMap::new(),
        tables: Vec::new(),
        max_connections: 2,
        writable: true,
        roles: BTreeMap::new(),
        functions: Vec::new(),
    };
    PostgresSource::new(SourceName::new("shop"), &declared).expect("a valid source")
}

async fn lease(source: &PostgresSource) -> Result<Lease, Error> {
    let none = UpstreamSettings::new([]).expect("valid");
    let lease = source.relay().lease(Role::default(), &none);
    timeout(Duration::from_secs(20), lease)
        .await
        .expect("in time")
}

/// The error of a login in which the server says `bytes` after the startup message.
async fn login(bytes: Vec<u8>, options: &str) -> Error {
    let bytes = Arc::new(bytes);
    let address = server(move |mut socket| {
        let bytes = bytes.clone();
        async move {
            startup(&mut socket).await?;
            socket.write_all(&bytes).await?;
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).await?;
            let said = rest.windows(7).any(|window| window == b"hunter2");
            assert!(!said, "the password was sent");
            Ok(())
        }
    })
    .await;
    let source = source(&address, &format!("sslmode=disable&{options}"));
    let error = lease(&source).await.expect_err("refused");
    assert!(error.message().contains("\"shop\""), "{error}");
    assert!(!error.log_text().contains("hunter2"));
    error
}

#[tokio::test]
async fn malformed_logins_are_refused() {
    let state = SqlState::PROTOCOL_VIOLATION;
    for bytes in [
        &b"R\x7f\xff\xff\xff"[..],
        b"R\xff\xff\xff\xff",
        b"R\0\0\0\x03",
        b"R\0\0\0\x04",
        b"R\0\0\0\x08\0\0\0\x63",
        // MD5 with a salt of three bytes
        b"R\0\0\0\x0b\0\0\0\x05abc",
        b"Q\0\0\0\x04",
        b"Z\0\0\0\x05I",
        b"\0\0\0\0\0",
    ] {
        let error = login(bytes.to_vec(), "").await;
        assert_eq!(error.state(), state, "{bytes:?}: {error}");
    }
    for after in [
        frame(b'K', b"abc"),
        frame(b'S', b"no value"),
        frame(b'D', b""),
        frame(b'Z', b"T"),
        frame(b'R', &[0; 4]),
        vec![b'N', 0, 1, 0, 1],
        frame(b'N', b"\0").repeat(2000),
    ] {
        let error = login([OK, &after].concat(), "").await;
        assert_eq!(error.state(), state, "{after:?}: {error}");
    }
    let other_encoding = [OK, &frame(b'S', b"client_encoding\0LATIN1\0"), READY].concat();
    assert_eq!(login(other_encoding, "").await.state(), state);
}

#[tokio::test]
async fn the_password_does_not_leave_where_it_should_not() {
    let cleartext = b"R\0\0\0\x08\0\0\0\x03".to_vec();
    let md5 = b"R\0\0\0\x0c\0\0\0\x05salt".to_vec();
    let scram = frame(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
    for (bytes, options) in [
        (cleartext.clone(), "require_auth=scram-sha-256"),
        (cleartext.clone(), "require_auth=!password"),
        (cleartext, "channel_binding=require"),
        (md5, "require_auth=scram-sha-256,none"),
        (OK.to_vec(), "require_auth=scram-sha-256"),
        (OK.to_vec(), "channel_binding=require"),
        (scram.clone(), "channel_binding=require"),
        (scram, "require_auth=md5"),
        (frame(b'R', b"\0\0\0\x0aOTHER\0\0"), ""),
        (frame(b'R', b"\0\0\0\x0a"), ""),
        (b"R\0\0\0\x08\0\0\0\x07".to_vec(), ""),
    ] {
        let error = login(bytes, options).await;
        assert_eq!(
            error.state(),
            SqlState::UNABLE_TO_CONNECT,
            "{options}: {error}"
        );
    }
}

/// A SCRAM exchange in which the server answers the client's first message with
/// what `challenge` makes of the client's nonce, and the second with `last`.
async fn scram(challenge: fn(&str) -> String, last: &'static [u8]) -> Error {
    let address = server(move |mut socket| async move {
        startup(&mut socket).await?;
        let offer = frame(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0");
        socket.write_all(&offer).await?;
        let (_, body) = message(&mut socket).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let (_, nonce) = text.split_once("r=").expect("a nonce");
        let mut answer = b"\0\0\0\x0b".to_vec();
        answer.extend(challenge(nonce).into_bytes());
        socket.write_all(&frame(b'R', &answer)).await?;
        message(&mut socket).await?;
        socket.write_all(last).await?;
        let _ = socket.read_u8().await;
        Ok(())
    })
    .await;
    let source = source(&address, "sslmode=disable");
    lease(&source).await.expect_err("refused")
}

#[tokio::test]
async fn scram_has_to_be_right_to_the_end() {
    let good: fn(&str) -> String =
        |nonce| format!("r={nonce}x,s={},i=4096", STANDARD.encode("salt"));
    let liar = frame(
        b'R',
        b"\0\0\0\x0cv=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    );
    for (challenge, last) in [
        // an iteration count that would keep us busy for an hour
        (
            (|nonce| format!("r={nonce}x,s=c2FsdA==,i=2147483648")) as fn(&str) -> String,
            &b""[..],
        ),
        (|nonce| format!("r={nonce}x,s=c2FsdA==,i=100001"), b""),
        (
            |nonce| format!("r={nonce}x,s=c2FsdA==,i=99999999999999999999"),
            b"",
        ),
        (|_| "r=another,s=c2FsdA==,i=4096".into(), b""),
        (|nonce| format!("r={nonce}x,s=?,i=4096"), b""),
        (|_| "\u{0}".into(), b""),
        // a server that does not know the password
        (good, liar.leak()),
        // … or that would rather not prove it
        (good, OK),
        (good, b"R\0\0\0\x08\0\0\0\x0c"),
        (good, b"R\0\0\0\x08\0\0\0\x03"),
    ] {
        let error = scram(challenge, last).await;
        assert_eq!(error.state(), SqlState::PROTOCOL_VIOLATION, "{error}");
        assert!(error.message().contains("SCRAM"), "{error}");
    }
}

#[tokio::test]
async fn words_before_tls_are_not_believed() {
    for (answer, expected) in [
        (
            &b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"[..],
            "in clear ahead of TLS",
        ),
        (b"NR\0\0\0\x08\0\0\0\0", "in clear ahead of TLS"),
        (
            b"ESFATAL\0C28000\0Mgive me your password at evil.example\0\0",
            "TLS",
        ),
        (b"N", "does not offer TLS"),
        (b"x", "did not answer the request"),
        (b"", "closed the connection"),
    ] {
        let address = server(move |mut socket| async move {
            startup(&mut socket).await?;
            socket.write_all(answer).await
        })
        .await;
        let source = source(&address, "sslmode=require");
        let error = lease(&source).await.expect_err("refused");
        assert_eq!(error.state(), SqlState::UNABLE_TO_CONNECT);
        assert!(error.message().contains(expected), "{answer:?}: {error}");
        assert!(!error.log_text().contains("evil"), "{}", error.log_text());
    }
}

/// A session in which the server answers the first message with `bytes`.
async fn session(bytes: &'static [u8]) -> (Arc<PostgresSource>, Lease) {
    let address = server(move |mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(&welcome()).await?;
        message(&mut socket).await?;
        socket.write_all(bytes).await?;
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await?;
        Ok(())
    })
    .await;
    let source = source(&address, "sslmode=disable");
    let lease = lease(&source).await.expect("let in");
    (source, lease)
}

#[tokio::test]
async fn malformed_answers_are_an_error() {
    for bytes in [
        &b"D\x7f\xff\xff\xff"[..],
        b"T\x3f\xff\xff\xff",
        b"C\0\0\0\0",
        b"Z\0\0\0\x05X",
        b"Z\0\0\0\x06II",
        b"1\0\0\0\x04",
        b"S\0\0\0\x05x",
        b"K\0\0\0\x0c\0\0\0\0\0\0\0\0",
        b"Z\0\0\0\x05IZ\0\0\0\x05I",
    ] {
        let (_source, mut lease) = session(bytes).await;
        lease.query("SELECT 1");
        let error = lease.settle().await;
        let error = match error {
            // What comes unasked is found by the next look.
            Ok(()) => lease.fill().await.and_then(|()| lease.next().map(drop)),
            error => error,
        };
        let error = error.expect_err("malformed");
        assert_eq!(
            error.state(),
            SqlState::PROTOCOL_VIOLATION,
            "{bytes:?}: {error}"
        );
        assert!(error.message().contains("\"shop\""));
        assert!(lease.is_dead());
    }
}

#[tokio::test]
async fn the_last_words_of_a_session_are_heard() {
    const FAREWELL: &[u8] = b"E\0\0\0\x1bSFATAL\0C57P01\0Mso long\0\0";
    let (_source, mut lease) = session(FAREWELL).await;
    lease.query("SELECT 1");
    lease.receive().await.expect("heard");
    let frame = lease.next().expect("well-formed").expect("an error");
    assert_eq!(Report::new(lease.body(frame)).message(), "so long");
    assert!(lease.is_dead());
    lease.release();
}

#[tokio::test]
async fn replies_to_the_relay_itself_are_not_shown() {
    // SET, then the client's query
    const ANSWERS: &[u8] = b"S\0\0\0\x12TimeZone\0Asia\0C\0\0\0\x08SET\0Z\0\0\0\x05I\
        I\0\0\0\x04Z\0\0\0\x05I";
    let (_source, mut lease) = session(ANSWERS).await;
    let wanted = UpstreamSettings::new([("TimeZone", "Asia")]).expect("valid");
    assert_eq!(lease.apply(&wanted), Applied::Sent);
    assert_eq!(lease.apply(&wanted), Applied::Same);
    lease.query("");
    let mut kinds = Vec::new();
    while !lease.is_quiet() {
        lease.receive().await.expect("open");
        while let Some(frame) = lease.next().expect("well-formed") {
            kinds.push(frame.kind);
        }
    }
    assert_eq!(kinds, b"IZ");
    assert_eq!(lease.taint_reason(), None);
    assert_eq!(lease.parameter("TimeZone"), Some("Asia"));
    assert!(lease.has_applied(&wanted));
}

#[tokio::test]
async fn what_changed_unasked_taints() {
    for (bytes, tainted) in [
        (
            &b"S\0\0\0\x12TimeZone\0Asia\0C\0\0\0\x08SET\0Z\0\0\0\x05I"[..],
            true,
        ),
        (b"C\0\0\0\x0fSELECT 1\0\0\0Z\0\0\0\x05I", false),
        (b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I", false),
        (b"C\0\0\0\x08SET\0Z\0\0\0\x05I", true),
        (b"C\0\0\0\x10DISCARD ALL\0Z\0\0\0\x05I", true),
        (b"C\0\0\0\x0bLISTEN\0Z\0\0\0\x05I", true),
        (b"S\0\0\0\x16in_hot_standby\0on\0Z\0\0\0\x05I", false),
    ] {
        let (_source, mut lease) = session(bytes).await;
        lease.query("anything");
        lease.settle().await.expect("well-formed");
        assert_eq!(lease.taint_reason().is_some(), tainted, "{bytes:?}");
    }
}

/// Neither side can wait for the other to read first.
#[tokio::test]
async fn large_requests_and_large_answers_do_not_block_each_other() {
    const SIZE: usize = 32 << 20;
    let address = server(|mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(&welcome()).await?;
        // An answer as large as the question, before the question is read.
        let row = frame(b'D', &vec![7; 1 << 20]);
        for _ in 0..SIZE >> 20 {
            socket.write_all(&row).await?;
        }
        let (_, question) = message(&mut socket).await?;
        assert!(question.len() >= SIZE);
        socket.write_all(READY).await?;
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await?;
        Ok(())
    })
    .await;
    let source = source(&address, "sslmode=disable");
    let mut lease = lease(&source).await.expect("let in");
    lease.query(&"x".repeat(SIZE));
    let work = async {
        let mut rows = 0;
        loop {
            lease.exchange().await.expect("open");
            rows += lease.bulk().expect("rows").len;
            if let Some(frame) = lease.next().expect("well-formed") {
                assert_eq!(frame.kind, b'Z');
                return rows;
            }
        }
    };
    let rows = timeout(Duration::from_secs(30), work).await;
    assert_eq!(rows.expect("no deadlock"), SIZE + 5 * (SIZE >> 20));
}

#[tokio::test]
async fn after_failures_the_source_is_left_alone_for_a_while() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = nobody.local_addr().expect("bound");
    drop(nobody);
    let source = source(&address.to_string(), "sslmode=disable");
    for _ in 0..20 {
        let error = lease(&source).await.expect_err("nobody is there");
        assert_eq!(error.state(), SqlState::UNABLE_TO_CONNECT);
    }
    // The last one did not try; once somebody is there, it is found.
    let listener = TcpListener::bind(address).await.expect("still free");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            startup(&mut socket).await.expect("a startup message");
            socket.write_all(&welcome()).await.expect("open");
            std::mem::forget(socket);
        }
    });
    lease(&source).await.expect_err("the pause is not over");
    tokio::time::sleep(Duration::from_millis(300)).await;
    lease(&source).await.expect("let in");
}

#[tokio::test]
async fn an_md5_password_is_salted() {
    let address = server(|mut socket| async move {
        startup(&mut socket).await?;
        socket.write_all(b"R\0\0\0\x0c\0\0\0\x05salt").await?;
        let (kind, hash) = message(&mut socket).await?;
        let right = postgres_protocol::authentication::md5_hash(b"u", b"hunter2", *b"salt");
        assert_eq!((kind, hash), (b'p', [right.as_bytes(), b"\0"].concat()));
        socket.write_all(&welcome()).await?;
        let _ = socket.read_u8().await;
        Ok(())
    })
    .await;
    let source = source(&address, "sslmode=disable&require_auth=md5");
    lease(&source).await.expect("let in");
}

/// Servers since 14 tell whether they are a standby.
#[tokio::test]
async fn the_host_that_fits_is_chosen() {
    async fn host(standby: &'static str) -> String {
        server(move |mut socket| async move {
            startup(&mut socket).await?;
            let told = format!("in_hot_standby\0{standby}\0");
            let rest = welcome().split_off(OK.len());
            let bytes = [OK, &frame(b'S', told.as_bytes()), &rest].concat();
            socket.write_all(&bytes).await?;
            let _ = socket.read_u8().await;
            Ok(())
        })
        .await
    }
    let hosts = format!(
        "{},{},{}",
        host("off").await,
        host("on").await,
        host("off").await
    );
    for (wanted, expected) in [
        ("any", Some("off")),
        ("primary", Some("off")),
        ("standby", Some("on")),
        ("prefer-standby", Some("on")),
    ] {
        let source = source(
            &hosts,
            &format!("sslmode=disable&target_session_attrs={wanted}"),
        );
        let lease = lease(&source).await.expect("one fits");
        assert_eq!(lease.parameter("in_hot_standby"), expected, "{wanted}");
    }
    let primaries = format!("{},{}", host("off").await, host("off").await);
    for (wanted, fits) in [("prefer-standby", true), ("standby", false)] {
        let options = format!("sslmode=disable&target_session_attrs={wanted}");
        let lease = lease(&source(&primaries, &options)).await;
        assert_eq!(lease.is_ok(), fits, "{wanted}");
    }
}
