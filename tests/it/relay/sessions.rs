//! What lasts longer than a statement: prepared statements, cursors, sequences,
//! temporary tables and settings, each statement in a message of its own. Beside
//! Postgres's answers, what is refused here and how.

use std::process::{Command, Stdio};

use super::{run, said, server, with_fixture};
use crate::fixture::psql;

/// Everything that psql prints for these statements, one after the other.
fn said_in_turn(url: &url::Url, statements: &[String]) -> String {
    let mut command = Command::new("psql");
    command.args(["-XAtq", "-v", "VERBOSITY=verbose", "-d", url.as_str()]);
    for statement in statements {
        command.args(["-c", statement]);
    }
    let output = command.stdin(Stdio::null()).output().expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    let lines = all.lines().filter(|line| {
        !line.starts_with("LINE ") && line.trim() != "^" && !line.starts_with("LOCATION:")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn sessions_are_as_at_the_source() {
    with_fixture(|fixture| {
        let server = server(fixture, "clerk");
        let mut oracle = fixture.oracle.url.clone();
        oracle.set_query(Some("options=-csearch_path%3Ddesk_remote"));
        let mut wrong = Vec::new();
        for line in include_str!("../../relay/sessions.sql").lines() {
            let statements: Vec<String> = line.split(" ;; ").map(str::to_string).collect();
            let there: Vec<String> = statements
                .iter()
                .map(|sql| {
                    sql.replace("desk.", "desk_remote.")
                        .replace("search_path = desk", "search_path = desk_remote")
                })
                .collect();
            let there = said_in_turn(&oracle, &there).replace("desk_remote", "desk");
            let here = said_in_turn(&server, &statements).replace("desk_remote", "desk");
            if here != there {
                wrong.push(format!("{line}\n  here: {here}\n  Postgres: {there}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn what_is_refused_says_why() {
    with_fixture(|fixture| {
        let clerk = server(fixture, "clerk");
        let analyst = server(fixture, "analyst");
        for (url, sql, expected) in [
            (&clerk, "LISTEN a", "0A000"),
            (&clerk, "NOTIFY a", "0A000"),
            (&clerk, "DO $$ BEGIN END $$", "0A000"),
            (&clerk, "CREATE TEMP TABLE t (a int)", "search_path"),
            // connections are shared between transactions
            (&clerk, "SELECT currval('desk.notes_id_seq')", "55000"),
            // without a grant on anything there
            (&analyst, "SELECT 'ok'::desk.mood", "42501"),
            (&analyst, "SELECT desk.double(1)", "42501"),
            (
                &analyst,
                "SET search_path = shop; DO $$ BEGIN END $$",
                "42501",
            ),
            // arguments are checked as other expressions are
            (
                &analyst,
                "PREPARE p(text) AS SELECT $1 FROM shop.orders LIMIT 1; EXECUTE p(pg_read_file('/etc/passwd'))",
                "42501",
            ),
            (
                &analyst,
                "PREPARE p(text) AS SELECT $1 FROM shop.orders LIMIT 1; EXECUTE p(shop.f())",
                "42501",
            ),
            (
                &clerk,
                "PREPARE p(text) AS SELECT $1 FROM desk.notes LIMIT 1; EXECUTE p('x'::shop.state)",
                "0A000",
            ),
        ] {
            let said = said(url, sql);
            assert!(said.contains(expected), "{sql}: {said}");
        }
    });
}

/// Clients parse JSON, XML and YAML plans: the route stands beside them.
#[test]
fn documents_of_explain_stay_whole() {
    with_fixture(|fixture| {
        let clerk = server(fixture, "clerk");
        let explained = |format: &str| {
            let sql = format!("EXPLAIN (FORMAT {format}, COSTS off) SELECT id FROM desk.accounts");
            (psql(&clerk, &["-c", &sql]), said(&clerk, &sql))
        };
        for (format, start) in [("json", "["), ("XML", "<explain"), ("'yaml'", "- Plan:")] {
            let (answer, all) = explained(format);
            assert!(answer.starts_with(start), "{format}: {answer}");
            assert!(all.contains("Route: relay to source \"desk\""), "{all}");
        }
        assert!(explained("text").0.starts_with("Route: relay"));
    });
}

#[test]
fn temporary_tables_are_their_sessions_alone() {
    run(async |fixture| {
        let a = super::connect(fixture).await;
        a.batch_execute("SET search_path = desk")
            .await
            .expect("set");
        let made = "CREATE TEMP TABLE own_scratch AS SELECT id FROM notes WHERE id < 4";
        a.batch_execute(made).await.expect("made");
        assert_eq!(
            super::one(&a, "SELECT count(*) FROM own_scratch").await,
            "3"
        );
        // more clients than the source has connections
        for _ in 0..6 {
            let b = super::connect(fixture).await;
            b.batch_execute("SET search_path = desk")
                .await
                .expect("set");
            let seen = "SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'own_scratch'";
            assert_eq!(super::one(&b, seen).await, "0");
            let refused = b.simple_query("SELECT * FROM own_scratch").await;
            assert!(refused.is_err());
            let refused = b.simple_query("SELECT * FROM desk.own_scratch").await;
            assert!(refused.is_err());
        }
        assert_eq!(
            super::one(&a, "SELECT count(*) FROM own_scratch").await,
            "3"
        );
    });
}
