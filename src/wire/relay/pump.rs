//! Moves frames from a source to the client until everything that was asked for
//! has been answered. Rows are forwarded in pieces as large as they came, never
//! decoded and never collected: a client that does not read stops the reading.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::copy_in;
use super::replies::Replies;
use crate::error::{Error, SqlState};
use crate::names::SourceName;
use crate::pg_catalog::SourceRelations;
use crate::session::{Heading, Notice, Prepared, Relayed};
use crate::sources::postgres::relay::{Canceller, Frame, Lease, OBEY, Report as SourceReport};
use crate::wire::backend::Severity;
use crate::wire::channel::Channel;
use crate::wire::connection::Connection;
use crate::wire::guard::{Failure, Guard, canceled};
use crate::wire::portal::{CHUNK, Report};

/// Between cancels.
const AGAIN: Duration = Duration::from_millis(50);
/// The source has the timeout too, and its own words for it.
const SLACK: Duration = Duration::from_secs(1);

/// The messages that were sent to one source and are not answered yet.
#[derive(Debug, Default)]
pub struct Pipeline {
    pub source: Option<SourceName>,
    pub replies: Replies,
    /// Statements that ran in this batch.
    pub executed: Vec<Arc<Prepared>>,
}

/// Waits until the source has answered everything, and hands it on.
pub async fn settle(
    connection: &mut Connection,
    guard: &Guard,
    report: &mut Report,
) -> Result<(), Failure> {
    let Connection {
        channel,
        session,
        relay,
        ..
    } = connection;
    let Some(source) = relay.source.take() else {
        return Ok(());
    };
    let Some(attached) = session.attached(&source) else {
        relay.replies.clear();
        return Err(Error::internal("replies of a source that is not attached").into());
    };
    let relations = attached.relations.clone();
    let mut pump = Pump {
        relations: &relations,
        lease: attached.lease()?,
        replies: &mut relay.replies,
        channel,
        guard,
        report,
        failed: None,
        own: None,
        heading: Headed::Open,
        stopped: None,
    };
    let result = pump.run().await;
    let delivered = pump.see_cancel_through().await;
    let failed = pump.failed.take();
    let amid_row = pump.lease.missing() > 0;
    let whole = !pump.lease.is_dead() && pump.lease.is_answered();
    relay.replies.clear();
    // a cancel that is still on its way could hit what runs there next
    if result.is_err() && !whole || delivered == Delivered::Unknown {
        session.detach(&source);
    }
    if let Some(SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN) = failed {
        session.suspect(&source);
    }
    match (result, failed) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(state)) => Err(Failure::Told(state)),
        (Err(Failure::Statement(error) | Failure::Fatal(error)), _) if amid_row => {
            // the client would read the error as the rest of the row
            tracing::warn!("an answer ended within a row: {}", error.log_text());
            Err(Failure::Closed)
        }
        (Err(failure), _) => Err(failure),
    }
}

struct Pump<'a> {
    relations: &'a SourceRelations,
    lease: &'a mut Lease,
    replies: &'a mut Replies,
    channel: &'a mut Channel,
    guard: &'a Guard,
    report: &'a mut Report,
    /// What the client was told, where the source refused.
    failed: Option<SqlState>,
    /// What went wrong before the client's own statement.
    own: Option<Error>,
    heading: Headed,
    stopped: Option<Stopped>,
}

/// Has an EXPLAIN's heading been written?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Headed {
    Open,
    Written,
}

/// The client or a limit ended the statement, and the source was told.
struct Stopped {
    failure: Option<Failure>,
    until: Instant,
    rows_dropped: bool,
    /// Of a row whose begin the client has.
    rest_of_row: usize,
    /// The cancel request that is under way, and when another is due.
    request: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    again: Instant,
}

/// Have all cancel requests arrived?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivered {
    Yes,
    Unknown,
}

