//! Promise 26: a source that is not declared writable is never written to.

use super::rig::{Declared, ROUTES, Rig, error_of, rig};
use crate::wire::client::*;

const DDL: &str = "
    CREATE TABLE shop.t (id int PRIMARY KEY, v int);
    INSERT INTO shop.t SELECT n, 0 FROM generate_series(1, 10) AS n;
    CREATE SEQUENCE shop.numbers;
    CREATE FUNCTION shop.touch() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO shop.t VALUES (100 + nextval('shop.numbers')::int, 1); RETURN 1; END $$;
    CREATE FUNCTION shop.escape() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('transaction_read_only', 'off', true);
        INSERT INTO shop.t VALUES (200, 1); RETURN 1; END $$;
    CREATE FUNCTION shop.unlock() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('default_transaction_read_only', 'off', false); RETURN 1; END $$;
    CREATE PROCEDURE shop.sneak() LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('default_transaction_read_only', 'off', false);
        COMMIT; INSERT INTO shop.t VALUES (300, 1); COMMIT; END $$;
    CREATE VIEW shop.touching AS SELECT shop.touch() AS n;
    CREATE MATERIALIZED VIEW shop.kept AS SELECT count(*) FROM shop.t;
    CREATE RULE writes AS ON UPDATE TO shop.touching DO INSTEAD INSERT INTO shop.t VALUES (400, 1)";

/// Everything that could be different afterwards.
const STATE: &str = "SELECT (SELECT string_agg(id || ':' || v, ',' ORDER BY id) FROM shop.t) || '|' || \
     (SELECT is_called::text || last_value FROM shop.numbers) || '|' || \
     (SELECT count(*) FROM pg_class) || '|' || (SELECT count(*) FROM pg_proc) || '|' || \
     (SELECT count(*) FROM pg_largeobject_metadata) || '|' || (SELECT count(*) FROM pg_description) || '|' || \
     (SELECT count(*) FROM shop.kept)";

const STATEMENTS: [&str; 55] = [
    "INSERT INTO shop.t VALUES (50, 1)",
    "INSERT INTO shop.t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET v = 9",
    "UPDATE shop.t SET v = 1",
    "UPDATE shop.touching SET n = 1",
    "DELETE FROM shop.t RETURNING *",
    "TRUNCATE shop.t",
    "MERGE INTO shop.t USING shop.items i ON i.id = t.id WHEN MATCHED THEN UPDATE SET v = 7",
    "WITH x AS (DELETE FROM shop.t RETURNING 1) SELECT * FROM x",
    "WITH x AS (INSERT INTO shop.t VALUES (51, 1) RETURNING id) SELECT count(*) FROM x, shop.items",
    "WITH x AS MATERIALIZED (UPDATE shop.t SET v = 2 RETURNING 1) SELECT 1 FROM shop.items LIMIT 1",
    "EXPLAIN ANALYZE DELETE FROM shop.t",
    "EXPLAIN (ANALYZE, BUFFERS) INSERT INTO shop.t VALUES (52, 1)",
    "EXPLAIN ANALYZE WITH x AS (DELETE FROM shop.t RETURNING 1) SELECT * FROM x",
    "EXPLAIN ANALYZE SELECT shop.touch() FROM shop.items LIMIT 1",
    "EXPLAIN ANALYZE CREATE TABLE shop.made AS SELECT 1 AS a FROM shop.items",
    "COPY shop.t FROM STDIN",
    "COPY (DELETE FROM shop.t RETURNING id) TO STDOUT",
    "COPY (SELECT shop.touch() FROM shop.items LIMIT 1) TO STDOUT",
    "COPY shop.t TO PROGRAM 'cat'",
    "COPY (SELECT 1 FROM shop.t) TO '/nowhere/at/all'",
    "ALTER SYSTEM SET work_mem = '4MB'",
    "PREPARE p AS DELETE FROM shop.t; EXECUTE p",
    "PREPARE q AS SELECT shop.touch() FROM shop.items LIMIT 1; EXECUTE q",
    "SELECT shop.touch() FROM shop.items LIMIT 1",
    "SELECT * FROM shop.touching",
    "SELECT shop.escape() FROM shop.items LIMIT 1",
    "SELECT 1 FROM shop.items LIMIT 1; SELECT shop.touch() FROM shop.items LIMIT 1; DELETE FROM shop.t",
    "BEGIN READ WRITE; SELECT shop.touch() FROM shop.items LIMIT 1; COMMIT",
    "BEGIN; SET TRANSACTION READ WRITE; SELECT shop.touch() FROM shop.items LIMIT 1; COMMIT",
    "BEGIN; SELECT 1 FROM shop.items LIMIT 1; SET TRANSACTION READ WRITE; SELECT shop.touch() FROM shop.items LIMIT 1; COMMIT",
    "SET transaction_read_only = off; SELECT shop.touch() FROM shop.items LIMIT 1",
    "SET default_transaction_read_only = off; SELECT shop.touch() FROM shop.items LIMIT 1",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; SELECT shop.touch() FROM shop.items LIMIT 1",
    "SELECT set_config('transaction_read_only', 'off', false), shop.touch() FROM shop.items LIMIT 1",
    "SELECT set_config('default_transaction_read_only', 'off', false) FROM shop.items LIMIT 1; SELECT shop.touch() FROM shop.items LIMIT 1",
    "BEGIN; DECLARE c CURSOR FOR SELECT shop.touch() FROM shop.items; FETCH 1 FROM c; COMMIT",
    "DECLARE c CURSOR WITH HOLD FOR SELECT shop.touch() FROM shop.items LIMIT 1",
    "SELECT nextval('shop.numbers') FROM shop.items LIMIT 1",
    "SELECT setval('shop.numbers', 77) FROM shop.items LIMIT 1",
    "SELECT lo_create(0) FROM shop.items LIMIT 1",
    "SELECT lo_from_bytea(0, 'x') FROM shop.items LIMIT 1",
    "SELECT pg_notify('a', 'b') FROM shop.items LIMIT 1",
    "SELECT id INTO shop.made FROM shop.items",
    "CREATE TABLE shop.made AS SELECT id FROM shop.items",
    "CREATE VIEW shop.made AS SELECT id FROM shop.items",
    "CREATE INDEX ON shop.t (v)",
    "ALTER TABLE shop.t ADD COLUMN w int",
    "COMMENT ON TABLE shop.t IS 'x'",
    "DROP TABLE shop.t",
    "REFRESH MATERIALIZED VIEW shop.kept",
    "CALL shop.sneak()",
    "SELECT * FROM shop.t FOR UPDATE",
    "LOCK TABLE shop.t IN ACCESS EXCLUSIVE MODE",
    "DO $$ BEGIN DELETE FROM shop.t; END $$",
    "DO $$ BEGIN PERFORM set_config('default_transaction_read_only', 'off', false); COMMIT; DELETE FROM shop.t; COMMIT; END $$",
];

