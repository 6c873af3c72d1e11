//! Lake tables through the wire: what other writers wrote, read as clients ask.

mod travel;

use crate::wire::client::{Client, Message};

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
