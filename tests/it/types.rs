//! Every type of tests/fixture/types.sql through the engine: the same bytes as
//! plain Postgres sends, in text under settings that shape it, and in binary;
//! and what expressions make of types that the engine does not know.

use std::process::Command;

use super::fixture::{DATABASE, Fixture, PASSWORD, USER, environment, fixture, psql};

fn narrows(fixture: &Fixture) -> url::Url {
    let mut url = url::Url::parse("postgres://localhost").expect("a URL");
    url.set_host(Some(&fixture.address.ip().to_string()))
        .expect("an address");
    url.set_port(Some(fixture.address.port())).expect("a port");
    url.set_username(USER).expect("a name");
    url.set_password(Some(PASSWORD)).expect("a password");
    url.set_path(DATABASE);
    url
}

fn with_fixture(test: impl FnOnce(&Fixture)) {
    if let Some(environment) = environment() {
        test(&fixture(&environment));
    }
}

/// Stands before each column's bytes; no value has it.
const MARK: &str = "====";

/// What a COPY of each column sends, and what errors say.
fn copied(
    url: &url::Url,
    settings: &str,
    columns: &[(String, String)],
    format: &str,
) -> (Vec<Vec<u8>>, String) {
    let mut psql = Command::new("psql");
    psql.args(["-XAtq", "-v", "VERBOSITY=terse", "-d", url.as_str()])
        .args(["-c", settings]);
    for (column, _) in columns {
        let copy = format!(
            "COPY (SELECT {column} FROM kinds.every ORDER BY id) TO STDOUT (FORMAT {format})"
        );
        psql.args(["-c", &format!("\\echo {MARK}"), "-c", &copy]);
    }
    let output = psql.output().expect("psql runs");
    let mark = format!("{MARK}\n").into_bytes();
    let mut parts = vec![Vec::new()];
    let mut rest = output.stdout.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if rest.starts_with(&mark) {
            parts.push(Vec::new());
            rest = &rest[mark.len()..];
            continue;
        }
        parts.last_mut().expect("never empty").push(*first);
        rest = after;
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (parts.split_off(1), said)
}

fn columns(fixture: &Fixture) -> Vec<(String, String)> {
    let sql = "SELECT attname || '|' || format_type(atttypid, atttypmod) FROM pg_attribute \
               WHERE attrelid = 'kinds.every'::regclass AND attnum > 0 ORDER BY attnum";
    let names = psql(&fixture.oracle.url, &["-c", sql]);
    let pairs = names.lines().filter_map(|line| line.split_once('|'));
    pairs
        .map(|(column, name)| (column.to_string(), name.to_string()))
        .collect()
}

/// Both answer alike, refusals of a binary form included.
fn differing(fixture: &Fixture, settings: &str, format: &str) -> Vec<String> {
    let server = narrows(fixture);
    let engine = format!("{settings}; SET narrows.route = engine");
    let all = columns(fixture);
    assert!(all.len() > 170, "{}", all.len());
    let (expected, expected_errors) = copied(&fixture.oracle.url, settings, &all, format);
    let (here, errors) = copied(&server, &engine, &all, format);
    assert_eq!(errors, expected_errors);
    assert_eq!((expected.len(), here.len()), (all.len(), all.len()));
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    all.into_iter()
        .zip(expected.iter().zip(&here))
        // where Postgres refuses, the errors above tell
        .filter(|(_, (expected, here))| !expected.is_empty() && expected != here)
        .map(|((_, name), (expected, here))| {
            format!("{name}\n  {}\n  {}", shown(expected), shown(here))
        })
        .collect()
}

