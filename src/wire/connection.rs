//! A logged-in client's loop: one message after the other, until it leaves. What
//! the engine has to do is done on the engine's threads, where the connection is
//! moved to and back.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::time::Instant;

use super::backend::Severity;
use super::cancel::CancelHandle;
use super::channel::{Channel, Lost};
use super::frontend::{Frontend, RawMessage};
use super::guard::{Failure, Guard, shutting_down};
use super::login::Entered;
use super::task::{Place, Read, Task};
use super::{Service, extended, relay, simple};
use crate::error::Error;
use crate::session::{Session, Status};

pub struct Connection {
    pub service: Arc<Service>,
    pub channel: Channel,
    pub session: Session,
    pub cancel: CancelHandle,
    /// After an error of the extended protocol everything up to Sync is dropped.
    pub skipping: bool,
    /// What sources still owe to messages that were passed on.
    pub relay: relay::Pipeline,
}

pub async fn run(service: Arc<Service>, entered: Entered) {
    let connection = Box::new(Connection {
        service,
        channel: entered.channel,
        session: entered.session,
        cancel: entered.cancel,
        skipping: false,
        relay: relay::Pipeline::default(),
    });
    connection.serve().await;
}

impl Connection {
    async fn serve(mut self: Box<Self>) {
        let end = loop {
            let message = match self.wait().await {
                Ok(message) => message,
                Err(failure) => break failure,
            };
            if self.skipping && !matches!(message.kind, b'S' | b'X') {
                continue;
            }
            let task = Task::read(&mut self.session, message);
            let handled = match task.place {
                Place::Wire => self.handle(task).await,
                Place::Engine => {
                    let threads = self.service.engine.threads().clone();
                    let moved = Box::pin(async move {
                        let handled = self.handle(task).await;
                        (self, handled)
                    });
                    let Some((back, handled)) = threads.run(moved).await else {
                        // statements' own panics end earlier, and end nothing else
                        crate::metrics::panics::count();
                        tracing::error!("a connection ended by a panic");
                        return;
                    };
                    self = back;
                    handled
                }
            };
            if let Err(failure) = handled {
                break failure;
            }
        };
        if let Failure::Statement(error) | Failure::Fatal(error) = end {
            self.channel.out.error(&error, Severity::Fatal);
            // a client that does not read cannot hold up the end
            let bound = std::time::Duration::from_secs(1);
            let _ = tokio::time::timeout(bound, self.channel.close()).await;
        }
    }

    /// The next message; an idle session ends with the server or by its timeout.
    async fn wait(&mut self) -> Result<RawMessage, Failure> {
        let limit = self.service.config.limits.message_size;
        let interrupt = self.cancel.interrupt().clone();
        let draining = poll_fn(|cx| interrupt.poll_drain(cx));
        let idle = self.session.idle_timeout();
        let message = self.channel.message(limit);
        let message = match idle {
            None => tokio::select! {
                biased;
                () = draining => return Err(Failure::Fatal(shutting_down())),
                message = message => message,
            },
            Some((limit, error)) => tokio::select! {
                biased;
                () = draining => return Err(Failure::Fatal(shutting_down())),
                message = message => message,
                () = tokio::time::sleep(limit) => return Err(Failure::Fatal(error)),
            },
        };
        match message {
            Ok(message) if message.kind == b'p' => Err(Failure::Fatal(super::frontend::violation(
                "invalid frontend message type 112",
            ))),
            Ok(message) => Ok(message),
            Err(Lost::Closed) => Err(Failure::Closed),
            Err(Lost::Protocol(error)) => Err(Failure::Fatal(error)),
        }
    }

