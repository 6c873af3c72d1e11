//! Promise 34: a source that is down, resets, closes or says nothing gives an
//! error that names it, in time; never a part of an answer as if it were all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::proxy::{End, Mode, Side, Step};
use super::rig::{Declared, ROUTES, Rig, Route, error_of, rig, says_source_failed, until};
use crate::wire::client::*;

const COUNT: &str = "SELECT count(*) FROM shop.items";

fn writable() -> Declared {
    Declared {
        writable: true,
        ..Declared::default()
    }
}

/// Works again within the longest pause between attempts, without a restart.
fn recovers(rig: &Rig, route: Route) {
    rig.proxy.set(Mode::Pass);
    let mut client = rig.client(route);
    until("the recovery", Duration::from_secs(6), || {
        kinds(&client.query(COUNT)) == "TDCZ"
    });
}

#[test]
fn promise_34_a_source_that_cannot_be_reached_says_so_in_time() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    for route in ROUTES {
        for mode in [
            Mode::Refuse,
            Mode::Reset,
            Mode::Close,
            Mode::Silent(Side::Both),
            Mode::Drip(1, Duration::from_millis(200)),
        ] {
            rig.proxy.set(mode);
            rig.proxy.end(End::Reset);
            let mut client = rig.client(route);
            let started = Instant::now();
            let messages = client.query(COUNT);
            let took = started.elapsed();
            says_source_failed(error_of(&messages).expect("an error"));
            assert_eq!(status(&messages), 'I');
            assert!(took < Duration::from_secs(4), "{route:?}: {took:?}");
            rig.others_go_on();
            recovers(&rig, route);
        }
    }
    rig.pool_is_whole(4);
}

#[test]
fn promise_34_a_source_that_falls_silent_is_waited_for_as_long_as_the_statement_may_run() {
    let Some(rig) = rig(&writable()) else {
        return;
    };
    for route in ROUTES {
        for block in [false, true] {
            let mut client = rig.client(route);
            client.query("SET statement_timeout = 300");
            assert_eq!(client.value(COUNT), "1000");
            if block {
                client.query("BEGIN");
                assert_eq!(client.value(COUNT), "1000");
            }
            rig.proxy.set(Mode::Silent(Side::Both));
            let started = Instant::now();
            let messages = client.query(COUNT);
            let took = started.elapsed();
            let error = error_of(&messages).expect("an error");
            let code = error.code();
            assert!(code == "57014" || code.starts_with("08"), "{code}");
            assert!(took < Duration::from_secs(3), "{route:?} {block}: {took:?}");
            if block {
                assert_eq!(status(&client.query("ROLLBACK")), 'I');
            }
            recovers(&rig, route);
        }
    }
}

/// Cuts the answer at a message of this kind, after so many of them.
fn cut(rig: &Rig, kind: u8, skip: usize, whole: bool, how: End) {
    let seen = AtomicUsize::new(0);
    rig.proxy.spoil(move |message| {
        // not the ends of what the server says to the source by itself
        let own = kind == b'C'
            && !["SELECT", "COPY", "UPDATE"]
                .iter()
                .any(|tag| message[5..].starts_with(tag.as_bytes()));
        if message[0] == kind && !own && seen.fetch_add(1, Ordering::Relaxed) == skip {
            let length = if whole { 0 } else { message.len() / 2 };
            return Step::Last(message[..length].to_vec(), how);
        }
        Step::Send(message.to_vec())
    });
}

