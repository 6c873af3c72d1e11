//! Promises 18, 19 and 20: whatever ends a statement here ends it at its source,
//! and nothing else does; a source that does not answer holds nobody up.

use std::time::{Duration, Instant};

use super::proxy::{Mode, Side};
use super::rig::{Declared, ROUTES, Rig, Route, error_of, rig, until};
use crate::wire::client::*;

const SLOW: &str = "SELECT count(*) FROM shop.slow";

fn cancel(rig: &Rig, pid: i32, key: &[u8]) {
    let mut body = 80_877_102i32.to_be_bytes().to_vec();
    body.extend(pid.to_be_bytes());
    body.extend_from_slice(key);
    let mut client = Client::connect(rig.server.address);
    client.send(&untyped(&body));
    client.expect_closed();
}

fn starts(rig: &Rig, client: &mut Client, sql: &str) {
    client.send(&query(sql));
    until("the start", Duration::from_secs(5), || {
        rig.source.running("slow") == 1
    });
}

#[test]
fn promise_18_a_wrong_key_does_nothing_and_an_idle_cancel_hits_nobody() {
    let Some(rig) = rig(&Declared {
        ddl: "CREATE VIEW shop.nap AS SELECT 1 AS n FROM pg_sleep(0.7)",
        max_connections: 1,
        ..Declared::default()
    }) else {
        return;
    };
    for route in ROUTES {
        let mut idle = rig.client(route);
        assert_eq!(idle.value("SELECT count(*) FROM shop.items"), "1000");
        let mut client = rig.client(route);
        client.send(&query("SELECT n FROM shop.nap"));
        until("the start", Duration::from_secs(5), || {
            rig.source.running("nap") == 1
        });
        let wrong: Vec<u8> = client.key.iter().map(|byte| byte ^ 1).collect();
        cancel(&rig, client.pid, &wrong);
        cancel(&rig, client.pid, &idle.key);
        // its connection to the source may be the other's by now
        cancel(&rig, idle.pid, &idle.key);
        assert_eq!(kinds(&client.until_ready()), "TDCZ", "{route:?}");
    }
}

#[test]
fn promise_19_every_end_of_a_statement_ends_it_at_the_source() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    for route in ROUTES {
        for end in ["cancel", "close", "reset", "terminate", "timeout"] {
            let mut client = rig.client(route);
            if end == "timeout" {
                client.query("SET statement_timeout = 400");
            }
            starts(&rig, &mut client, SLOW);
            let started = Instant::now();
            match end {
                "cancel" => cancel(&rig, client.pid, &client.key.clone()),
                "terminate" => client.send(&message(b'X', b"")),
                "reset" => {
                    let socket = socket2::SockRef::from(&client.socket);
                    socket.set_linger(Some(Duration::ZERO)).expect("set");
                }
                _ => {}
            }
            if matches!(end, "cancel" | "timeout") {
                let messages = client.until_ready();
                let error = error_of(&messages).expect("an error");
                assert_eq!(error.code(), "57014", "{route:?} {end}");
                let text = error.field('M').expect("a text");
                let reason = if end == "cancel" {
                    "user request"
                } else {
                    "timeout"
                };
                assert!(text.contains(reason), "{text}");
                assert!(
                    started.elapsed() < Duration::from_secs(2),
                    "{route:?} {end}"
                );
                assert_eq!(client.value("SELECT 1"), "1");
            }
            if end != "terminate" {
                drop(client);
            }
            until(
                &format!("the end by {end}, {route:?}"),
                Duration::from_secs(1),
                || rig.source.running("slow") == 0,
            );
        }
    }
    rig.pool_is_whole(4);
}

#[test]
fn promise_19_rows_that_nobody_wants_are_not_made() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    for route in ROUTES {
        let mut client = rig.client(route);
        assert_eq!(client.rows("SELECT n FROM shop.big LIMIT 5").len(), 5);
        until("the end after LIMIT", Duration::from_secs(1), || {
            rig.source.running("big") == 0
        });
        // a portal that its Sync destroys
        client.send(
            &[
                parse("", "SELECT n, filler FROM shop.big", &[]),
                bind("", "", &[], [&[], &[]]),
                execute("", 10),
                sync(),
            ]
            .concat(),
        );
        assert_eq!(
            kinds(&client.until_ready()),
            format!("12{}sZ", "D".repeat(10))
        );
        until("the end of the portal", Duration::from_secs(1), || {
            rig.source.running("big") == 0
        });
        // one that is closed in the middle of a transaction
        client.query("BEGIN");
        client.query("DECLARE c CURSOR FOR SELECT n, filler FROM shop.big");
        assert_eq!(client.rows("FETCH 3 FROM c").len(), 3);
        client.query("CLOSE c");
        assert_eq!(status(&client.query("COMMIT")), 'I');
        until("the end of the cursor", Duration::from_secs(1), || {
            rig.source.running("big") == 0
        });
    }
    rig.pool_is_whole(4);
}