fn unchanged(rig: &Rig, before: &str, what: &str) {
    assert_eq!(rig.source.value(STATE), before, "{what}");
}

/// Sends it all, and gives up a COPY that begins.
fn run(client: &mut Client, sql: &str) -> Vec<Message> {
    client.send(&query(sql));
    let mut messages = Vec::new();
    while let Some(message) = client.read() {
        let kind = message.kind;
        messages.push(message);
        match kind {
            'G' => client.send(
                &[
                    crate::wire::client::message(b'd', b"60\t1\n"),
                    crate::wire::client::message(b'c', b""),
                ]
                .concat(),
            ),
            'Z' => break,
            _ => {}
        }
    }
    messages
}

#[test]
fn promise_26_a_source_that_is_not_writable_is_never_written() {
    let Some(rig) = rig(&Declared {
        ddl: DDL,
        max_connections: 2,
        ..Declared::default()
    }) else {
        return;
    };
    let before = rig.source.value(STATE);
    for sql in STATEMENTS {
        for setting in [
            "narrows.route = auto",
            "narrows.route = engine",
            "narrows.source = 'shop'",
        ] {
            let mut client = rig.server.client();
            client.query(&format!("SET {setting}"));
            let what = format!("{setting}: {sql}");
            let messages = run(&mut client, sql);
            let said = error_of(&messages).map(|error| error.code());
            // a cursor that is not read, and settings that are ours alone, change nothing
            if let Err(kinds) = &said {
                let harmless = ["SET ", "DECLARE"].iter().any(|word| sql.starts_with(word));
                assert!(harmless, "{what}: {kinds}");
            }
            if let Ok(code) = said {
                assert!(!code.starts_with("XX"), "{what}: {code}");
            }
            client.query("COMMIT");
            unchanged(&rig, &before, &what);
            // nor by the extended protocol
            if !sql.contains(';') && !sql.starts_with("COPY") {
                client.send(
                    &[
                        parse("", sql, &[]),
                        bind("", "", &[], [&[], &[]]),
                        execute("", 0),
                        sync(),
                    ]
                    .concat(),
                );
                client.until_ready();
                unchanged(&rig, &before, &what);
            }
        }
    }
}

/// What a client does to the connection that it holds on to.
#[test]
fn promise_26_a_connection_that_is_kept_stays_read_only() {
    let Some(rig) = rig(&Declared {
        ddl: DDL,
        max_connections: 2,
        ..Declared::default()
    }) else {
        return;
    };
    let before = rig.source.value(STATE);
    for keep in [
        "SELECT pg_advisory_lock(7) FROM shop.items WHERE id = 1",
        "SELECT 1 FROM shop.items WHERE id = 1",
    ] {
        for unlock in [
            "SELECT shop.unlock() FROM shop.items WHERE id = 1",
            "SELECT set_config('default_transaction_read_only', 'off', false) FROM shop.items WHERE id = 1",
        ] {
            for setting in ["narrows.route = relay", "narrows.source = 'shop'"] {
                let mut client = rig.server.client();
                client.query(&format!("SET {setting}"));
                client.query(keep);
                client.query(unlock);
                let what = format!("{setting}: {keep}; {unlock}");
                let touch = "SELECT shop.touch() FROM shop.items WHERE id = 1";
                assert!(error_of(&client.query(touch)).is_ok(), "{what}");
                client.send(
                    &[
                        parse("", touch, &[]),
                        bind("", "", &[], [&[], &[]]),
                        execute("", 0),
                        sync(),
                    ]
                    .concat(),
                );
                assert!(error_of(&client.until_ready()).is_ok(), "{what}");
                client.query("BEGIN");
                assert!(error_of(&client.query(touch)).is_ok(), "{what}");
                client.query("COMMIT");
                unchanged(&rig, &before, &what);
            }
        }
    }
    for route in ROUTES {
        assert_eq!(rig.client(route).value("SELECT count(*) FROM shop.t"), "10");
    }
}
