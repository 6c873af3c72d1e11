//! Real drivers against the server, over a socket, with the twelve queries of
//! tests/clients/queries.txt. Each program first asks plain Postgres, which
//! holds copies of all the tables: what is expected is what Postgres answers.

use std::path::Path;
use std::process::Command;

use super::fixture::{DATABASE, Environment, PASSWORD, USER, environment, fixture, here, run};

#[test]
fn psql() {
    check(|_| program("bash", "psql.sh"));
}

#[test]
fn psycopg() {
    check(|environment| program(&environment.python, "psycopg_client.py"));
}

/// Over statements that go to a writable source as they are.
#[test]
fn psycopg_relayed() {
    let Some(environment) = environment() else {
        return;
    };
    let fixture = fixture(&environment);
    let mut command = program(&environment.python, "psycopg_relay.py");
    command
        .env("PGHOST", fixture.address.ip().to_string())
        .env("PGPORT", fixture.address.port().to_string())
        .env("PGUSER", "clerk")
        .env("PGPASSWORD", PASSWORD)
        .env("PGDATABASE", DATABASE)
        .env("PGCONNECT_TIMEOUT", "20");
    assert_eq!(run(&mut command).trim(), "relayed");
}

#[test]
fn pgjdbc() {
    check(|environment| {
        let mut command = Command::new("java");
        command
            .args(["-XX:TieredStopAtLevel=1", "-cp"])
            .arg(&environment.pgjdbc)
            .arg(here("tests/clients/Client.java"));
        command
    });
}

#[test]
fn node_postgres() {
    check(|environment| {
        let mut command = program("node", "client.js");
        command.env("NODE_PATH", &environment.node_modules);
        command
    });
}

fn program(interpreter: impl AsRef<Path>, file: &str) -> Command {
    let mut command = Command::new(interpreter.as_ref());
    command.arg(here("tests/clients").join(file));
    command
}

fn check(client: impl Fn(&Environment) -> Command) {
    let Some(environment) = environment() else {
        return;
    };
    let fixture = fixture(&environment);
    let oracle = &fixture.oracle.url;
    let oracle_login = (
        oracle.host_str().unwrap(),
        oracle.port().unwrap(),
        oracle.username(),
        oracle.password().unwrap(),
        oracle.path().trim_start_matches('/'),
    );
    let host = fixture.address.ip().to_string();
    let login = (&*host, fixture.address.port(), USER, PASSWORD, DATABASE);
    for (host, port, user, password, database) in [oracle_login, login] {
        let mut command = client(&environment);
        command
            .arg(here("tests/clients/queries.txt"))
            .env("PGHOST", host)
            .env("PGPORT", port.to_string())
            .env("PGUSER", user)
            .env("PGPASSWORD", password)
            .env("PGDATABASE", database)
            .env("PGCONNECT_TIMEOUT", "20");
        let said = run(&mut command);
        assert!(said.contains("12 queries"), "{said}");
    }
}