/// Whatever was on its way when the cancel came, the client reads whole messages.
#[test]
fn promise_19_a_cancel_amid_rows_leaves_the_clients_messages_whole() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    for route in ROUTES {
        let mut client = rig.client(route);
        for round in 0..4 {
            client.send(&query(
                "SELECT n, repeat('y', (n % 3000)::int), filler FROM shop.big",
            ));
            for _ in 0..(round * 131 + 1) {
                client.read();
            }
            cancel(&rig, client.pid, &client.key.clone());
            let messages = client.until_ready();
            assert_eq!(status(&messages), 'I');
            assert_eq!(error_of(&messages).expect("an error").code(), "57014");
            for row in messages.iter().filter(|message| message.kind == 'D') {
                assert_eq!(row.values().len(), 3);
            }
            assert_eq!(client.value("SELECT count(*) FROM shop.items"), "1000");
        }
    }
}

#[test]
fn promise_20_a_cancel_is_obeyed_when_the_source_says_nothing_more() {
    let Some(rig) = rig(&Declared {
        writable: true,
        ..Declared::default()
    }) else {
        return;
    };
    for (route, block) in [
        (Route::Relay, ""),
        (Route::Engine, ""),
        (Route::Relay, "BEGIN"),
        (Route::Engine, "BEGIN"),
        // an implicit transaction of several statements
        (Route::Engine, "SELECT 1 FROM shop.items WHERE id = 1;"),
    ] {
        let mut client = rig.client(route);
        let sql = match block {
            "BEGIN" => {
                client.query(block);
                SLOW.to_string()
            }
            first => format!("{first} {SLOW}"),
        };
        starts(&rig, &mut client, &sql);
        rig.proxy.set(Mode::Silent(Side::Both));
        let started = Instant::now();
        cancel(&rig, client.pid, &client.key.clone());
        let messages = client.until_ready();
        let took = started.elapsed();
        assert_eq!(error_of(&messages).expect("an error").code(), "57014");
        assert!(took < Duration::from_secs(2), "{route:?} {block}: {took:?}");
        if block == "BEGIN" {
            assert_eq!(status(&messages), 'E');
            let started = Instant::now();
            assert_eq!(status(&client.query("ROLLBACK")), 'I');
            let took = started.elapsed();
            assert!(
                took < Duration::from_secs(2),
                "ROLLBACK, {route:?}: {took:?}"
            );
        }
        assert_eq!(client.value("SELECT count(*) FROM other.things"), "10");
        rig.proxy.set(Mode::Pass);
        until("the end at the source", Duration::from_secs(8), || {
            rig.source.running("slow") == 0
        });
        let again = client.query("SELECT count(*) FROM shop.items");
        assert_eq!(kinds(&again), "TDCZ", "{route:?} {block}: {again:?}");
    }
    rig.pool_is_whole(4);
}

/// The end of a transaction cannot be waited for either.
#[test]
fn promise_20_an_end_of_a_transaction_that_is_not_answered_can_be_canceled() {
    let Some(rig) = rig(&Declared {
        writable: true,
        ..Declared::default()
    }) else {
        return;
    };
    for end in [
        "COMMIT",
        "ROLLBACK",
        "INSERT INTO shop.items VALUES (5001, 'b', 0); SELECT 1",
    ] {
        let mut client = rig.client(Route::Relay);
        if end.ends_with("K") || end == "COMMIT" {
            client.query("BEGIN");
            client.query("INSERT INTO shop.items VALUES (5000, 'a', 0)");
            rig.proxy.set(Mode::Silent(Side::Both));
        } else {
            // silent from the implicit COMMIT on
            rig.proxy.spoil(|message| match message {
                [b'C', .., 0] if message.ends_with(b"COMMIT\0") => {
                    super::proxy::Step::Last(Vec::new(), super::proxy::End::Silence)
                }
                all => super::proxy::Step::Send(all.to_vec()),
            });
        }
        client.send(&query(end));
        std::thread::sleep(Duration::from_millis(200));
        let started = Instant::now();
        cancel(&rig, client.pid, &client.key.clone());
        let messages = client.until_ready();
        assert!(started.elapsed() < Duration::from_secs(3), "{end}");
        assert_eq!(status(&messages), 'I', "{end}");
        let committed = messages
            .iter()
            .any(|m| m.kind == 'C' && m.text() == "COMMIT");
        assert!(!committed, "{end}: {messages:?}");
        rig.proxy.set(Mode::Pass);
        until("the source's end of it", Duration::from_secs(8), || {
            rig.source.backends("state <> 'idle'") == 0
        });
        rig.source.run("DELETE FROM shop.items WHERE id >= 5000");
    }
    rig.pool_is_whole(4);
}
