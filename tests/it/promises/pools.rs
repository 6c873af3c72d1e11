//! Promises 28 and 33: connections to a source are shared, what is in them is
//! not; their number has a cap, and they come back after every kind of end.

use std::time::Duration;

use super::proxy::{End, Mode, Side};
use super::rig::{Declared, ROUTES, Rig, Route, client_at, error_of, rig, until};
use crate::wire::client::*;

/// What one client does to its session or connection, and what the next one
/// must not see of it: a query and its answer in a fresh session.
#[test]
fn promise_28_nothing_of_one_client_is_in_the_connection_of_the_next() {
    let Some(rig) = rig(&Declared {
        ddl: "CREATE FUNCTION shop.leave() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
                PERFORM set_config('DateStyle', 'German', false);
                PERFORM set_config('work_mem', '77MB', false);
                PERFORM set_config('my.secret', 'theirs', false);
                PERFORM set_config('search_path', 'other', false);
                PERFORM pg_advisory_lock(42);
                CREATE TEMP TABLE left_over AS SELECT 1 AS a;
                RETURN 1; END $$;
              CREATE SEQUENCE shop.numbers",
        max_connections: 1,
        writable: true,
        ..Declared::default()
    }) else {
        return;
    };
    let leavings = [
        "SET DateStyle = German; SET work_mem = '77MB'; SET my.secret = 'theirs'; SELECT 1 FROM shop.items LIMIT 1",
        "SELECT shop.leave() FROM shop.items WHERE id = 1",
        "BEGIN; SELECT shop.leave() FROM shop.items WHERE id = 1; COMMIT",
        "BEGIN; SELECT shop.leave() FROM shop.items WHERE id = 1; SELECT 1/0 FROM shop.items",
        "SELECT set_config('my.secret', 'theirs', false), set_config('DateStyle', 'German', false) FROM shop.items LIMIT 1",
        "SELECT pg_advisory_lock(42) FROM shop.items WHERE id = 1",
        "CREATE TEMP TABLE left_over AS SELECT id FROM shop.items",
        "PREPARE theirs AS SELECT 41 FROM shop.items LIMIT 1; EXECUTE theirs",
        "BEGIN; DECLARE theirs CURSOR WITH HOLD FOR SELECT id FROM shop.items; COMMIT; FETCH 1 FROM theirs",
        "BEGIN; DECLARE theirs CURSOR FOR SELECT id FROM shop.items; FETCH 1 FROM theirs",
        "SELECT nextval('shop.numbers') FROM shop.items WHERE id = 1",
        "SET narrows.source = 'shop'; LISTEN chatter",
        "SET narrows.source = 'shop'; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET narrows.source = 'shop'; SET ROLE pg_monitor",
    ];
    let seen = "SELECT current_setting('DateStyle') || '|' || current_setting('work_mem') || '|' || \
         coalesce(current_setting('my.secret', true), '') || '|' || current_user || '|' || \
         current_setting('default_transaction_read_only') || '|' || \
         (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42) || '|' || \
         coalesce(to_regclass('pg_temp.left_over')::text, 'none') || '|' || \
         (SELECT count(*) FROM pg_cursors WHERE name = 'theirs') || '|' || \
         (SELECT count(*) FROM pg_prepared_statements WHERE name = 'theirs') || '|' || \
         (SELECT count(*) FROM pg_listening_channels())";
    let look = |rig: &Rig| {
        let mut fresh = rig.server.client();
        fresh.query("SET narrows.source = 'shop'");
        let mut answer = String::new();
        // the place comes free when what was left has been cleaned away
        until("a free place", Duration::from_secs(5), || {
            let messages = fresh.query(seen);
            let row = messages.iter().find(|message| message.kind == 'D');
            answer = match row {
                Some(row) => {
                    String::from_utf8(row.values()[0].clone().expect("a value")).expect("text")
                }
                None => error_of(&messages).expect("an error").text(),
            };
            row.is_some()
        });
        answer
    };
    let untouched = look(&rig);
    assert!(untouched.ends_with("|0|none|0|0|0"), "{untouched}");
    for leaving in leavings {
        let mut client = rig.server.client();
        client.query(leaving);
        drop(client);
        assert_eq!(look(&rig), untouched, "{leaving}");
    }
    // names of statements and portals mean what each client means
    let mut clients = [rig.client(Route::Relay), rig.client(Route::Relay)];
    for (at, client) in clients.iter_mut().enumerate() {
        let sql = format!("SELECT {at} FROM shop.items LIMIT 1");
        client.send(&[parse("mine", &sql, &[]), sync()].concat());
        assert_eq!(kinds(&client.until_ready()), "1Z");
    }
    for _ in 0..3 {
        for (at, client) in clients.iter_mut().enumerate() {
            client.send(&[bind("", "mine", &[], [&[], &[]]), execute("", 0), sync()].concat());
            let messages = client.until_ready();
            let row = messages
                .iter()
                .find(|message| message.kind == 'D')
                .expect("a row");
            assert_eq!(row.values()[0].as_deref(), Some(at.to_string().as_bytes()));
        }
    }
    // lastval is of the connection, and no client's but the caller's
    let mut client = rig.client(Route::Relay);
    client.query("SELECT nextval('shop.numbers') FROM shop.items WHERE id = 1");
    drop(client);
}