#[test]
fn every_value_is_the_same_in_binary() {
    with_fixture(|fixture| {
        let wrong = differing(fixture, "SET timezone = 'UTC'", "binary");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn every_value_is_the_same_in_text() {
    with_fixture(|fixture| {
        for settings in [
            "SET timezone = 'UTC'",
            "SET timezone = 'Asia/Kolkata'; SET datestyle = 'German, DMY'; \
             SET intervalstyle = 'iso_8601'; SET bytea_output = 'escape'; \
             SET extra_float_digits = 0",
        ] {
            let wrong = differing(fixture, settings, "text");
            assert!(wrong.is_empty(), "{settings}: {}", wrong.join("\n"));
        }
    });
}

/// The column of a type of `types.sql`.
fn column_of(fixture: &Fixture, type_name: &str) -> String {
    let found = columns(fixture)
        .into_iter()
        .find(|(_, name)| name == type_name);
    found.expect("a column of the type").0
}

#[test]
fn what_the_engine_sorts_and_groups_is_as_postgres_sorts_and_groups_it() {
    with_fixture(|fixture| {
        let server = narrows(fixture);
        let mut wrong = Vec::new();
        for type_name in [
            "kinds.mood",
            "inet",
            "cidr",
            "money",
            "time with time zone",
            "macaddr",
            "bit varying",
            "pg_lsn",
            "xid8",
            "numeric",
            "date",
            "kinds.percent",
        ] {
            let v = column_of(fixture, type_name);
            for sql in [
                format!("SELECT {v} FROM kinds.every ORDER BY {v} DESC NULLS FIRST, id LIMIT 9"),
                format!("SELECT id FROM kinds.every ORDER BY {v}, id"),
                format!(
                    "SELECT id, {v} FROM kinds.every WHERE id > 0 UNION ALL SELECT id, {v} FROM kinds.every WHERE id = 0 ORDER BY 2, 1"
                ),
                format!(
                    "SELECT e.{v} FROM kinds.every e JOIN kinds.every f ON e.id = f.id + 1 ORDER BY e.id"
                ),
                format!(
                    "SELECT x.{v}, x.{v} IS NULL FROM (SELECT * FROM kinds.every) x ORDER BY x.id"
                ),
            ] {
                let expected = psql(
                    &fixture.oracle.url,
                    &["-c", "SET timezone = 'UTC'", "-c", &sql],
                );
                let set = "SET timezone = 'UTC'; SET narrows.route = engine";
                for mode in ["off", "prefer"] {
                    let set = format!("{set}; SET narrows.pushdown = {mode}");
                    let here = psql(&server, &["-c", &set, "-c", &sql]);
                    if here != expected {
                        wrong.push(format!("{sql} [{mode}]\n  {expected}\n  {here}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn an_enum_compares_by_its_order() {
    with_fixture(|fixture| {
        let v = column_of(fixture, "kinds.mood");
        for sql in [
            format!("SELECT id FROM kinds.every WHERE {v} > 'sad' ORDER BY id"),
            format!("SELECT id FROM kinds.every WHERE {v} <= 'o''k' ORDER BY id"),
            format!("SELECT id FROM kinds.every WHERE {v} IN ('sad', 'o''k') ORDER BY id"),
            format!("SELECT {v}, count(*) FROM kinds.every GROUP BY {v} ORDER BY {v}"),
            format!("SELECT DISTINCT {v} FROM kinds.every ORDER BY {v}"),
        ] {
            let expected = psql(&fixture.oracle.url, &["-c", &sql]);
            let set = "SET narrows.route = engine";
            let here = psql(&narrows(fixture), &["-c", set, "-c", &sql]);
            assert_eq!(here, expected, "{sql}");
        }
    });
}

#[test]
fn what_would_be_answered_otherwise_is_refused() {
    with_fixture(|fixture| {
        let column = |name| column_of(fixture, name);
        for (sql, state) in [
            (
                format!("SELECT id FROM kinds.every ORDER BY {}", column("numrange")),
                "0A000",
            ),
            (
                format!("SELECT lower({}) FROM kinds.every", column("int4range")),
                "0A000",
            ),
            (
                format!("SELECT {} IS NULL FROM kinds.every", column("kinds.pair")),
                "0A000",
            ),
            (
                format!("SELECT DISTINCT {} FROM kinds.every", column("box")),
                "0A000",
            ),
            (
                format!("SELECT max({}) FROM kinds.every", column("kinds.mood")),
                "0A000",
            ),
            (
                format!(
                    "SELECT 1 FROM kinds.every WHERE {} < '10.0.0.2'",
                    column("inet")
                ),
                "0A000",
            ),
            (
                format!(
                    "SELECT 1 FROM kinds.every WHERE {} = 'glad'",
                    column("kinds.mood")
                ),
                "22P02",
            ),
            (
                format!("SELECT sum({}) FROM kinds.every", column("numeric")),
                "22",
            ),
        ] {
            let output = Command::new("psql")
                .args([
                    "-XAtq",
                    "-v",
                    "VERBOSITY=verbose",
                    "-d",
                    narrows(fixture).as_str(),
                ])
                .args([
                    "-c",
                    "SET narrows.route = engine",
                    "-c",
                    "SET narrows.pushdown = off",
                ])
                .args(["-c", &sql])
                .output()
                .expect("psql runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains(&format!("ERROR:  {state}")), "{sql}: {said}");
        }
    });
}