#[test]
fn promise_34_an_answer_that_was_cut_short_is_never_a_success() {
    let Some(rig) = rig(&writable()) else {
        return;
    };
    let statements = [
        (Route::Relay, "SELECT * FROM shop.items", b'D', 'I'),
        (Route::Relay, "COPY shop.items TO STDOUT", b'd', 'I'),
        (
            Route::Relay,
            "UPDATE shop.items SET name = name WHERE id = 7 RETURNING *",
            b'D',
            'I',
        ),
        (Route::Engine, "SELECT * FROM shop.items", b'd', 'I'),
        (
            Route::Engine,
            "SELECT count(name), sum(price) FROM shop.items",
            b'd',
            'I',
        ),
        (
            Route::Engine,
            "COPY (SELECT * FROM shop.items) TO STDOUT",
            b'd',
            'I',
        ),
        (Route::Relay, "BEGIN; SELECT * FROM shop.items", b'D', 'E'),
        (Route::Engine, "BEGIN; SELECT * FROM shop.items", b'D', 'E'),
    ];
    for (route, sql, rows, expected) in statements {
        // at the first row, amid them, and where only the end is missing
        // (the engine has all of a COPY with CopyDone)
        let end = match (route, expected) {
            (Route::Engine, 'I') => b'c',
            _ => b'C',
        };
        for (kind, skip) in [(rows, 0), (rows, 500), (end, 0), (b'Z', 0)] {
            for (whole, how) in [(false, End::Reset), (true, End::Close)] {
                if sql.starts_with("UPDATE") && skip > 0 {
                    continue;
                }
                // COPY's rows are handed on as they come; the end of the engine's
                // scans is known before the source is ready again
                if kind == b'Z' && (route == Route::Engine || expected == 'E') {
                    continue;
                }
                let mut client = rig.client(route);
                // the rows come, not what the source makes of them
                client.query("SET narrows.pushdown = off");
                cut(&rig, kind, skip, whole, how);
                let messages = client.query(sql);
                let what = format!("{route:?} {sql}: {} {skip} {how:?}", char::from(kind));
                let error = error_of(&messages).unwrap_or_else(|got| panic!("{what}: {got}"));
                says_source_failed(error);
                assert_eq!(status(&messages), expected, "{what}");
                for row in messages.iter().filter(|message| message.kind == 'D') {
                    row.values();
                }
                rig.proxy.set(Mode::Pass);
                assert_eq!(status(&client.query("ROLLBACK")), 'I', "{what}");
                until("the recovery", Duration::from_secs(3), || {
                    kinds(&client.query(COUNT)) == "TDCZ"
                });
            }
        }
    }
    rig.pool_is_whole(4);
}

#[test]
fn promise_34_a_commit_that_is_not_answered_is_no_commit() {
    let Some(rig) = rig(&writable()) else {
        return;
    };
    for how in [End::Reset, End::Close] {
        let mut client = rig.client(Route::Relay);
        client.query("BEGIN");
        client.query("INSERT INTO shop.items VALUES (6000, 'a', 0)");
        rig.proxy.end(how);
        let messages = client.query("COMMIT");
        says_source_failed(error_of(&messages).expect("an error"));
        assert_eq!(status(&messages), 'I');
        assert_eq!(
            client.value("SELECT count(*) FROM shop.items WHERE id = 6000"),
            "0"
        );
        // by its end alone, which several statements share
        let seen = AtomicUsize::new(0);
        rig.proxy
            .spoil(move |message| match message.ends_with(b"COMMIT\0") {
                true if seen.fetch_add(1, Ordering::Relaxed) == 0 => Step::Last(Vec::new(), how),
                _ => Step::Send(message.to_vec()),
            });
        let messages = client.query("SELECT 1 FROM shop.items WHERE id = 1; SELECT 2");
        says_source_failed(error_of(&messages).expect("an error"));
        rig.proxy.set(Mode::Pass);
        until("the recovery", Duration::from_secs(3), || {
            kinds(&client.query(COUNT)) == "TDCZ"
        });
    }
    rig.pool_is_whole(4);
}

#[test]
fn promise_34_idle_connections_that_ended_are_replaced_unseen() {
    let Some(rig) = rig(&Declared::default()) else {
        return;
    };
    for route in ROUTES {
        for how in [End::Close, End::Reset] {
            let mut client = rig.client(route);
            assert_eq!(client.value(COUNT), "1000");
            rig.proxy.end(how);
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(client.value(COUNT), "1000", "{route:?} {how:?}");
        }
        // as an administrator does
        let mut client = rig.client(route);
        assert_eq!(client.value(COUNT), "1000");
        rig.source.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(client.value(COUNT), "1000");
    }
}

#[test]
fn promise_34_fragments_arrive_however_they_are_dripped() {
    let Some(rig) = rig(&Declared {
        options: "sslmode=disable&connect_timeout=10",
        ..Declared::default()
    }) else {
        return;
    };
    for route in ROUTES {
        let mut client = rig.client(route);
        assert_eq!(client.value(COUNT), "1000");
        rig.proxy.set(Mode::Drip(3, Duration::from_micros(200)));
        let sql = "SELECT id, name, price FROM shop.items WHERE id < 40 ORDER BY id";
        let expected = rig.source.rows(sql);
        assert_eq!(client.rows(sql), expected, "{route:?}");
        rig.proxy.set(Mode::Pass);
    }
}
