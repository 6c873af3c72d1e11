//! Cancel requests, timeouts, clients that leave, the server's end.

use std::time::{Duration, Instant};

use super::client::*;
use super::running::{Running, start};

/// Runs for hours, a row now and then.
const LONG: &str = "select count(*) from generate_series(1, 100000000000) a";

fn cancel(server: &Running, pid: i32, key: &[u8]) {
    let mut body = 80_877_102i32.to_be_bytes().to_vec();
    body.extend(pid.to_be_bytes());
    body.extend_from_slice(key);
    let mut client = Client::connect(server.address);
    client.send(&untyped(&body));
    client.expect_closed();
}

#[test]
fn the_right_key_cancels_and_wrong_ones_do_nothing() {
    let server = start("");
    for minor in [0, 2] {
        let mut client = Client::connect(server.address);
        client.startup(minor, &[("user", "u")]);
        client.until_ready();
        let (pid, key) = (client.pid, client.key.clone());
        cancel(&server, pid, &key);
        assert_eq!(client.value("select 1"), "1", "an idle cancel is harmless");

        client.send(&query(LONG));
        std::thread::sleep(Duration::from_millis(200));
        let wrong: Vec<u8> = key.iter().map(|byte| byte ^ 1).collect();
        cancel(&server, pid, &wrong);
        cancel(&server, pid, &key[..3]);
        cancel(&server, pid + 1, &key);
        client
            .socket
            .set_read_timeout(Some(Duration::from_millis(300)))
            .expect("set");
        let mut byte = [0];
        // the announcement of the columns may be there; the end is not
        while client.stream.read(&mut byte).is_ok() {}
        client.socket.set_read_timeout(Some(DEADLINE)).expect("set");

        let started = Instant::now();
        cancel(&server, pid, &key);
        let messages = client.until_ready();
        assert!(started.elapsed() < Duration::from_secs(2));
        let error = messages
            .iter()
            .find(|message| message.kind == 'E')
            .expect("an error");
        assert_eq!(error.code(), "57014");
        assert_eq!(
            error.field('M').as_deref(),
            Some("canceling statement due to user request")
        );
        assert_eq!(client.value("select 2"), "2");
    }
}

#[test]
fn a_reader_that_stalls_can_be_canceled() {
    let server = start("");
    let mut client = server.client();
    client.send(&query(
        "select repeat('x', 1000) from generate_series(1, 100000000000)",
    ));
    std::thread::sleep(Duration::from_millis(500));
    cancel(&server, client.pid, &client.key.clone());
    let messages = client.until_ready();
    assert_eq!(status(&messages), 'I');
    let error = messages
        .iter()
        .find(|message| message.kind == 'E')
        .expect("an error");
    assert_eq!(error.code(), "57014");
    // what was on its way when the reader stalled, not what the query made
    assert!(messages.len() < 1_000_000);
}

#[test]
fn statements_time_out() {
    let server = start("");
    let mut client = server.client();
    client.query("set statement_timeout = 200");
    let started = Instant::now();
    let messages = client.query(LONG);
    assert!(started.elapsed() < Duration::from_secs(3));
    let error = messages
        .iter()
        .find(|message| message.kind == 'E')
        .expect("an error");
    assert_eq!(error.code(), "57014");
    assert_eq!(
        error.field('M').as_deref(),
        Some("canceling statement due to statement timeout")
    );
    assert_eq!(client.value("select 1"), "1");
}

#[test]
fn a_client_that_leaves_frees_its_place_while_its_statement_runs() {
    let server = start("[limits]\nmax_connections = 1\n");
    for leave in 0..3 {
        let mut client = server.client();
        client.send(&query(LONG));
        std::thread::sleep(Duration::from_millis(200));
        match leave {
            0 => drop(client),
            1 => {
                client.send(&message(b'X', b""));
                client.read();
                while client.read().is_some() {}
            }
            _ => {
                client.stop_writing();
                while client.read().is_some() {}
            }
        }
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let mut next = Client::connect(server.address);
            next.startup(0, &[("user", "u")]);
            if next.until_ready().last().map(|message| message.kind) == Some('Z') {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "the place is still taken ({leave})"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn messages_sent_ahead_are_kept() {
    let server = start("");
    let mut client = server.client();
    client.send(&query("select count(*) from generate_series(1, 3000000)"));
    std::thread::sleep(Duration::from_millis(20));
    client.send(&[query("select 2"), query("select 3")].concat());
    for _ in 0..3 {
        assert_eq!(kinds(&client.until_ready()), "TDCZ");
    }
}

#[test]
fn the_servers_end_is_told_and_bounded() {
    let server = start("");
    let mut idle = server.client();
    let mut busy = server.client();
    busy.send(&query("select count(*) from generate_series(1, 3000000)"));
    std::thread::sleep(Duration::from_millis(50));
    server.stop.drain();
    let message = idle.read().expect("a word before the end");
    assert_eq!(message.code(), "57P01");
    idle.expect_closed();
    // a running statement may finish
    assert_eq!(kinds(&busy.until_ready()), "TDCZ");
    assert_eq!(
        busy.read().map(|message| message.code()).as_deref(),
        Some("57P01")
    );
    server
        .ended
        .recv_timeout(Duration::from_secs(5))
        .expect("the server ended");
}

#[test]
fn the_end_comes_at_once_where_it_must() {
    let server = start("");
    let mut busy = server.client();
    busy.send(&query(LONG));
    std::thread::sleep(Duration::from_millis(100));
    server.stop.now();
    let messages = busy.until_ready();
    assert_eq!(messages.last().map(Message::code).as_deref(), Some("57P01"));
    server
        .ended
        .recv_timeout(Duration::from_secs(5))
        .expect("the server ended");
}