/// A ROLLBACK brings back what was set before, whoever set it.
#[test]
fn promise_28_settings_hold_through_what_is_rolled_back() {
    let Some(rig) = rig(&Declared {
        max_connections: 1,
        ..Declared::default()
    }) else {
        return;
    };
    let seen = "SELECT coalesce(current_setting('my.tag', true), '') || current_setting('TimeZone') \
         FROM shop.items WHERE id = 1";
    let scan =
        "SET narrows.route = engine; SELECT count(*) FROM shop.items; SET narrows.route = relay";
    for end in ["ROLLBACK", "COMMIT"] {
        let mut theirs = rig.client(Route::Relay);
        theirs.query("SET my.tag = 'theirs'; SET TimeZone = 'Asia/Tokyo'");
        assert_eq!(theirs.value(seen), "theirsAsia/Tokyo");
        // the engine's scans have settings of their own in the same transaction
        theirs.query("BEGIN");
        for _ in 0..2 {
            assert_eq!(theirs.value(seen), "theirsAsia/Tokyo");
            theirs.query(scan);
            theirs.query("SAVEPOINT s");
            assert_eq!(theirs.value(seen), "theirsAsia/Tokyo");
            theirs.query("ROLLBACK TO s");
            assert_eq!(theirs.value(seen), "theirsAsia/Tokyo");
            theirs.query(scan);
        }
        theirs.query(end);
        let mut mine = rig.client(Route::Relay);
        assert_eq!(mine.value(seen), "UTC", "{end}");
        mine.query("BEGIN");
        mine.query(scan);
        mine.query(end);
        assert_eq!(theirs.value(seen), "theirsAsia/Tokyo");
        assert_eq!(mine.value(seen), "UTC", "{end}");
    }
}

