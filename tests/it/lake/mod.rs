//! Lake tables through the wire: what other writers wrote, read as clients ask.

mod about;
mod http;
mod rest;
mod rest_server;
mod travel;

use std::process::Command;

use serde_json::Value;

use crate::fixture::{Environment, environment, here, run};
use crate::wire::client::{Client, Message};
use crate::wire::running::{Running, start};

/// Tables of tests/fixture/versions.py, behind a server.
struct Lake {
    server: Running,
    /// Of the Iceberg table, oldest first: id and time in ms.
    snapshots: Vec<(i64, i64)>,
    _folder: tempfile::TempDir,
}

/// What tests/fixture/versions.py writes, and what it says of it.
fn versions(environment: &Environment) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let written = run(Command::new(&environment.python)
        .arg(here("tests/fixture/versions.py"))
        .arg(folder.path()));
    (folder, serde_json::from_str(&written).expect("JSON"))
}

/// `None` under plain `cargo test`.
fn lake() -> Option<Lake> {
    lake_for("")
}

/// `more` are lines of catalog.toml.
fn lake_for(more: &str) -> Option<Lake> {
    let environment = environment()?;
    let (folder, written) = versions(&environment);
    let snapshots = written["snapshots"].as_array().expect("a list").iter();
    let number = |value: &Value| value.as_i64().expect("a number");
    let place = folder.path().display();
    std::fs::write(folder.path().join("plain.csv"), "id\n1\n").expect("written");
    let server = start(&format!(
        "[limits]\nmetadata_ttl = \"1h\"\n\
         [sources.delta]\nkind = \"delta\"\ntables = {{ changes = \"{place}/delta\" }}\n\
         [sources.ice]\nkind = \"iceberg\"\ntables = {{ changes = {}, empty = {}, parted = {} }}\n\
         [sources.files]\nkind = \"files\"\ntables = {{ plain = \"{place}/plain.csv\" }}\n\
         [sources.shop]\nkind = \"postgres\"\nurl = \"{}\"\nschemas = {{ pg_catalog = \"shop\" }}\n{more}",
        written["table"], written["empty"], written["parted"], environment.postgres
    ));
    Some(Lake {
        server,
        snapshots: snapshots
            .map(|one| (number(&one["id"]), number(&one["millis"])))
            .collect(),
        _folder: folder,
    })
}

/// A query's rows, a line each, `|` between values.
fn lines(client: &mut Client, sql: &str) -> Vec<String> {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".into());
    let rows = client.rows(sql);
    rows.iter()
        .map(|row| row.iter().map(shown).collect::<Vec<_>>().join("|"))
        .collect()
}

/// The names of a query's columns.
fn columns(client: &mut Client, sql: &str) -> Vec<String> {
    let messages = client.query(sql);
    let described = messages.iter().find(|message| message.kind == 'T');
    let body = &described
        .unwrap_or_else(|| panic!("{sql}: {}", texts(&messages)))
        .body;
    let mut names = Vec::new();
    let mut rest = &body[2..];
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        names.push(String::from_utf8_lossy(&rest[..end]).into_owned());
        rest = &rest[end + 1 + 18..];
    }
    names
}

/// Code, message, position and hint of a query's error.
fn failure(client: &mut Client, sql: &str) -> [String; 4] {
    let messages = client.query(sql);
    let error = messages.iter().find(|message| message.kind == 'E');
    let error = error.unwrap_or_else(|| panic!("{sql}: no error"));
    ['C', 'M', 'P', 'H'].map(|field| error.field(field).unwrap_or_default())
}

fn texts(messages: &[Message]) -> String {
    messages.iter().map(Message::text).collect()
}
