//! Promises 23 and 24: values, names and patterns of every kind mean at a source
//! what they mean in plain Postgres, whatever its settings are; and text is
//! UTF-8, on the way there and back.

use super::rig::{Declared, ROUTES, Rig, Route, error_of, rig};
use crate::wire::client::*;

const HOSTILE: [&str; 18] = [
    "plain",
    "D'Arcy \"Q\"",
    "''",
    "'; DROP TABLE shop.odd; --",
    "back\\slash",
    "end\\",
    "\\'",
    "\\\\'; SELECT pg_sleep(9); --",
    "100%_\\%",
    "$1 $2 $$ $tag$",
    "Zoë ☕ \u{1F600}",
    "line\nfeed\ttab\r",
    "/* -- */ E'x' U&'y'",
    "\u{2019}; \u{ff07}",
    "%s %d {} :name ?",
    "NULL",
    "",
    " ",
];

/// A source whose every setting is odd.
const ODD: &str = r#"
    DO $$ BEGIN
        EXECUTE (SELECT string_agg(format('ALTER ROLE CURRENT_USER IN DATABASE %I SET %s;', current_database(), s), ' ')
                 FROM unnest(ARRAY['standard_conforming_strings = off', 'DateStyle = ''SQL, DMY''',
                      'TimeZone = ''Asia/Tokyo''', 'search_path = ''other''', 'client_encoding = ''LATIN1''',
                      'IntervalStyle = ''sql_standard''', 'bytea_output = ''escape''', 'extra_float_digits = 0',
                      'array_nulls = off', 'transform_null_equals = on', 'xmloption = ''document''',
                      'backslash_quote = on', 'quote_all_identifiers = on', 'escape_string_warning = off',
                      'default_text_search_config = ''pg_catalog.german''']) AS s);
    END $$;
    CREATE TABLE shop.odd (id int, name text, d date, tz timestamptz, ts timestamp, iv interval,
        f float8, r real, b bytea, a text[], n numeric(10, 3));
    CREATE TABLE shop."we""ird '; -- tab\le" ("Mixed "" ' \ Case" int, "select" text);
    INSERT INTO shop."we""ird '; -- tab\le" VALUES (1, 'a'), (2, 'b\c');
    CREATE TABLE other.odd (id int, name text)"#;

