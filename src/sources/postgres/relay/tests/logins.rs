//! Servers that abuse the login, and what is left of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::sources::Source as _;

/// The error of the relay's login, and of a scan's if there is one, in which the
/// server says `bytes` after the startup message. It hears no password.
async fn logins(bytes: Vec<u8>, options: &str, kinds: &[Kind]) -> Vec<Error> {
    let bytes = Arc::new(bytes);
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let address = server(move |mut socket| {
        let (bytes, heard) = (bytes.clone(), heard.clone());
        async move {
            startup(&mut socket).await?;
            let _ = socket.write_all(&bytes).await;
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
            let _ = heard.send(rest);
            Ok(())
        }
    })
    .await;
    let source = source(&address, &format!("sslmode=disable&{options}"));
    let mut errors = Vec::new();
    for kind in kinds {
        let error = match kind {
            Kind::Relay => lease(&source).await.map(drop),
            Kind::Scan => source.discover().await.map(drop),
        };
        let error = error.expect_err("refused");
        assert!(error.message().contains("\"shop\""), "{error}");
        assert!(!error.log_text().contains("hunter2"));
        let rest = timeout(Duration::from_secs(5), hears.recv()).await;
        let rest = rest.expect("in time").expect("a login");
        let said = rest.windows(7).any(|bytes| bytes == b"hunter2");
        assert!(!said, "{kind:?} said the password: {options}");
        errors.push(error);
    }
    errors
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Relay,
    Scan,
}

async fn login(bytes: Vec<u8>, options: &str) -> Error {
    logins(bytes, options, &[Kind::Relay]).await.remove(0)
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
        for error in logins(bytes, options, &[Kind::Relay, Kind::Scan]).await {
            assert_eq!(
                error.state(),
                SqlState::UNABLE_TO_CONNECT,
                "{options}: {error}"
            );
        }
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