impl Pump<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            while self.step().await? {}
            if self.replies.is_empty() {
                return match self.own.take() {
                    Some(error) => Err(error.into()),
                    None => Ok(()),
                };
            }
            if self.stopped.is_none()
                && let Some(failure) = self.guard.over(SLACK)
            {
                self.stop(failure).await?;
            }
            if self.is_full() {
                self.flush().await?;
            } else {
                self.wait().await?;
            }
        }
    }

    fn is_full(&self) -> bool {
        self.channel.out.len() >= CHUNK && self.stopped.is_none()
    }

    /// Handles one piece of what has arrived; false when there is nothing to handle now.
    async fn step(&mut self) -> Result<bool, Failure> {
        if self.replies.is_empty() || self.is_full() {
            return Ok(false);
        }
        if self.rows()? {
            return Ok(true);
        }
        match self.lease.next() {
            Ok(None) => Ok(false),
            Ok(Some(frame)) => {
                self.frame(frame).await?;
                Ok(true)
            }
            Err(error) if self.lease.is_dead() => Err(error.into()),
            Err(error) => {
                // what was sent behind it is answered, but means nothing
                self.own = Some(error);
                Ok(true)
            }
        }
    }

    fn about(&self) -> Option<&Arc<Relayed>> {
        match self.own {
            Some(_) => None,
            None => self.replies.front()?.about.as_ref(),
        }
    }

    /// Rows and copied data, in a piece as large as what came.
    fn rows(&mut self) -> Result<bool, Failure> {
        let rows = self.lease.bulk()?;
        if rows.len == 0 {
            return Ok(false);
        }
        let Some(about) = self.about() else {
            return Ok(true);
        };
        let heading = match self.heading {
            Headed::Open => about.heading(),
            Headed::Written => None,
        };
        if let Some(stopped) = &mut self.stopped {
            let rest = stopped.rest_of_row.min(rows.len);
            stopped.rest_of_row -= rest;
            stopped.rows_dropped |= rest < rows.len;
            self.channel.out.raw(&self.lease.rows(rows)[..rest]);
            return Ok(true);
        }
        self.heading = Headed::Written;
        match heading {
            None => {}
            Some(Heading::Line(text)) => self.channel.out.text_row(&text),
            Some(Heading::Notice(message)) => self.notify(message),
        }
        self.channel.out.raw(self.lease.rows(rows));
        Ok(true)
    }

    fn notify(&mut self, message: String) {
        // as the source would, which knows the client's setting
        let least = self.lease.setting("client_min_messages");
        if !matches!(least, Some("warning" | "error")) {
            self.channel.out.notice(&Notice {
                severity: "NOTICE",
                state: SqlState::SUCCESSFUL_COMPLETION,
                message,
            });
        }
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), Failure> {
        match frame.kind {
            b'A' => self.channel.out.raw(self.lease.bytes(frame)),
            b'N' => self.noticed(frame),
            b'S' | b'K' => {}
            b'E' => return self.refused(frame),
            b'G' => {
                self.channel.out.raw(self.lease.bytes(frame));
                let copying = Box::pin(copy_in::run(self.channel, self.lease, self.guard));
                match copying.await {
                    Err(failure @ Failure::Statement(_)) => return self.stop(failure).await,
                    other => return other,
                }
            }
            b'Z' => {
                // whatever stood before it has no answer any more
                self.replies.failed();
                self.replies.came(b'Z');
            }
            kind => self.reply(kind, frame),
        }
        Ok(())
    }

    fn reply(&mut self, kind: u8, frame: Frame) {
        let cut = self
            .stopped
            .as_ref()
            .is_some_and(|stopped| stopped.rows_dropped);
        if kind == b'C' && cut {
            // it came to its end all the same, but the client has not all of it
            let error = canceled("user request");
            self.failed = Some(error.state());
            self.channel.out.error(&error, Severity::Error);
        } else if self.own.is_none() && self.replies.front().is_some_and(|r| r.shows(kind)) {
            let bytes = self.lease.bytes(frame);
            if kind == b'C' {
                self.report.rows += rows_of_tag(bytes);
            }
            match kind {
                b'T' => {
                    let here = |table, column| self.relations.column(table, column);
                    self.channel.out.relayed_columns(bytes, here);
                }
                _ => self.channel.out.raw(bytes),
            }
        }
        self.replies.came(kind);
    }

    fn noticed(&mut self, frame: Frame) {
        if let Some(about) = self.about().cloned() {
            let notice = SourceReport::new(self.lease.body(frame));
            self.channel
                .out
                .relayed_report(b'N', notice.fields(), |at| about.position(at));
        }
    }

    /// ErrorResponse: the client reads it with the position in its own text. What
    /// ends the source's connection is about that, not about the client's.
    fn refused(&mut self, frame: Frame) -> Result<(), Failure> {
        let error = SourceReport::new(self.lease.body(frame));
        if error.ends_connection() {
            return Err(error.to_error(self.lease.source()).into());
        }
        let stale = error.is_stale_statement();
        let state = SqlState::from_code(error.code()).unwrap_or(SqlState::SYSTEM_ERROR);
        if let Some(about) = self.about().cloned()
            && self.failed.is_none()
        {
            self.channel
                .out
                .relayed_report(b'E', error.fields(), |at| about.position(at));
            self.failed = Some(state);
        }
        if stale && let Some(about) = self.about().cloned() {
            self.lease.forget_statement(about.prepared_text());
        }
        self.replies.failed();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let failure = tokio::select! {
            biased;
            result = self.channel.flush() => return result.map_err(|_| Failure::Closed),
            failure = self.guard.stopped(SLACK) => failure,
        };
        self.stop(failure).await
    }

    /// Sends what waits to be sent and reads what the source says next.
    async fn wait(&mut self) -> Result<(), Failure> {
        if self.stopped.is_some() {
            return Box::pin(self.wait_for_obedience()).await;
        }
        let failure = tokio::select! {
            biased;
            result = self.lease.receive() => return Ok(result?),
            failure = self.guard.stopped(SLACK) => failure,
            () = self.channel.watch() => return Err(Failure::Closed),
        };
        self.stop(failure).await
    }

    /// A cancel that comes before the source began does nothing: it is told again.
    async fn wait_for_obedience(&mut self) -> Result<(), Failure> {
        let Some(stopped) = &mut self.stopped else {
            return Ok(());
        };
        let canceller = self.lease.canceller();
        loop {
            if stopped.request.is_none() && Instant::now() >= stopped.again {
                stopped.request = Some(Box::pin(tell(canceller.clone())));
            }
            let request = async {
                match &mut stopped.request {
                    Some(request) => request.await,
                    None => tokio::time::sleep_until(stopped.again).await,
                }
            };
            let failure = tokio::select! {
                biased;
                received = self.lease.receive() => match received {
                    Ok(()) => return Ok(()),
                    Err(_) => stopped.failure.take(),
                },
                () = request => {
                    stopped.again = match stopped.request.take() {
                        Some(_) => Instant::now() + AGAIN,
                        None => Instant::now(),
                    };
                    continue;
                }
                // the connection is closed, which ends the statement there as well
                () = tokio::time::sleep_until(stopped.until) => {
                    let source = self.lease.source();
                    stopped.failure.take().map(|failure| unanswered(failure, source))
                }
            };
            return Err(failure.unwrap_or(Failure::Closed));
        }
    }

    async fn see_cancel_through(&mut self) -> Delivered {
        let Some(Stopped {
            request: Some(request),
            until,
            ..
        }) = &mut self.stopped
        else {
            return Delivered::Yes;
        };
        match tokio::time::timeout_at(*until, request).await {
            Ok(()) => Delivered::Yes,
            Err(_) => Delivered::Unknown,
        }
    }

    /// Tells the source to stop. What it still sends is read to its end, so that
    /// the connection stays usable; its own error is what the client gets.
    async fn stop(&mut self, failure: Failure) -> Result<(), Failure> {
        if !matches!(failure, Failure::Statement(_)) {
            return Err(failure);
        }
        self.stopped = Some(Stopped {
            failure: Some(failure),
            until: Instant::now() + OBEY,
            rows_dropped: false,
            rest_of_row: self.lease.missing(),
            request: Some(Box::pin(tell(self.lease.canceller()))),
            again: Instant::now(),
        });
        Ok(())
    }
}

async fn tell(canceller: Canceller) {
    if let Err(error) = canceller.cancel().await {
        tracing::warn!("a cancel request was not delivered: {}", error.log_text());
    }
}

fn unanswered(failure: Failure, source: &SourceName) -> Failure {
    match failure {
        Failure::Statement(error) => Failure::Statement(error.with_detail(format!(
            "Source \"{source}\" did not answer the request to cancel."
        ))),
        other => other,
    }
}

/// The count at the end of a command tag: `INSERT 0 5`, `SELECT 5`.
fn rows_of_tag(frame: &[u8]) -> u64 {
    let body = frame.get(5..).unwrap_or_default();
    let tag = body.strip_suffix(b"\0").unwrap_or(body);
    let digits = tag.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let start = tag.len() - digits.count();
    std::str::from_utf8(&tag[start..])
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
