//! Promise 36: tables change at a source behind the server's back. The answer is
//! the new truth or a clear error, in a session that stays usable.

use std::time::Duration;

use super::rig::{Declared, ROUTES, Rig, Route, error_of, rig, until};
use crate::wire::client::*;

const TABLE: &str = "CREATE TABLE shop.drift (id int, name text, gone int);
     INSERT INTO shop.drift VALUES (1, 'one', 10), (2, 'two', 20)";

fn with_table() -> Option<Rig> {
    rig(&Declared {
        ddl: TABLE,
        writable: true,
        ..Declared::default()
    })
}

fn remade(rig: &Rig) {
    rig.source.run("DROP TABLE IF EXISTS shop.drift CASCADE");
    rig.source.run(TABLE);
}

/// The columns that an answer has.
fn columns(messages: &[Message]) -> Vec<String> {
    let Some(described) = messages.iter().find(|message| message.kind == 'T') else {
        return Vec::new();
    };
    let mut rest = &described.body[2..];
    let mut names = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        names.push(String::from_utf8(rest[..end].to_vec()).expect("text"));
        rest = &rest[end + 19..];
    }
    names
}

#[test]
fn promise_36_changed_tables_are_read_as_they_are_now() {
    let Some(rig) = with_table() else { return };
    // what is changed, what is asked, and what the answer is now
    type Expected = Result<&'static [&'static str], &'static str>;
    let changes: [(&str, &str, Expected); 9] = [
        (
            "ALTER TABLE shop.drift DROP COLUMN gone",
            "SELECT * FROM shop.drift",
            Ok(&["id", "name"]),
        ),
        (
            "ALTER TABLE shop.drift DROP COLUMN gone",
            "SELECT gone FROM shop.drift",
            Err("42703"),
        ),
        (
            "ALTER TABLE shop.drift DROP COLUMN gone",
            "SELECT id FROM shop.drift WHERE gone = 10",
            Err("42703"),
        ),
        (
            "ALTER TABLE shop.drift RENAME COLUMN name TO title",
            "SELECT * FROM shop.drift",
            Ok(&["id", "title", "gone"]),
        ),
        (
            "ALTER TABLE shop.drift ALTER COLUMN id TYPE text",
            "SELECT * FROM shop.drift",
            Ok(&["id", "name", "gone"]),
        ),
        (
            "ALTER TABLE shop.drift ALTER COLUMN gone TYPE timestamptz USING now()",
            "SELECT id, gone FROM shop.drift",
            Ok(&["id", "gone"]),
        ),
        (
            "DROP TABLE shop.drift; CREATE TABLE shop.drift (other uuid, id bigint); \
             INSERT INTO shop.drift VALUES (gen_random_uuid(), 1)",
            "SELECT * FROM shop.drift",
            Ok(&["other", "id"]),
        ),
        (
            "DROP TABLE shop.drift",
            "SELECT * FROM shop.drift",
            Err("42P01"),
        ),
        (
            "ALTER TABLE shop.drift RENAME TO moved",
            "SELECT id FROM shop.drift",
            Err("42P01"),
        ),
    ];
    for route in ROUTES {
        for (change, sql, expected) in &changes {
            remade(&rig);
            let mut client = rig.client(route);
            client.query("CALL narrows.refresh('shop')");
            assert_eq!(
                client.rows("SELECT id, name, gone FROM shop.drift").len(),
                2
            );
            rig.source.run(change);
            let messages = client.query(sql);
            let what = format!("{route:?}: {change}; {sql}");
            match expected {
                Ok(names) => {
                    assert!(
                        error_of(&messages).is_err(),
                        "{what}: {:?}",
                        error_of(&messages).map(Message::text)
                    );
                    assert_eq!(columns(&messages), *names, "{what}");
                }
                Err(state) => {
                    let error = error_of(&messages).unwrap_or_else(|got| panic!("{what}: {got}"));
                    assert_eq!(error.code(), *state, "{what}: {}", error.text());
                }
            }
            assert_eq!(client.value("SELECT count(*) FROM shop.items"), "1000");
            rig.source.run("DROP TABLE IF EXISTS shop.moved");
        }
    }
}

#[test]
fn promise_36_a_column_that_was_added_is_found() {
    let Some(rig) = with_table() else { return };
    for route in ROUTES {
        remade(&rig);
        let mut client = rig.client(route);
        client.query("CALL narrows.refresh('shop')");
        assert_eq!(client.rows("SELECT * FROM shop.drift").len(), 2);
        rig.source
            .run("ALTER TABLE shop.drift ADD COLUMN added int DEFAULT 5");
        // its rows stay readable meanwhile
        assert_eq!(client.rows("SELECT id, name FROM shop.drift").len(), 2);
        client.query("CALL narrows.refresh('shop')");
        assert_eq!(
            client.value("SELECT added FROM shop.drift WHERE id = 1"),
            "5"
        );
    }
}

