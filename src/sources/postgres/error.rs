//! What went wrong at a Postgres source, as this crate's error. Called wherever
//! `tokio_postgres` answers; knows no statement and no session.
//!
//! A source's own SQLSTATE and words are kept. What speaks of the source as a
//! whole (it shuts down, it has a defect) is renamed: to a client it would read
//! as if this server did.

use std::error::Error as _;
use std::io;

use crate::error::{Error, SqlState};
use crate::names::SourceName;

/// An error of a statement that ran, or of the connection under it.
pub(super) fn from_postgres(source: &SourceName, error: tokio_postgres::Error) -> Error {
    if let Some(reported) = error.as_db_error() {
        return reported_by(source, reported);
    }
    let lost = error.is_closed()
        || error
            .source()
            .is_some_and(|cause| cause.is::<io::Error>() && !is_malformed(cause));
    if lost {
        return connection_lost(source).with_cause(error);
    }
    protocol_broken(source, "a message could not be understood").with_cause(error)
}

/// 08001: why a connection could not be made, without address or password.
pub(super) fn from_connect(source: &SourceName, error: tokio_postgres::Error) -> Error {
    let why = match error.as_db_error() {
        Some(reported) => reported.message().to_string(),
        None => match error.source() {
            Some(cause) => match cause.downcast_ref::<io::Error>() {
                Some(io) => io_reason(io),
                None => cause.to_string(),
            },
            None => error.to_string(),
        },
    };
    Error::unreachable(source, why).with_cause(error)
}

/// 08006: the connection ended in the middle of something.
pub(super) fn connection_lost(source: &SourceName) -> Error {
    Error::new(
        SqlState::CONNECTION_FAILURE,
        format!("the connection to source \"{source}\" was lost"),
    )
}

/// 08P01: the source sent what the protocol does not allow.
pub(super) fn protocol_broken(source: &SourceName, what: &str) -> Error {
    Error::new(
        SqlState::PROTOCOL_VIOLATION,
        format!("source \"{source}\" broke the protocol: {what}"),
    )
}

fn reported_by(source: &SourceName, reported: &tokio_postgres::error::DbError) -> Error {
    from_report(
        source,
        &Reported {
            code: reported.code().code(),
            message: reported.message(),
            detail: reported.detail(),
            hint: reported.hint(),
        },
    )
}

/// What an ErrorResponse says, as far as it is kept.
pub(super) struct Reported<'a> {
    pub code: &'a str,
    pub message: &'a str,
    pub detail: Option<&'a str>,
    pub hint: Option<&'a str>,
}

pub(super) fn from_report(source: &SourceName, reported: &Reported<'_>) -> Error {
    let cause = format!("reported by source \"{source}\"");
    let error = match reported.code {
        // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped
        "57P01" | "57P02" | "57P03" | "57P04" => {
            connection_lost(source).with_detail(format!("The source says: {}", reported.message))
        }
        code if code.starts_with("XX") => Error::new(
            SqlState::SYSTEM_ERROR,
            format!("source \"{source}\" failed: {}", reported.message),
        ),
        code => Error::new(
            SqlState::from_code(code).unwrap_or(SqlState::SYSTEM_ERROR),
            reported.message,
        ),
    };
    let error = match reported.detail {
        Some(detail) if error.detail().is_none() => error.with_detail(detail),
        _ => error,
    };
    let error = match reported.hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    };
    error.with_cause(cause)
}

/// Parsers of the protocol report what they cannot read as `InvalidInput` or `InvalidData`.
fn is_malformed(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|io| {
        matches!(
            io.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        )
    })
}

pub(super) fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".into(),
        io::ErrorKind::TimedOut => "it did not answer in time".into(),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "it closed the connection".into(),
        _ => error.to_string(),
    }
}
