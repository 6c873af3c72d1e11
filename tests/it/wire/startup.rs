//! Before login: versions, options, lengths, limits on time and number.

use std::time::{Duration, Instant};

use super::client::*;
use super::running::{USERS, start};

#[test]
fn versions_and_options_are_negotiated() {
    let server = start("");
    let first = |minor: i32, parameters: &[(&str, &str)]| {
        let mut client = Client::connect(server.address);
        client.startup(minor, parameters);
        let messages = client.until_ready();
        assert_eq!(status(&messages), 'I');
        (messages[0].clone(), client)
    };
    let (message, client) = first(0, &[("user", "u")]);
    assert_eq!((message.kind, client.key.len()), ('R', 4));
    let (message, client) = first(2, &[("user", "u")]);
    assert_eq!((message.kind, client.key.len()), ('R', 32));
    let (message, _) = first(9999, &[("user", "u")]);
    assert_eq!((message.kind, &message.body[..4]), ('v', &[0, 3, 0, 2][..]));
    let (message, _) = first(0, &[("user", "u"), ("_pq_.odd", "1")]);
    assert_eq!(message.body, b"\0\x03\0\0\0\0\0\x01_pq_.odd\0");
}

#[test]
fn settings_come_with_the_startup_packet() {
    let server = start("");
    let mut client = Client::connect(server.address);
    client.startup(
        0,
        &[
            ("user", "u"),
            ("application_name", "t"),
            ("TimeZone", "asia/tokyo"),
            ("options", "-c DateStyle=German --statement-timeout=5s"),
        ],
    );
    let messages = client.until_ready();
    let statuses: Vec<String> = messages
        .iter()
        .filter(|message| message.kind == 'S')
        .map(|message| message.text().replace('\0', "="))
        .collect();
    for expected in [
        "application_name=t",
        "TimeZone=Asia/Tokyo",
        "DateStyle=German, DMY",
        "client_encoding=UTF8",
        "integer_datetimes=on",
        "session_authorization=u",
        "standard_conforming_strings=on",
    ] {
        assert!(
            statuses.iter().any(|status| status == expected),
            "{expected} in {statuses:?}"
        );
    }
    assert_eq!(client.value("show statement_timeout"), "5s");
    client.query("set statement_timeout = 1; reset statement_timeout");
    assert_eq!(client.value("show statement_timeout"), "5s");
}

#[test]
fn wrong_startups_are_refused_quickly() {
    let server = start("");
    for (parameters, code) in [
        (&[][..], "28000"),
        (&[("user", "")][..], "28000"),
        (&[("user", "u"), ("database", "other")], "3D000"),
        (&[("user", "u"), ("options", "-x")], "42601"),
        (&[("user", "u"), ("options", "-c")], "42601"),
        (&[("user", "u"), ("options", "-c nonsense=1")], "42704"),
        (&[("user", "u"), ("options", "\\")], "42601"),
        (&[("user", "u"), ("client_encoding", "LATIN1")], "0A000"),
        (&[("user", "u"), ("replication", "database")], "0A000"),
    ] {
        let started = Instant::now();
        let mut client = Client::connect(server.address);
        client.startup(0, parameters);
        let messages = client.until_ready();
        assert_eq!(
            messages.last().map(Message::code).as_deref(),
            Some(code),
            "{parameters:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn odd_lengths_and_versions_end_the_connection() {
    let server = start("");
    let long = "x".repeat(10_000);
    for bytes in [
        b"\xff\xff\xff\xff\0\x03\0\0".to_vec(),
        b"\x7f\xff\xff\xff\0\x03\0\0".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"\0\0\0\x07\0\x03\0".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        startup(2 << 16, &[("user", "u")]),
        startup(3 << 16, &[("user", "u"), ("application_name", &long)]),
        untyped(b"\0\x03\0\0user\0u"),
        untyped(b"\0\x03\0\0user\0\xff\0\0"),
    ] {
        let mut client = Client::connect(server.address);
        client.send(&bytes);
        let messages = client.until_ready();
        assert_eq!(kinds(&messages), "E", "{bytes:?}");
        assert_eq!(messages[0].field('S').as_deref(), Some("FATAL"));
    }
    assert_eq!(server.client().value("select 1"), "1");
}

#[test]
fn gss_encryption_is_declined_and_startup_follows() {
    let server = start("");
    let mut client = Client::connect(server.address);
    client.send(&untyped(&80_877_104i32.to_be_bytes()));
    let mut answer = [0];
    client.stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"N");
    client.send(&untyped(&80_877_103i32.to_be_bytes()));
    client.stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"N");
    client.startup(0, &[("user", "u")]);
    assert_eq!(status(&client.until_ready()), 'I');
}

#[test]
fn slow_logins_end_while_others_log_in() {
    let server = start(&format!("[limits]\nlogin_timeout = \"2s\"\n{USERS}"));
    let mut silent = Client::connect(server.address);
    let mut unanswered = Client::connect(server.address);
    unanswered.startup(0, &[("user", "ann")]);
    assert_eq!(unanswered.read().map(|message| message.kind), Some('R'));
    let dripping = Client::connect(server.address);
    let dripper = std::thread::spawn(move || {
        let mut dripping = dripping;
        use std::io::Write;
        for byte in startup(3 << 16, &[("user", &"u".repeat(200))]) {
            if dripping.stream.write_all(&[byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        dripping
    });
    let started = Instant::now();
    let mut other = Client::connect(server.address);
    other.startup(0, &[("user", "ann")]);
    assert_eq!(other.read().map(|message| message.kind), Some('R'));
    silent.expect_closed();
    unanswered.expect_closed();
    assert!(started.elapsed() < Duration::from_secs(4));
    dripper.join().expect("drips").expect_closed();
}

#[test]
fn past_the_limit_is_53300_and_places_come_back() {
    let server = start("[limits]\nmax_connections = 2\n");
    let first = server.client();
    let _second = server.client();
    for _ in 0..5 {
        let mut third = Client::connect(server.address);
        third.startup(0, &[("user", "u")]);
        let messages = third.until_ready();
        assert_eq!(messages[0].code(), "53300");
    }
    drop(first);
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut client = Client::connect(server.address);
        client.startup(0, &[("user", "u")]);
        if client.until_ready().last().map(|message| message.kind) == Some('Z') {
            break;
        }
        assert!(Instant::now() < deadline, "no place came back");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn other_addresses_need_users() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("catalog.toml");
    std::fs::write(&file, "[server]\nlisten = \"0.0.0.0:0\"\n").expect("written");
    let refused = match narrows::config::Config::load(&file) {
        Err(_) => true,
        Ok(config) => tokio::runtime::Runtime::new()
            .expect("a runtime")
            .block_on(async {
                let config = std::sync::Arc::new(config);
                let engine = narrows::execute::Engine::start(config.clone())
                    .await
                    .expect("starts");
                narrows::server::serve(config, engine).await.is_err()
            }),
    };
    assert!(refused);
}