#[test]
fn promise_36_nothing_is_retried_within_a_transaction() {
    let Some(rig) = with_table() else { return };
    for route in ROUTES {
        remade(&rig);
        let mut client = rig.client(route);
        client.query("CALL narrows.refresh('shop')");
        client.query("BEGIN");
        assert_eq!(client.value("SELECT count(*) FROM shop.items"), "1000");
        rig.source.run("ALTER TABLE shop.drift DROP COLUMN gone");
        let messages = client.query("SELECT id, gone FROM shop.drift");
        assert_eq!(error_of(&messages).expect("an error").code(), "42703");
        assert_eq!(status(&messages), 'E');
        assert_eq!(client.error("SELECT 1"), "25P02");
        client.query("ROLLBACK");
        assert_eq!(client.value("SELECT count(*) FROM shop.items"), "1000");
    }
}

/// As Postgres: the columns that a client was told of do not change under it,
/// and what it prepares from then on has the new ones.
#[test]
fn promise_36_prepared_statements_never_change_their_columns_in_silence() {
    let Some(rig) = with_table() else { return };
    for route in ROUTES {
        for change in [
            "ALTER TABLE shop.drift ALTER COLUMN id TYPE text",
            "ALTER TABLE shop.drift DROP COLUMN gone",
            "DROP TABLE shop.drift",
        ] {
            remade(&rig);
            let mut client = rig.client(route);
            client.query("CALL narrows.refresh('shop')");
            let sql = "SELECT * FROM shop.drift";
            let run = [bind("", "mine", &[], [&[], &[]]), execute("", 0), sync()].concat();
            assert_eq!(columns(&prepares(&mut client, sql)), ["id", "name", "gone"]);
            client.send(&run);
            assert_eq!(kinds(&client.until_ready()), "2DDCZ");
            client.query("PREPARE theirs AS SELECT * FROM shop.drift");
            assert_eq!(client.rows("EXECUTE theirs").len(), 2);

            rig.source.run(change);
            let what = format!("{route:?}: {change}");
            for round in 0..2 {
                client.send(&run);
                let messages = client.until_ready();
                let error =
                    error_of(&messages).unwrap_or_else(|got| panic!("{what} {round}: {got}"));
                assert!(
                    matches!(error.code().as_str(), "0A000" | "42P01"),
                    "{what}: {}",
                    error.text()
                );
            }
            let messages = client.query("EXECUTE theirs");
            assert!(error_of(&messages).is_ok(), "{what}: {}", kinds(&messages));
            // whoever prepares now, even under the same text, has the new truth
            for client in [&mut client, &mut rig.client(route)] {
                client.send(&[close('S', "mine"), sync()].concat());
                client.until_ready();
                let described = prepares(client, sql);
                match error_of(&described) {
                    Ok(error) => assert_eq!(error.code(), "42P01", "{what}: {}", error.text()),
                    Err(_) => {
                        assert_eq!(columns(&described)[..2], ["id", "name"], "{what}");
                        client.send(&run);
                        assert_eq!(kinds(&client.until_ready()), "2DDCZ", "{what}");
                    }
                }
            }
        }
    }
    until("free places", Duration::from_secs(3), || {
        rig.source.backends("state = 'active'") == 0
    });
    rig.pool_is_whole(4);
}

/// A text that is parsed again and again may be spared its Parse there, which
/// nobody can tell.
#[test]
fn promise_36_texts_that_are_parsed_again_are_read_as_tables_are_now() {
    let Some(rig) = with_table() else { return };
    let from_drift = "SELECT * FROM shop.drift WHERE id > $1";
    let batch = [
        parse("", from_drift, &[23]),
        bind("", "", &[Some(b"0")], [&[], &[]]),
        describe('P', ""),
        execute("", 0),
        sync(),
    ]
    .concat();
    for _ in 0..20 {
        for (change, names) in [
            ("ADD COLUMN new int", &["id", "name", "gone", "new"][..]),
            ("DROP COLUMN gone", &["id", "name", "new"]),
            ("RENAME COLUMN name TO title", &["id", "title", "new"]),
            (
                "ALTER COLUMN title TYPE varchar(9)",
                &["id", "title", "new"],
            ),
            ("RENAME TO moved", &[]),
        ] {
            if change.starts_with("ADD") {
                remade(&rig);
                rig.source.run("DROP TABLE IF EXISTS shop.moved");
            }
            let mut client = rig.client(Route::Relay);
            for _ in 0..3 {
                client.send(&batch);
                let messages = client.until_ready();
                assert_eq!(rows(&messages), 2, "{change}: {}", kinds(&messages));
            }
            rig.source.run(&format!("ALTER TABLE shop.drift {change}"));
            client.send(&batch);
            let messages = client.until_ready();
            assert_eq!(columns(&messages), names, "{change}: {}", kinds(&messages));
            match error_of(&messages) {
                Err(_) => assert_eq!(kinds(&messages), "12TDDCZ", "{change}"),
                Ok(error) => {
                    assert_eq!(kinds(&messages), "EZ", "{change}");
                    assert_eq!(error.code(), "42P01", "{change}");
                }
            }
        }
    }
    rig.pool_is_whole(4);
}

