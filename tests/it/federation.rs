//! What federation promises, over the fixture: the same answers with pushdown
//! off, on, and on plain Postgres; one row moved where one is wanted; sources
//! left alone when a client goes away.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::fixture::{Fixture, environment, fixture, psql};

pub fn narrows(fixture: &Fixture) -> url::Url {
    let mut url = url::Url::parse("postgres://localhost").expect("a URL");
    url.set_host(Some(&fixture.address.ip().to_string()))
        .expect("an address");
    url.set_port(Some(fixture.address.port())).expect("a port");
    url.set_username(super::fixture::USER).expect("a name");
    url.set_password(Some(super::fixture::PASSWORD))
        .expect("a password");
    url.set_path(super::fixture::DATABASE);
    url
}

pub fn with_fixture(test: impl FnOnce(&Fixture)) {
    let Some(environment) = environment() else {
        return;
    };
    let fixture = fixture(&environment);
    test(&fixture);
}

#[test]
fn pushing_never_changes_an_answer() {
    with_fixture(|fixture| {
        let server = narrows(fixture);
        let mut wrong = Vec::new();
        for sql in include_str!("../federation/queries.sql").lines() {
            let expected = psql(&fixture.oracle.url, &["-At", "-c", sql]);
            for mode in ["off", "prefer"] {
                let set = format!("SET narrows.pushdown = {mode}; SET narrows.route = engine");
                let actual = psql(&server, &["-Atq", "-c", &set, "-c", sql]);
                if actual != expected {
                    wrong.push(format!(
                        "{sql} [{mode}]\n  here: {actual}\n  Postgres: {expected}"
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn a_key_moves_one_row() {
    with_fixture(|fixture| {
        let plan = psql(
            &narrows(fixture),
            &[
                "-Atq",
                "-c",
                "EXPLAIN ANALYZE SELECT o.id, i.* FROM shop.orders o JOIN lake.lineitem i ON i.order_id = o.id WHERE o.id = 7",
            ],
        );
        let moved = plan
            .lines()
            .find(|line| line.contains("Fragment on shop"))
            .expect("a fragment of shop");
        assert!(moved.contains("rows=1 "), "{plan}");
    });
}

#[test]
fn the_keys_of_a_lake_table_travel() {
    with_fixture(|fixture| {
        let sql = "SELECT count(*), sum(o.total) FROM shop.orders o \
                   JOIN (SELECT DISTINCT order_id FROM lake.lineitem \
                         WHERE price < 20 AND part_id <> 2) i ON i.order_id = o.id";
        let server = narrows(fixture);
        assert_eq!(
            psql(&server, &["-Atq", "-c", sql]),
            psql(&fixture.oracle.url, &["-Atq", "-c", sql])
        );
        let plan = psql(&server, &["-Atq", "-c", &format!("EXPLAIN ANALYZE {sql}")]);
        let line = |text: &str| {
            let found = plan.lines().find(|line| line.contains(text));
            found.unwrap_or_else(|| panic!("{plan}")).to_string()
        };
        // prices below 20 are those of lines 0 to 5
        assert!(line("Fragment on shop").contains("rows=5 "), "{plan}");
        let read = line("Read: ");
        assert!(read.contains("connections=1 snapshot=own keys=5"), "{plan}");
        let off = psql(
            &server,
            &[
                "-Atq",
                "-c",
                "SET narrows.join_keys_wait = 0",
                "-c",
                &format!("EXPLAIN ANALYZE {sql}"),
            ],
        );
        assert!(off.contains("rows=200 "), "{off}");
    });
}

#[test]
fn what_is_of_one_source_is_one_fragment() {
    with_fixture(|fixture| {
        for sql in [
            "SELECT c.vip, count(*), sum(o.total * 2) FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id WHERE o.boxes > 1 GROUP BY c.vip HAVING count(*) > 2 ORDER BY 2 DESC LIMIT 3",
            "SELECT c.id FROM shop.customers c WHERE NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.customer_id = c.id AND o.total > 1900)",
            "SELECT count(*) FROM shop.orders o WHERE o.total > (SELECT avg(i.total) FROM shop.orders i WHERE i.customer_id = o.customer_id)",
            "SELECT id FROM shop.orders UNION ALL SELECT id FROM shop.customers",
        ] {
            let explain = format!("EXPLAIN {sql}");
            let engine = "SET narrows.route = engine";
            let plan = psql(&narrows(fixture), &["-Atq", "-c", engine, "-c", &explain]);
            let fragments = plan.lines().filter(|line| line.contains("Fragment on"));
            assert_eq!(fragments.count(), 1, "{plan}");
            assert!(!plan.contains("Kept:"), "{plan}");
        }
    });
}

#[test]
fn a_join_that_would_multiply_rows_stays_here() {
    with_fixture(|fixture| {
        let plan = psql(
            &narrows(fixture),
            &[
                "-Atq",
                "-c",
                "SET narrows.route = engine",
                "-c",
                "EXPLAIN SELECT a.name, b.total FROM shop.customers a, shop.orders b",
            ],
        );
        let fragments = plan.lines().filter(|line| line.contains("Fragment on"));
        assert_eq!(fragments.count(), 2, "{plan}");
        assert!(plan.contains("rows together"), "{plan}");
    });
}

/// Statements of this server that run on the source now.
fn running_on_source(fixture: &Fixture) -> usize {
    let text = psql(
        &fixture.oracle.url,
        &[
            "-Atq",
            "-c",
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'narrows%' AND state = 'active' AND query LIKE '%slow%'",
        ],
    );
    text.trim().parse().expect("a count")
}

fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "{what} took more than {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A view of the source whose scan takes long, discovered by the server.
const SLOW: &str = "SELECT count(*) FROM shop.slow";

#[test]
fn a_lost_client_ends_the_query_on_the_source() {
    with_fixture(|fixture| {
        let mut child = start_slow(fixture);
        wait_until("the start", Duration::from_secs(10), || {
            running_on_source(fixture) > 0
        });
        child.kill().expect("killed");
        child.wait().expect("ended");
        wait_until("the end on the source", Duration::from_secs(2), || {
            running_on_source(fixture) == 0
        });
    });
}

#[test]
fn a_cancel_reaches_the_source() {
    with_fixture(|fixture| {
        let mut child = start_slow(fixture);
        wait_until("the start", Duration::from_secs(10), || {
            running_on_source(fixture) > 0
        });
        // psql sends a CancelRequest on SIGINT
        std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .expect("kill runs");
        wait_until("the end on the source", Duration::from_secs(2), || {
            running_on_source(fixture) == 0
        });
        let mut said = String::new();
        child
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut said)
            .expect("text");
        child.wait().expect("ended");
        assert!(said.contains("57014"), "{said}");
    });
}

fn start_slow(fixture: &Fixture) -> std::process::Child {
    std::process::Command::new("psql")
        .arg(narrows(fixture).as_str())
        .args(["-X", "-v", "VERBOSITY=verbose", "-c", SLOW])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("psql runs")
}

#[test]
fn a_source_that_is_down_says_so_and_others_go_on() {
    with_fixture(|fixture| {
        let server = narrows(fixture);
        let down = std::process::Command::new("psql")
            .arg(server.as_str())
            .args([
                "-X",
                "-v",
                "VERBOSITY=verbose",
                "-c",
                "SELECT * FROM down.anything",
            ])
            .output()
            .expect("psql runs");
        let said = String::from_utf8_lossy(&down.stderr).into_owned();
        assert!(
            said.contains("08001") && said.contains("\"down\""),
            "{said}"
        );
        assert!(!said.contains("sesame"), "a secret: {said}");
        psql(&server, &["-Atq", "-c", "SELECT count(*) FROM shop.orders"]);
    });
}

#[test]
fn what_is_not_granted_is_neither_read_nor_listed() {
    with_fixture(|fixture| {
        let server = narrows(fixture);
        let listed = psql(
            &server,
            &[
                "-Atq",
                "-c",
                "SELECT count(*) FROM information_schema.tables WHERE table_name = 'secret'",
            ],
        );
        assert_eq!(listed.trim(), "0");
        let refused = std::process::Command::new("psql")
            .arg(server.as_str())
            .args([
                "-X",
                "-v",
                "VERBOSITY=verbose",
                "-c",
                "SELECT * FROM shop.secret",
            ])
            .output()
            .expect("psql runs");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("42501"), "{said}");
    });
}

#[test]
fn garbage_after_a_login_ends_only_its_own_connection() {
    with_fixture(|fixture| {
        let mut socket = TcpStream::connect(fixture.address).expect("connects");
        socket.write_all(&[0xff; 64]).expect("writes");
        let mut rest = Vec::new();
        socket
            .set_read_timeout(Some(Duration::from_secs(15)))
            .expect("set");
        socket.read_to_end(&mut rest).ok();
        psql(&narrows(fixture), &["-Atq", "-c", "SELECT 1"]);
    });
}
