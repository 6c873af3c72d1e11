//! What an object store's failure is to a client: 58030 naming the table and the
//! object. Called by everything that reads lake objects.

use std::fmt;

use crate::error::{Error, SqlState};

/// `what` is the object as people know it, `table` the relation that needs it.
pub fn read_error(
    what: impl fmt::Display,
    table: impl fmt::Display,
    error: &object_store::Error,
) -> Error {
    Error::new(
        SqlState::IO_ERROR,
        format!(
            "could not read \"{what}\" of table \"{table}\": {}",
            reason(error)
        ),
    )
    .with_cause(scrub(&error.to_string()))
}

/// The object store's error below a library's.
pub fn storage_cause<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a object_store::Error> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<object_store::Error>() {
            return Some(found);
        }
        // the engine boxes it, and the box is no error of its own
        if let Some(found) = error.downcast_ref::<Box<object_store::Error>>() {
            return Some(found);
        }
        current = error.source();
    }
    None
}

fn reason(error: &object_store::Error) -> &'static str {
    match error {
        object_store::Error::NotFound { .. } => "no such file or object",
        object_store::Error::PermissionDenied { .. } => "permission denied",
        object_store::Error::Unauthenticated { .. } => "the store does not accept the credentials",
        _ if mentions_interrupted_io(error) => "the store does not answer",
        _ => "the store reported an error",
    }
}

fn mentions_interrupted_io(error: &object_store::Error) -> bool {
    let text = error.to_string();
    [
        "error sending request",
        "timed out",
        "connection",
        "connect",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// Text without the parts of URLs that may hold a secret: queries (signed URLs,
/// SAS tokens) and user information.
pub fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = url
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>' | '`'))
            .unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        clean.push_str(&scrub_url(url));
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Of a URL without its scheme: `user:secret@host/path?query`.
fn scrub_url(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = bare.split_at(bare.find('/').unwrap_or(bare.len()));
    let authority = match authority.rsplit_once('@') {
        // abfss://container@account holds no secret; a password follows a colon
        Some((user, host)) if user.contains(':') => format!("***@{host}"),
        _ => authority.to_string(),
    };
    format!("{authority}{path}")
}