/// A prepared statement goes on where there is a free connection, which may never
/// have seen it.
#[test]
fn promise_36_other_connections_tell_first_what_a_statement_reads_now() {
    let Some(rig) = with_table() else { return };
    let returning = "UPDATE shop.drift SET id = id RETURNING *";
    let run = [bind("", "mine", &[], [&[], &[]]), execute("", 0), sync()].concat();
    for sql in ["SELECT * FROM shop.drift", returning] {
        for (change, stays) in [
            ("ALTER TABLE shop.drift ALTER COLUMN id TYPE text", false),
            ("ALTER TABLE shop.drift DROP COLUMN gone", false),
            (
                "ALTER TABLE shop.drift ALTER COLUMN gone SET NOT NULL",
                true,
            ),
        ] {
            remade(&rig);
            let what = format!("{sql}: {change}");
            let mut client = rig.client(Route::Relay);
            let asked = prepares(&mut client, sql);
            assert_eq!(columns(&asked), ["id", "name", "gone"], "{what}");
            client.send(&run);
            assert_eq!(rows(&client.until_ready()), 2, "{what}");
            client.query(&format!("PREPARE theirs AS {sql}"));
            assert_eq!(rows(&client.query("EXECUTE theirs")), 2, "{what}");

            // every connection that knows the statement is taken
            let mut others: Vec<_> = (0..3).map(|_| rig.client(Route::Relay)).collect();
            for other in &mut others {
                other.query("BEGIN");
                assert_eq!(other.value("SELECT count(*) FROM shop.items"), "1000");
            }
            rig.source.run(change);
            let versions = "SELECT string_agg(xmin::text, ' ') FROM shop.drift";
            let before = rig.source.value(versions);
            for _ in 0..2 {
                client.send(&run);
                for messages in [client.until_ready(), client.query("EXECUTE theirs")] {
                    match error_of(&messages) {
                        Err(_) => assert!(stays && rows(&messages) == 2, "{what}"),
                        Ok(error) => {
                            assert!(!stays, "{what}: {}", error.text());
                            assert_eq!(error.code(), "0A000", "{what}: {}", error.text());
                        }
                    }
                }
            }
            let ran = rig.source.value(versions) != before;
            assert_eq!(ran, stays && sql == returning, "{what}");
            // whoever prepares it now has the new truth, whatever ran in the batch before
            let mut fresh = rig.client(Route::Relay);
            fresh.send(
                &[
                    parse("", "SELECT count(*) FROM shop.items", &[]),
                    bind("", "", &[], [&[], &[]]),
                    execute("", 0),
                    parse("mine", sql, &[]),
                    describe('S', "mine"),
                    run.clone(),
                ]
                .concat(),
            );
            let messages = fresh.until_ready();
            assert_eq!(kinds(&messages), "12DC1tT2DDCZ", "{what}");
            assert_eq!(columns(&messages)[..2], ["id", "name"], "{what}");
            drop(others);
        }
    }
    rig.pool_is_whole(4);
}

fn rows(messages: &[Message]) -> usize {
    messages
        .iter()
        .filter(|message| message.kind == 'D')
        .count()
}

/// Parse and Describe. The first to hear of a change may be whoever prepares a
/// text that others had prepared before it.
fn prepares(client: &mut Client, sql: &str) -> Vec<Message> {
    let mut again = true;
    loop {
        client.send(&[parse("mine", sql, &[]), describe('S', "mine"), sync()].concat());
        let messages = client.until_ready();
        let stale = error_of(&messages).is_ok_and(|error| error.code() == "0A000");
        if !(stale && std::mem::take(&mut again)) {
            return messages;
        }
        client.send(&[close('S', "mine"), sync()].concat());
        client.until_ready();
    }
}
