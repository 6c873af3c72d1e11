//! What the relay promises, over the fixture: statements over one Postgres
//! answer as if the client were connected to it, and nothing of one client
//! reaches another.

mod sessions;

use std::process::{Command, Stdio};

use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::fixture::{DATABASE, Fixture, PASSWORD, environment, fixture, here, psql};

fn with_fixture(test: impl FnOnce(&Fixture)) {
    let Some(environment) = environment() else {
        return;
    };
    test(&fixture(&environment));
}

/// The server, as a user who may read everything and write to `desk`.
fn server(fixture: &Fixture, user: &str) -> url::Url {
    let mut url = url::Url::parse("postgres://localhost").expect("a URL");
    url.set_host(Some(&fixture.address.ip().to_string()))
        .expect("an address");
    url.set_port(Some(fixture.address.port())).expect("a port");
    url.set_username(user).expect("a name");
    url.set_password(Some(PASSWORD)).expect("a password");
    url.set_path(DATABASE);
    url
}

/// Everything that psql prints, errors with all their fields.
fn said(url: &url::Url, sql: &str) -> String {
    let output = Command::new("psql")
        .args([
            "-XAt",
            "-v",
            "VERBOSITY=verbose",
            "-d",
            url.as_str(),
            "-c",
            sql,
        ])
        .stdin(Stdio::null())
        .output()
        .expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    all.lines()
        // the text shown and the caret under it differ by the schema's name
        .filter(|line| {
            !line.starts_with("LINE ") && line.trim() != "^" && !line.starts_with("LOCATION:")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// What stands under the place that psql's caret points at.
fn pointed_at(url: &url::Url, sql: &str) -> Option<String> {
    let output = Command::new("psql")
        .args(["-XAt", "-d", url.as_str(), "-c", sql])
        .stdin(Stdio::null())
        .output()
        .expect("psql runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    let caret = lines.iter().position(|line| line.trim() == "^")?;
    let at = lines[caret].chars().count() - 1;
    Some(lines[caret - 1].chars().skip(at).collect())
}

#[test]
fn statements_answer_as_at_the_source() {
    with_fixture(|fixture| {
        let server = server(fixture, "clerk");
        let mut oracle = fixture.oracle.url.clone();
        oracle.set_query(Some("options=-csearch_path%3Ddesk_remote"));
        let mut wrong = Vec::new();
        for sql in include_str!("../relay/statements.sql").lines() {
            let there = said(
                &oracle,
                &sql.replace("desk.", "desk_remote.")
                    .replace("search_path = desk", "search_path = desk_remote")
                    .replace("narrows.", ""),
            );
            let here = said(&server, sql);
            let here = match sql.starts_with("EXPLAIN") {
                true => here.replacen("Route: relay to source \"desk\"\n", "", 1),
                false => here,
            };
            let there = there.replace("desk_remote", "desk");
            if here.replace("desk_remote", "desk") != there {
                wrong.push(format!("{sql}\n  here: {here}\n  Postgres: {there}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn errors_point_into_the_clients_text() {
    with_fixture(|fixture| {
        let server = server(fixture, "clerk");
        for (sql, expected) in [
            ("SELECT nope FROM desk.notes", "nope FROM desk.notes"),
            (
                "SELECT 'ü', id FROM desk.notes WHERE desk.notes.nope = 1",
                "desk.notes.nope = 1",
            ),
            ("SELECT 1; SELECT id FROM desk.notes WHERE nope", "nope"),
            (
                "SELECT r.note FROM desk.notes JOIN desk.replies r ON gone = 1",
                "gone = 1",
            ),
        ] {
            assert_eq!(pointed_at(&server, sql).as_deref(), Some(expected), "{sql}");
        }
    });
}

#[test]
fn sources_that_are_read_only_stay_as_they_are() {
    with_fixture(|fixture| {
        let clerk = server(fixture, "clerk");
        for (sql, state) in [
            ("UPDATE shop.orders SET boxes = 0", "42501"),
            (
                "WITH x AS (DELETE FROM shop.orders RETURNING 1) SELECT * FROM x",
                "42501",
            ),
            ("EXPLAIN ANALYZE DELETE FROM shop.orders", "42501"),
            ("COPY shop.orders FROM STDIN", "42501"),
            ("PREPARE p AS DELETE FROM shop.orders", "42501"),
            ("SELECT 1 FROM shop.orders FOR UPDATE", "25006"),
            (
                "BEGIN READ WRITE; SELECT lo_create(0) FROM shop.orders",
                "42501",
            ),
            ("DROP TABLE shop.orders", "42501"),
            (
                "SET narrows.source = 'shop'; CREATE TABLE public.x (a int)",
                "42501",
            ),
            (
                "SET narrows.source = 'shop'; DO $$ BEGIN DELETE FROM shop.orders; END $$",
                "42501",
            ),
        ] {
            let said = said(&clerk, sql);
            assert!(said.contains(state), "{sql}: {said}");
        }
        assert_eq!(
            psql(&clerk, &["-c", "SELECT count(*) FROM shop.orders"]).trim(),
            "200"
        );
    });
}

#[test]
fn grants_hold_on_the_relay() {
    with_fixture(|fixture| {
        let analyst = server(fixture, "analyst");
        for (sql, state) in [
            ("SELECT * FROM shop.secret", "42501"),
            ("SELECT * FROM desk.notes", "42501"),
            ("INSERT INTO desk.notes (author) VALUES ('x')", "42501"),
            (
                "SELECT query_to_xml('select * from shop.secret', true, true, '') FROM shop.orders LIMIT 1",
                "42501",
            ),
            (
                "SELECT pg_read_file('/etc/passwd') FROM shop.orders LIMIT 1",
                "42501",
            ),
            (
                "SELECT table_to_xml('shop.secret', true, true, '') FROM shop.orders LIMIT 1",
                "42501",
            ),
            ("SET narrows.source = 'shop'", "42501"),
        ] {
            let said = said(&analyst, sql);
            assert!(said.contains(state), "{sql}: {said}");
        }
        let counted = psql(
            &analyst,
            &["-c", "SELECT count(*), lower('A') FROM shop.orders"],
        );
        assert_eq!(counted.trim(), "200|a");
    });
}

#[test]
fn the_last_route_is_told() {
    with_fixture(|fixture| {
        let clerk = server(fixture, "clerk");
        for (sql, route) in [
            ("SELECT 1 FROM desk.notes LIMIT 1", "relay"),
            (
                "SELECT 1 FROM desk.notes, lake.lineitem LIMIT 1",
                "federated",
            ),
            ("SELECT 1 FROM pg_class LIMIT 1", "catalog only"),
        ] {
            let said = psql(&clerk, &["-c", sql, "-c", "SHOW narrows.last_route"]);
            assert!(
                said.lines()
                    .last()
                    .is_some_and(|line| line.starts_with(route)),
                "{said}"
            );
        }
        let explained = psql(&clerk, &["-c", "EXPLAIN SELECT * FROM desk.notes"]);
        assert!(
            explained.starts_with("Route: relay to source \"desk\"\nSeq Scan on notes"),
            "{explained}"
        );
    });
}

#[test]
fn copied_rows_arrive() {
    with_fixture(|fixture| {
        let clerk = server(fixture, "clerk");
        let file = here("tests/fixture/catalog.toml");
        let copy = format!(
            "\\copy desk.copied FROM '{}' (DELIMITER E'\\x01')",
            file.display()
        );
        let said = psql(
            &clerk,
            &[
                "-c",
                "DROP TABLE IF EXISTS desk.copied",
                "-c",
                "CREATE TABLE desk.copied (line text)",
                "-c",
                &copy,
                "-c",
                "SELECT count(*) FROM desk.copied",
                "-c",
                "DROP TABLE desk.copied",
            ],
        );
        let lines = std::fs::read_to_string(file).expect("text").lines().count();
        assert_eq!(said.trim(), lines.to_string());
    });
}

fn config(fixture: &Fixture) -> Config {
    let mut config: Config = server(fixture, "clerk").as_str().parse().expect("a URL");
    config.connect_timeout(std::time::Duration::from_secs(10));
    config
}

async fn connect(fixture: &Fixture) -> tokio_postgres::Client {
    let (client, connection) = config(fixture).connect(NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

fn run(test: impl AsyncFnOnce(&Fixture)) {
    with_fixture(|fixture| {
        tokio::runtime::Runtime::new()
            .expect("a runtime")
            .block_on(test(fixture));
    });
}

async fn one(client: &tokio_postgres::Client, sql: &str) -> String {
    let rows = client.simple_query(sql).await.expect(sql);
    rows.iter()
        .find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
            _ => None,
        })
        .unwrap_or_default()
}

#[test]
fn nothing_of_one_client_reaches_another() {
    run(async |fixture| {
        let a = connect(fixture).await;
        one(
            &a,
            "SET TimeZone = 'Asia/Tokyo'; SET my.tenant = 'a'; SET search_path = desk",
        )
        .await;
        one(&a, "SELECT count(*) FROM notes").await;
        one(&a, "SELECT desk.sneak()").await;
        for _ in 0..20 {
            let b = connect(fixture).await;
            for (name, expected) in [
                ("TimeZone", "UTC"),
                ("default_transaction_read_only", "off"),
                ("application_name", "narrows:clerk"),
                ("my.tenant", ""),
            ] {
                let sql = format!(
                    "SELECT coalesce(current_setting('{name}', true), '') FROM desk.accounts LIMIT 1"
                );
                let value = one(&b, &sql).await;
                assert!(
                    value.starts_with(expected) && value.is_empty() == expected.is_empty(),
                    "{name}: {value}"
                );
            }
        }
    });
}

#[test]
fn prepared_statements_survive_pooling() {
    run(async |fixture| {
        let mut clients = Vec::new();
        for _ in 0..12 {
            let client = connect(fixture).await;
            let statement = client
                .prepare("SELECT body, mood::text, $2::int[] FROM desk.notes WHERE id = $1")
                .await
                .expect("prepared");
            clients.push((client, statement));
        }
        for round in 0..5i64 {
            let answers = clients
                .iter()
                .enumerate()
                .map(|(n, (client, statement))| async move {
                    let id = 1 + n as i64 + round;
                    let row = client
                        .query_one(statement, &[&id, &vec![1i32, 2]])
                        .await
                        .expect("a row");
                    assert_eq!(row.get::<_, String>(0), format!("note {id}"));
                    assert_eq!(row.get::<_, Vec<i32>>(2), [1, 2]);
                });
            futures::future::join_all(answers).await;
        }
    });
}

#[test]
fn money_is_neither_made_nor_lost() {
    run(async |fixture| {
        let workers = (0..16u64).map(|worker| async move {
            let client = connect(fixture).await;
            let mut random = worker * 7919 + 1;
            let mut next = |n: u64| {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (random >> 33) % n
            };
            for _ in 0..25 {
                let (from, to, amount) = (1 + next(32), 1 + next(32), next(50));
                let end = ["COMMIT", "ROLLBACK", "COMMIT; SELECT 1 / 0 FROM desk.accounts"][next(3) as usize];
                let sql = format!(
                    "BEGIN; UPDATE desk.accounts SET balance = balance - {amount} WHERE id = {from}; \
                     SAVEPOINT s; UPDATE desk.accounts SET balance = balance + 7 WHERE id = {to}; ROLLBACK TO s; \
                     UPDATE desk.accounts SET balance = balance + {amount} WHERE id = {to}; {end}"
                );
                // deadlocks and divisions by zero are errors; the rest of the message is not run
                if client.simple_query(&sql).await.is_err() {
                    client.simple_query("ROLLBACK").await.expect("rolled back");
                }
            }
        });
        futures::future::join_all(workers).await;
        let client = connect(fixture).await;
        assert_eq!(
            one(&client, "SELECT sum(balance) FROM desk.accounts").await,
            "32000"
        );
    });
}

#[test]
fn a_transaction_writes_to_one_source_and_reads_what_it_wrote() {
    run(async |fixture| {
        let client = connect(fixture).await;
        client
            .batch_execute("BEGIN; INSERT INTO desk.accounts VALUES (77, 5)")
            .await
            .expect("written");
        let joined = "SELECT a.balance FROM desk.accounts a JOIN lake.lineitem l ON l.order_id = a.id AND l.line = 1 WHERE a.id = 77";
        assert_eq!(one(&client, joined).await, "5");
        client.batch_execute("ROLLBACK").await.expect("rolled back");
        assert_eq!(one(&client, joined).await, "");
    });
}