    async fn handle(&mut self, task: Task) -> Result<(), Failure> {
        let handled = match task.message {
            Ok(Frontend::Terminate) => return Err(Failure::Closed),
            Ok(Frontend::Copy) => return Ok(()),
            Ok(Frontend::Query(sql)) => return self.query(&sql, task.statements).await,
            Ok(Frontend::FunctionCall) => {
                let error = Error::unsupported("function calls by message are not supported");
                self.failed(&error).await;
                return self.ready().await;
            }
            Ok(Frontend::Sync) => return self.sync().await,
            Ok(Frontend::Flush) => match relay::settle_before(self, None).await {
                Ok(()) => return self.flush().await,
                Err(failure) => Err(failure),
            },
            Ok(message) => extended::handle(self, message, task.statements).await,
            Err(error) => Err(Failure::Statement(error)),
        };
        match handled {
            Ok(()) => Ok(()),
            Err(failure) => {
                // answers keep the order of their messages
                let failure = match relay::settle_before(self, None).await {
                    Err(earlier @ Failure::Told(_)) => earlier,
                    Err(Failure::Closed) => return Err(Failure::Closed),
                    _ => failure,
                };
                self.refused(failure).await?;
                if task.extended {
                    // clients that sent Flush, not Sync, wait for it
                    self.skipping = true;
                    return self.flush().await;
                }
                self.ready().await
            }
        }
    }

    async fn query(&mut self, sql: &str, statements: Read) -> Result<(), Failure> {
        // messages that no Sync ended are ended by a Query as well
        let mut result = match self.session.is_synced() {
            true => Ok(()),
            false => relay::sync(self).await,
        };
        if result.is_ok() {
            result = simple::run(self, sql, statements).await;
        }
        if result.is_ok() {
            result = self.end_implicit().await;
        }
        if let Err(failure) = result {
            self.refused(failure).await?;
        }
        self.session.settle();
        self.ready().await
    }

    /// The end of a batch of the extended protocol.
    async fn sync(&mut self) -> Result<(), Failure> {
        let mut result = relay::sync(self).await;
        self.skipping = false;
        if result.is_ok() {
            result = self.end_implicit().await;
        }
        if let Err(failure) = result {
            self.refused(failure).await?;
        }
        self.session.settle();
        self.ready().await
    }

    /// An implicit transaction ends with its message; sources may take long.
    async fn end_implicit(&mut self) -> Result<(), Failure> {
        if !self.session.ends_at_sources() {
            return self.session.end_implicit().await.map_err(Failure::from);
        }
        let guard = self.guard();
        let Connection {
            channel, session, ..
        } = self;
        guard.run(channel, session.end_implicit()).await
    }

    /// The statement failed and the connection goes on, or it does not.
    async fn refused(&mut self, failure: Failure) -> Result<(), Failure> {
        match failure {
            Failure::Statement(error) => {
                self.failed(&error).await;
                Ok(())
            }
            Failure::Told(_) => {
                self.session.fail().await;
                Ok(())
            }
            failure => Err(failure),
        }
    }

    async fn failed(&mut self, error: &Error) {
        self.session.fail().await;
        self.send_notices();
        self.channel.out.error(error, Severity::Error);
    }

    /// ReadyForQuery, after everything that the client must know before it.
    async fn ready(&mut self) -> Result<(), Failure> {
        self.cancel.interrupt().finish();
        self.send_notices();
        for (name, value) in self.session.take_reports() {
            self.channel.out.parameter_status(name, &value);
        }
        let status = self.session.status();
        self.channel.out.ready_for_query(status);
        // Writing takes as long as all the rest. Who waits for a connection that is
        // free now asks first; who holds one is answered at once.
        if status == Status::Idle {
            tokio::task::yield_now().await;
        }
        self.flush().await
    }

    pub fn send_notices(&mut self) {
        for notice in self.session.take_notices() {
            self.channel.out.notice(&notice);
        }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let interrupt = self.cancel.interrupt().clone();
        tokio::select! {
            biased;
            result = self.channel.flush() => result.map_err(|_| Failure::Closed)?,
            () = poll_fn(|cx| interrupt.poll_end(cx)) => return Err(Failure::Closed),
        }
        if self.channel.inbox.is_empty() {
            self.channel.out.release();
        }
        Ok(())
    }

    /// What may end the statements of the message that starts now.
    pub fn guard(&self) -> Guard {
        let interrupt = self.cancel.interrupt();
        interrupt.start();
        Guard {
            interrupt: interrupt.clone(),
            deadline: self
                .session
                .statement_timeout()
                .map(|limit| Instant::now() + limit),
        }
    }
}