/// Ways for a statement or a client to end, each of which must leave the pool whole.
#[test]
fn promise_33_the_cap_holds_and_connections_come_back_after_every_end() {
    const CAP: usize = 3;
    let Some(rig) = rig(&Declared {
        ddl: "CREATE TABLE shop.copied (a int)",
        max_connections: CAP,
        writable: true,
        options: "sslmode=disable&connect_timeout=5",
        ..Declared::default()
    }) else {
        return;
    };
    let within_cap = |what: &str| {
        let open = rig.source.backends("true");
        // the other source's two places beside it
        assert!(open <= CAP + 2, "{what}: {open} connections");
    };
    for route in ROUTES {
        for end in [
            "ok",
            "error",
            "cancel",
            "kill",
            "terminate",
            "timeout",
            "reset",
            "silence",
            "portal",
            "copy in",
            "copy fail",
            "copy error",
            "copy dropped",
            "block dropped",
        ] {
            if route == Route::Engine && end.starts_with("copy") {
                continue;
            }
            for _ in 0..2 {
                let mut client = rig.client(route);
                ends(&rig, &mut client, end);
                within_cap(end);
            }
            rig.pool_is_whole(CAP);
        }
    }
    // more clients than places: all are answered, no more are connected
    std::thread::scope(|scope| {
        for worker in 0..12 {
            let address = rig.server.address;
            scope.spawn(move || {
                let mut client = client_at(address, ROUTES[worker % 2]);
                for _ in 0..5 {
                    assert_eq!(client.value("SELECT count(*) FROM shop.items"), "1000");
                }
            });
        }
        for _ in 0..20 {
            within_cap("many clients");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    rig.pool_is_whole(CAP);
}

fn ends(rig: &Rig, client: &mut Client, end: &str) {
    const SLOW: &str = "SELECT count(*) FROM shop.slow";
    let begin = |client: &mut Client, sql: &str| {
        until("the end of the last", Duration::from_secs(8), || {
            rig.source.running("slow") == 0
        });
        client.send(&query(sql));
        until("the start", Duration::from_secs(5), || {
            rig.source.running("slow") > 0
        });
    };
    let cancel = |client: &Client| {
        let mut body = 80_877_102i32.to_be_bytes().to_vec();
        body.extend(client.pid.to_be_bytes());
        body.extend_from_slice(&client.key);
        let mut other = Client::connect(rig.server.address);
        other.send(&untyped(&body));
        other.expect_closed();
    };
    match end {
        "ok" => drop(client.rows("SELECT * FROM shop.items")),
        "error" => {
            assert_eq!(client.error("SELECT 1 / (id - 1) FROM shop.items"), "22012");
        }
        "cancel" => {
            begin(client, SLOW);
            cancel(client);
            assert!(error_of(&client.until_ready()).is_ok());
        }
        "kill" => {
            begin(client, SLOW);
            client
                .socket
                .shutdown(std::net::Shutdown::Both)
                .expect("shut down");
        }
        "terminate" => {
            begin(client, SLOW);
            client.send(&message(b'X', b""));
        }
        "timeout" => {
            client.query("SET statement_timeout = 100");
            assert_eq!(client.error(SLOW), "57014");
        }
        "reset" => {
            begin(client, SLOW);
            rig.proxy.end(End::Reset);
            assert!(error_of(&client.until_ready()).is_ok());
            // the source notices within five seconds; nobody waits for that here
            rig.source.value(
                "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND strpos(query, 'shop.slow') > 0 \
                 AND pid <> pg_backend_pid()",
            );
        }
        "silence" => {
            begin(client, SLOW);
            rig.proxy.set(Mode::Silent(Side::Both));
            cancel(client);
            assert!(error_of(&client.until_ready()).is_ok());
            rig.proxy.set(Mode::Pass);
        }
        "portal" => {
            client.query("BEGIN");
            let sql = "SELECT n, filler FROM shop.big";
            client.send(
                &[
                    parse("", sql, &[]),
                    bind("p", "", &[], [&[], &[]]),
                    execute("p", 3),
                    sync(),
                ]
                .concat(),
            );
            assert_eq!(kinds(&client.until_ready()), "12DDDsZ");
        }
        "block dropped" => {
            client.query("BEGIN");
            client.rows("SELECT * FROM shop.items");
            client.query("SAVEPOINT s");
        }
        copy => {
            client.send(&query("COPY shop.copied FROM STDIN"));
            assert_eq!(client.read().expect("an answer").kind, 'G');
            client.send(&message(b'd', b"1\n2\n"));
            match copy {
                "copy in" => client.send(&message(b'c', b"")),
                "copy fail" => client.send(&message(b'f', b"no more\0")),
                "copy error" => client.send(&[message(b'd', b"x\n"), message(b'c', b"")].concat()),
                _ => return,
            }
            assert_eq!(status(&client.until_ready()), 'I');
        }
    }
}
