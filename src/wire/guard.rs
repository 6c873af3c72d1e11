//! What can end a statement from outside while it runs: a cancel request, the
//! timeout, the client's leaving, the server's end. Every wait of `simple`,
//! `extended` and `copy` for the engine or the socket goes through here.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;

use super::channel::Channel;
use super::interrupt::{Cause, Interrupt};
use crate::error::{Error, SqlState};

/// Why a statement or a connection ends.
#[derive(Debug)]
pub enum Failure {
    /// The client reads it and goes on.
    Statement(Error),
    /// The client reads it, then the connection ends.
    Fatal(Error),
    /// The client has read it already: a source's own error was handed on.
    Told(SqlState),
    /// The client is gone.
    Closed,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Statement(error)
    }
}

pub struct Guard {
    pub interrupt: Arc<Interrupt>,
    pub deadline: Option<Instant>,
}

impl Guard {
    /// Waits for `work`, which is dropped when something else comes first.
    pub async fn run<T>(
        &self,
        channel: &mut Channel,
        work: impl Future<Output = crate::error::Result<T>>,
    ) -> Result<T, Failure> {
        let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
        if let Some(failure) = self.over(Duration::ZERO) {
            return Err(failure);
        }
        tokio::select! {
            biased;
            result = &mut work => match result {
                Ok(result) => result.map_err(Failure::Statement),
                Err(panic) => Err(Failure::Statement(panicked(panic))),
            },
            failure = self.stopped(Duration::ZERO) => Err(failure),
            () = channel.watch() => Err(Failure::Closed),
        }
    }

    /// Waits for the client to take what was written.
    pub async fn flush(&self, channel: &mut Channel) -> Result<(), Failure> {
        tokio::select! {
            biased;
            result = channel.flush() => result.map_err(|_| Failure::Closed),
            failure = self.stopped(Duration::ZERO) => Err(failure),
        }
    }

    /// Must the statement end, as far as can be told without waiting? What is
    /// always ready asks between its steps.
    pub fn over(&self, slack: Duration) -> Option<Failure> {
        if let Some(cause) = self.interrupt.cause() {
            return Some(cause.into());
        }
        let late = |deadline: Instant| deadline + slack <= Instant::now();
        self.deadline
            .is_some_and(late)
            .then(|| Failure::Statement(canceled("statement timeout")))
    }

    /// Why the statement must end now; its timeout is `slack` later than said.
    pub async fn stopped(&self, slack: Duration) -> Failure {
        let cause = poll_fn(|cx| self.interrupt.poll_cause(cx));
        let Some(deadline) = self.deadline else {
            return cause.await.into();
        };
        tokio::select! {
            biased;
            cause = cause => cause.into(),
            () = tokio::time::sleep_until(deadline + slack) => {
                Failure::Statement(canceled("statement timeout"))
            }
        }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Canceled => Failure::Statement(canceled("user request")),
            Cause::ServerEnds => Failure::Fatal(shutting_down()),
        }
    }
}

/// Work that waits for nothing; a panic in it fails the statement alone.
pub fn contained<T>(work: impl FnOnce() -> crate::error::Result<T>) -> crate::error::Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => Err(panicked(panic)),
    }
}

pub fn canceled(why: &str) -> Error {
    Error::new(
        SqlState::QUERY_CANCELED,
        format!("canceling statement due to {why}"),
    )
}

pub fn shutting_down() -> Error {
    Error::new(
        SqlState::ADMIN_SHUTDOWN,
        "terminating connection due to administrator command",
    )
}

/// The panic's text is for the log; the count is the server's.
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Error {
    crate::metrics::panics::count();
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| text.to_string())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::internal(format!("a panic in a statement: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::interrupt::Closing;
    use tokio::io::DuplexStream;

    fn guard(deadline: Option<Duration>) -> Guard {
        Guard {
            interrupt: Arc::default(),
            deadline: deadline.map(|limit| Instant::now() + limit),
        }
    }

    fn channel() -> (Channel, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1024);
        (Channel::new(Box::new(ours)), theirs)
    }

    async fn forever() -> crate::error::Result<()> {
        std::future::pending().await
    }

    fn state(result: Result<(), Failure>) -> Option<SqlState> {
        match result {
            Err(Failure::Statement(error) | Failure::Fatal(error)) => Some(error.state()),
            _ => None,
        }
    }

    #[tokio::test]
    async fn panics_are_contained_counted_and_not_told() {
        let (mut channel, _client) = channel();
        let before = crate::metrics::panics::total();
        let work = async { panic!("a secret in {}", "src/some/file.rs") };
        let result: Result<(), Failure> = guard(None).run(&mut channel, work).await;
        let Err(Failure::Statement(error)) = result else {
            panic!("the statement must fail");
        };
        assert!(!error.message().contains("secret"));
        assert!(error.log_text().contains("secret"));
        assert_eq!(crate::metrics::panics::total(), before + 1);
    }

    #[tokio::test]
    async fn every_kind_of_end_ends_the_work() {
        let (mut channel, client) = channel();
        let canceled = guard(None);
        canceled.interrupt.start();
        canceled.interrupt.cancel();
        let end = canceled.run(&mut channel, forever()).await;
        assert_eq!(state(end), Some(SqlState::QUERY_CANCELED));
        let late = guard(Some(Duration::from_millis(10)));
        let end = late.run(&mut channel, forever()).await;
        assert_eq!(state(end), Some(SqlState::QUERY_CANCELED));
        let closing = guard(None);
        closing.interrupt.close(Closing::Now);
        let end = closing.run(&mut channel, forever()).await;
        assert_eq!(state(end), Some(SqlState::ADMIN_SHUTDOWN));
        drop(client);
        let end = guard(None).run(&mut channel, forever()).await;
        assert!(matches!(end, Err(Failure::Closed)));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_stops_the_flush() {
        let (mut channel, _client) = channel();
        channel.out.raw(&[0; 10_000]);
        let late = guard(Some(Duration::from_millis(20)));
        let end = late.flush(&mut channel).await;
        assert_eq!(state(end), Some(SqlState::QUERY_CANCELED));
        assert!(channel.out.len() > 8000, "what did not leave is kept");
    }
}
