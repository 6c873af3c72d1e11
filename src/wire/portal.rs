//! Rows from a running statement to the socket, batch by batch: nothing is
//! collected, and a client that does not read stops the query's progress.

use std::time::Instant;

use super::connection::Connection;
use super::encode::{BatchRows, Format};
use super::guard::{Failure, Guard};
use crate::error::SqlState;
use crate::metrics::log;
use crate::plan::Route;
use crate::session::{Running, Session};

/// Bytes after which the socket must take some before more rows are made.
pub const CHUNK: usize = 64 * 1024;

/// How sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub rows: u64,
    pub rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Exhausted,
    /// The row limit was reached; more may come.
    Suspended,
}

/// Sends at most `running.most` rows and gives the rest back to its portal.
pub async fn send(
    connection: &mut Connection,
    guard: &Guard,
    mut running: Running,
    formats: &[Format],
    report: &mut Report,
) -> Result<End, Failure> {
    report.route = running.route;
    let style = connection.session.style();
    let schema = running.cursor.schema.clone();
    let channel = &mut connection.channel;
    let mut sent = 0;
    let mut rest = Rest::Suspended;
    while sent < running.most {
        let next = running.cursor.next(running.most - sent);
        let Some(batch) = guard.run(channel, next).await? else {
            rest = Rest::Exhausted;
            break;
        };
        let mut rows = BatchRows::new(&batch, &schema, formats, &style)?;
        while rows.write(channel.out.tail(), CHUNK)? {
            guard.flush(channel).await?;
        }
        sent += batch.num_rows() as u64;
        report.rows = sent;
        if channel.out.len() >= CHUNK {
            guard.flush(channel).await?;
        }
    }
    connection.session.finish(running);
    Ok(End { rows: sent, rest })
}

/// One line of the log for each statement; never its text or values.
pub struct Report {
    user: std::sync::Arc<str>,
    pid: i32,
    started: Instant,
    pub route: Option<Route>,
    pub rows: u64,
}

impl Report {
    pub fn new(session: &Session) -> Self {
        let identity = session.identity();
        Report {
            user: identity.user.clone(),
            pid: identity.pid,
            started: Instant::now(),
            route: None,
            rows: 0,
        }
    }

    pub fn log<T>(&self, result: &Result<T, Failure>) {
        let route = match self.route {
            None => "session",
            Some(route) => route.name(),
        };
        let sqlstate = match result {
            Ok(_) => SqlState::SUCCESSFUL_COMPLETION,
            Err(Failure::Closed) => SqlState::CONNECTION_FAILURE,
            Err(Failure::Told(state)) => *state,
            Err(Failure::Statement(error) | Failure::Fatal(error)) => {
                if error.blame() != crate::error::Blame::Client {
                    tracing::warn!(pid = self.pid, "{}", error.log_text());
                }
                error.state()
            }
        };
        log::Statement {
            user: &self.user,
            pid: self.pid,
            route,
            rows: self.rows,
            took: self.started.elapsed(),
            sqlstate: sqlstate.code(),
        }
        .log();
    }
}
