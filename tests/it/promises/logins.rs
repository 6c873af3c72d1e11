//! Promise 13: what the server trusts of a source before it knows who that is,
//! for scans and the relay alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::proxy::{Answerer, End, Mode};
use super::rig::{Declared, ROUTES, Rig, error_of, rig, says_source_failed, until};
use crate::sources::postgres::tls;
use crate::wire::client::*;

const COUNT: &str = "SELECT count(*) FROM shop.items";

fn with_root(mode: &str) -> &'static str {
    let root = tls::data("ca.crt");
    // as long as the test's process
    Box::leak(
        format!(
            "sslmode={mode}&sslrootcert={}&connect_timeout=2",
            root.display()
        )
        .into_boxed_str(),
    )
}

/// The error that every route ends with, within the time for a connect.
fn refused(rig: &Rig, what: &str) -> Vec<Message> {
    rig.proxy.end(End::Close);
    let mut errors = Vec::new();
    for route in ROUTES {
        let mut client = rig.client(route);
        let started = Instant::now();
        let messages = client.query(COUNT);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{route:?} {what}"
        );
        let error = error_of(&messages).unwrap_or_else(|got| panic!("{route:?} {what}: {got}"));
        says_source_failed(error);
        errors.push(error.clone());
    }
    errors
}

#[test]
fn promise_13_a_server_is_checked_as_far_as_sslmode_says() {
    for (host, options, trusted) in [
        ("localhost", with_root("verify-full"), true),
        ("localhost", with_root("verify-ca"), true),
        ("127.0.0.1", with_root("verify-ca"), true),
        // not the certificate's name
        ("127.0.0.1", with_root("verify-full"), false),
        // not signed by anybody that the system knows
        ("localhost", "sslmode=verify-full&connect_timeout=2", false),
        ("localhost", "sslmode=require&connect_timeout=2", true),
    ] {
        let Some(rig) = rig(&Declared {
            host,
            options,
            mode: Mode::Encrypt(tls::acceptor()),
            ..Declared::default()
        }) else {
            return;
        };
        for route in ROUTES {
            let mut client = rig.client(route);
            let messages = client.query(COUNT);
            match (trusted, error_of(&messages)) {
                (true, Err(got)) => assert_eq!(got, "TDCZ", "{host} {options} {route:?}"),
                (false, Ok(error)) => says_source_failed(error),
                (_, said) => panic!("{host} {options} {route:?}: {said:?}"),
            }
        }
    }
}

fn error(text: &str) -> Vec<u8> {
    message(
        b'E',
        format!("SFATAL\0VFATAL\0C28P01\0M{text}\0\0").as_bytes(),
    )
}

#[test]
fn promise_13_words_before_tls_are_not_shown_nor_believed() {
    let Some(rig) = rig(&Declared {
        host: "localhost",
        options: with_root("verify-full"),
        mode: Mode::Encrypt(tls::acceptor()),
        ..Declared::default()
    }) else {
        return;
    };
    let words = "send your password to evil.example";
    for (what, answer) in [
        ("an error instead of an answer", error(words)),
        (
            "data ahead of the handshake",
            [b"S".to_vec(), error(words)].concat(),
        ),
        (
            "no TLS, and a welcome",
            [b"N".to_vec(), message(b'R', &[0; 4])].concat(),
        ),
        ("no TLS", b"N".to_vec()),
        ("something else", b"?".to_vec()),
    ] {
        rig.proxy
            .set(Mode::Answer(Arc::new(move |_| answer.clone())));
        for error in refused(&rig, what) {
            assert!(!error.text().contains("evil"), "{what}: {}", error.text());
        }
        let heard = rig.proxy.heard();
        assert!(!heard.windows(7).any(|part| part == b"startup"), "{what}");
        let password = rig.source.url.password().expect("a password").to_string();
        assert!(!contains(&heard, &password), "{what}: the password left");
    }
    rig.others_go_on();
    rig.proxy.set(Mode::Encrypt(tls::acceptor()));
    for route in ROUTES {
        let mut client = rig.client(route);
        until("the recovery", Duration::from_secs(6), || {
            kinds(&client.query(COUNT)) == "TDCZ"
        });
    }
}

fn contains(heard: &[u8], text: &str) -> bool {
    heard
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[test]
fn promise_13_the_password_is_kept_where_scram_is_expected_and_scram_is_bounded() {
    let Some(rig) = rig(&Declared {
        options: "sslmode=disable&connect_timeout=2&require_auth=scram-sha-256",
        ..Declared::default()
    }) else {
        return;
    };
    let password = rig.source.url.password().expect("a password").to_string();
    let scram = |iterations: u32| {
        move |said: &[u8]| {
            let text = String::from_utf8_lossy(said).into_owned();
            match text.split_once("r=") {
                None => message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
                Some((_, nonce)) => message(
                    b'R',
                    format!("\0\0\0\x0br={nonce}more,s=c2FsdHNhbHQ=,i={iterations}").as_bytes(),
                ),
            }
        }
    };
    let answers: [(&str, Answerer); 7] = [
        (
            "a request for the password",
            Arc::new(|_| message(b'R', &[0, 0, 0, 3])),
        ),
        (
            "a request for an MD5 hash",
            Arc::new(|_| message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4])),
        ),
        (
            "a welcome without a question",
            Arc::new(|_| [message(b'R', &[0; 4]), message(b'Z', b"I")].concat()),
        ),
        (
            "a million and more iterations",
            Arc::new(scram(2_000_000_000)),
        ),
        ("as many as there are", Arc::new(scram(u32::MAX))),
        ("none", Arc::new(scram(0))),
        (
            "an endless message",
            Arc::new(|_| b"R\x7f\xff\xff\xff\0\0\0\x0a".to_vec()),
        ),
    ];
    for (what, answer) in answers {
        rig.proxy.set(Mode::Answer(answer));
        let started = Instant::now();
        refused(&rig, what);
        assert!(started.elapsed() < Duration::from_secs(6), "{what}");
        assert!(
            !contains(&rig.proxy.heard(), &password),
            "{what}: the password left"
        );
    }
    rig.others_go_on();
    rig.proxy.set(Mode::Pass);
    for route in ROUTES {
        let mut client = rig.client(route);
        until("the recovery", Duration::from_secs(6), || {
            kinds(&client.query(COUNT)) == "TDCZ"
        });
    }
}