fn odd() -> Option<Rig> {
    let rig = rig(&Declared {
        ddl: ODD,
        ..Declared::default()
    })?;
    for (id, name) in HOSTILE.iter().enumerate() {
        rig.source.run(&format!(
            "INSERT INTO shop.odd VALUES ({id}, {}, date '2024-02-03' + {id}, timestamptz '2024-02-03 04:05:06+00' + interval '{id} hours', \
             timestamp '2024-02-03 04:05:06' + interval '{id} days', interval '-1 month 2 days 00:00:01' * {id}, \
             {id} / 3.0::float8, {id} / 7.0::real, decode(md5('{id}'), 'hex') || '\\x5c27'::bytea, ARRAY[{}, 'NULL', NULL], {id} / 8.0)",
            quoted(name),
            quoted(name),
        ));
    }
    Some(rig)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The answer here and in plain Postgres, whose session has the usual settings.
fn check(rig: &Rig, client: &mut Client, route: Route, sql: &str) {
    let expected = rig.source.rows(sql);
    let messages = client.query(sql);
    assert!(
        error_of(&messages).is_err(),
        "{route:?} {sql}: {}",
        error_of(&messages).expect("one").text()
    );
    let rows: Vec<Vec<Option<String>>> = messages
        .iter()
        .filter(|message| message.kind == 'D')
        .map(|row| {
            row.values()
                .into_iter()
                .map(|v| v.map(|b| String::from_utf8(b).expect("UTF-8")))
                .collect()
        })
        .collect();
    assert_eq!(rows, expected, "{route:?} {sql}");
}

/// By the extended protocol, parameters as text.
fn with_parameters(client: &mut Client, sql: &str, values: &[&str]) -> Vec<Message> {
    let values: Vec<Option<&[u8]>> = values.iter().map(|value| Some(value.as_bytes())).collect();
    client.send(
        &[
            parse("", sql, &[]),
            bind("", "", &values, [&[], &[]]),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    client.until_ready()
}

fn ids(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .filter(|message| message.kind == 'D')
        .map(|row| String::from_utf8(row.values()[0].clone().expect("an id")).expect("digits"))
        .collect()
}

#[test]
fn promise_23_hostile_values_and_names_mean_what_they_mean_in_postgres() {
    let Some(rig) = odd() else { return };
    for route in ROUTES {
        let mut client = rig.client(route);
        for text in HOSTILE {
            let literal = quoted(text);
            let escaped = format!("E{}", literal.replace('\\', "\\\\"));
            let pattern = text
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            for sql in [
                format!("SELECT id, name FROM shop.odd WHERE name = {literal}"),
                format!("SELECT id FROM shop.odd WHERE name = {escaped}"),
                format!("SELECT id FROM shop.odd WHERE name IN ({literal}, 'x') ORDER BY id"),
                format!(
                    "SELECT id FROM shop.odd WHERE name <> {literal} AND name > 'A' COLLATE \"C\" ORDER BY id"
                ),
                format!(
                    "SELECT id FROM shop.odd WHERE name LIKE {} ORDER BY id",
                    quoted(&format!("%{pattern}%"))
                ),
                format!(
                    "SELECT id FROM shop.odd WHERE name LIKE {} ESCAPE '#' ORDER BY id",
                    quoted(&format!("{}%", text.replace('#', "##")))
                ),
                format!("SELECT {literal} AS v, id FROM shop.odd WHERE id = 1"),
            ] {
                // a pattern that ends in its escape character is an error in both
                if sql.contains("LIKE") && text.ends_with('\\') && !sql.contains(&pattern) {
                    continue;
                }
                check(&rig, &mut client, route, &sql);
            }
            let expected = ids_of(
                &rig,
                &format!("SELECT id FROM shop.odd WHERE name = {literal}"),
            );
            let sql = "SELECT id FROM shop.odd WHERE name = $1";
            assert_eq!(
                ids(&with_parameters(&mut client, sql, &[text])),
                expected,
                "{route:?} {text}"
            );
            let sql = "SELECT id FROM shop.odd WHERE name LIKE $1 AND id >= $2::int";
            assert_eq!(
                ids(&with_parameters(&mut client, sql, &[&pattern, "0"])),
                expected,
                "{route:?} {text}"
            );
        }
        for sql in [
            "SELECT id, d, tz, ts, iv, f, r, b, a, n FROM shop.odd ORDER BY id",
            "SELECT id FROM shop.odd WHERE d = '2024-02-05'",
            "SELECT id FROM shop.odd WHERE d < date '03/04/2024' ORDER BY id",
            "SELECT id FROM shop.odd WHERE tz <= '2024-02-03 09:05:06+02' ORDER BY id",
            "SELECT id FROM shop.odd WHERE ts = timestamp '2024-02-07 04:05:06'",
            "SELECT id FROM shop.odd WHERE iv = interval '-3 months 6 days 00:00:03'",
            "SELECT id FROM shop.odd WHERE f = 1.0/3::float8 OR n = 0.375 ORDER BY id",
            "SELECT id FROM shop.odd WHERE b = '\\x'::bytea || (SELECT b FROM shop.odd WHERE id = 4)",
            "SELECT count(*) FROM shop.odd WHERE name = NULL",
            "SELECT id, a = '{a,NULL}'::text[] FROM shop.odd WHERE id < 2 ORDER BY id",
            "SELECT \"Mixed \"\" ' \\ Case\", \"select\" FROM shop.\"we\"\"ird '; -- tab\\le\" WHERE \"Mixed \"\" ' \\ Case\" = 2",
            "SELECT t.\"select\" FROM shop.\"we\"\"ird '; -- tab\\le\" AS t WHERE t.\"select\" = 'b\\c'",
        ] {
            check(&rig, &mut client, route, sql);
        }
    }
    assert_eq!(
        rig.source.value("SELECT count(*) FROM shop.odd"),
        HOSTILE.len().to_string()
    );
}

fn ids_of(rig: &Rig, sql: &str) -> Vec<String> {
    let rows = rig.source.rows(sql);
    rows.into_iter()
        .map(|mut row| row.swap_remove(0).expect("an id"))
        .collect()
}

/// The bytes end before a source could read them as something else.
#[test]
fn promise_24_invalid_utf8_is_refused_before_it_reaches_a_source() {
    let Some(rig) = rig(&Declared {
        ddl: "CREATE TABLE shop.copied (line text)",
        writable: true,
        ..Declared::default()
    }) else {
        return;
    };
    for route in ROUTES {
        let mut client = rig.client(route);
        assert_eq!(client.value("SELECT count(*) FROM shop.items"), "1000");
        for bytes in [
            &b"\xc3"[..],
            b"\xff'",
            b"\xc0\xa7",
            b"\xed\xa0\x80",
            b"\xf8\x88\x80\x80\x80",
            b"a\xe2\x28'",
        ] {
            let marked = [b"zqzq", bytes].concat();
            let mut sql = b"SELECT id FROM shop.items WHERE name = '".to_vec();
            sql.extend_from_slice(&marked);
            sql.extend_from_slice(b"'\0");
            client.send(&message(b'Q', &sql));
            let messages = client.until_ready();
            assert_eq!(error_of(&messages).expect("an error").code(), "22021");
            // as text of Parse
            let mut body = b"\0".to_vec();
            body.extend_from_slice(&sql);
            body.extend_from_slice(&[0, 0]);
            client.send(&[message(b'P', &body), sync()].concat());
            assert_eq!(
                error_of(&client.until_ready()).expect("an error").code(),
                "22021"
            );
            // as a parameter
            let sql = "SELECT id FROM shop.items WHERE name = $1";
            client.send(
                &[
                    parse("", sql, &[]),
                    bind("", "", &[Some(&marked)], [&[0], &[]]),
                    execute("", 0),
                    sync(),
                ]
                .concat(),
            );
            let messages = client.until_ready();
            assert_eq!(
                error_of(&messages).expect("an error").code(),
                "22021",
                "{route:?}"
            );
            let heard = rig.proxy.heard();
            let passed = heard.windows(marked.len()).any(|part| part == marked);
            assert!(!passed, "{route:?}: the source was told");
            assert_eq!(client.value("SELECT count(*) FROM shop.items"), "1000");
        }
        // and zero bytes, which no text has
        let messages = {
            client.send(
                &[
                    parse("", "SELECT id FROM shop.items WHERE name = $1", &[]),
                    bind("", "", &[Some(b"a\0b")], [&[], &[]]),
                    execute("", 0),
                    sync(),
                ]
                .concat(),
            );
            client.until_ready()
        };
        assert_eq!(error_of(&messages).expect("an error").code(), "22021");
    }
    let mut client = rig.client(Route::Relay);
    client.send(&query("COPY shop.copied FROM STDIN"));
    assert_eq!(client.read().expect("an answer").kind, 'G');
    client.send(&[message(b'd', b"ok\na\xff\n"), message(b'c', b"")].concat());
    assert_eq!(
        error_of(&client.until_ready()).expect("an error").code(),
        "22021"
    );
    assert_eq!(rig.source.value("SELECT count(*) FROM shop.copied"), "0");
}

#[test]
fn promise_24_text_of_a_source_that_is_not_utf8_is_an_error() {
    let Some(rig) = rig(&Declared {
        database: "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc",
        ddl: "CREATE TABLE shop.bytes (id int, name text);
              INSERT INTO shop.bytes VALUES (1, 'fine'), (2, E'bad \\xff\\xfe')",
        ..Declared::default()
    }) else {
        return;
    };
    for route in ROUTES {
        let mut client = rig.client(route);
        assert_eq!(
            client.value("SELECT name FROM shop.bytes WHERE id = 1"),
            "fine"
        );
        for sql in [
            "SELECT name FROM shop.bytes",
            "SELECT id, name FROM shop.bytes WHERE id = 2",
            "SELECT min(name) FROM shop.bytes",
        ] {
            let messages = client.query(sql);
            let error = error_of(&messages).unwrap_or_else(|got| panic!("{route:?} {sql}: {got}"));
            assert!(
                matches!(error.code().as_str(), "22021" | "22P05"),
                "{}",
                error.text()
            );
        }
        assert_eq!(client.value("SELECT count(*) FROM shop.bytes"), "2");
    }
}
