//! One upstream connection from connect to the end: made ready for safe
//! reading, given back when its work ended cleanly, cancelled and closed when it
//! did not. Called by `pool`.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_util::task::AbortOnDropHandle;

use super::error::{from_connect, from_postgres};
use super::guard::{Guarded, HandOver};
use super::policy::WantedSession;
use super::pool::Pool;
use super::reach::{Opened, Origin, Reach, Refused};
use super::remembered::Remembered;
use crate::error::{Error, Result};
use crate::names::SourceName;

/// What every session says first: nothing that a source, a role or a database
/// presets may change what a value looks like or what a name means. jit stays as
/// the source has it: it changes no answer, and its owner tuned it.
const SETTINGS: &str = "SET client_encoding = 'UTF8'; \
    SET standard_conforming_strings = on; \
    SET search_path = ''; \
    SET TimeZone = 'UTC'; \
    SET DateStyle = 'ISO, YMD'; \
    SET IntervalStyle = 'postgres'; \
    SET extra_float_digits = 3; \
    SET bytea_output = 'hex'; \
    SET xmloption = 'content'; \
    SET statement_timeout = 0; \
    SET lock_timeout = 0; \
    SET idle_in_transaction_session_timeout = 0; \
    SET default_transaction_read_only = on";

/// Lets the source notice by itself that we are gone, whatever happened to us.
/// Sent apart: Postgres 13 does not know it, and not every platform allows it.
const NOTICE_OUR_END: &str = "SET client_connection_check_interval = '5s'";

/// How long a source may take to obey a cancel and to finish what it was sending
/// before the socket is cut. A socket cut with data unread is a reset to the
/// other side, so an orderly end is worth a wait.
const PARTING: Duration = Duration::from_secs(5);

/// A session on the source. Dropping it closes it once what it was sent is answered.
pub(super) struct Session {
    pub client: Client,
    /// What it has prepared.
    pub remembered: Remembered,
    /// Reads and writes the socket.
    task: JoinHandle<()>,
    origin: Arc<Origin>,
}

impl Session {
    /// 08001 if the source cannot be reached, does not answer in time or refuses the login.
    pub async fn open(reach: &Reach, tls: &Arc<ClientConfig>) -> Result<Session> {
        let mut attempts = reach.attempts();
        while let Some(attempt) = attempts.next().await {
            let work = async {
                let opened = reach.open(&attempt, tls).await?;
                log_in(reach, opened, attempt.wanted).await
            };
            let outcome = timeout(reach.address.connect_timeout, work).await;
            if let Some(session) = attempts.judge(outcome)? {
                return Ok(session);
            }
        }
        Err(attempts.into_error())
    }

    /// Does the other side still answer?
    pub async fn is_alive(&self, patience: Duration) -> bool {
        !self.client.is_closed()
            && matches!(
                timeout(patience, self.client.batch_execute("")).await,
                Ok(Ok(()))
            )
    }

    /// Says goodbye and waits a little for the other side to have gone.
    pub async fn close(self, patience: Duration) {
        let Session {
            client,
            task,
            remembered,
            ..
        } = self;
        drop(remembered);
        let abort = task.abort_handle();
        // Without its client the task says goodbye and ends.
        drop(client);
        if timeout(patience, task).await.is_err() {
            abort.abort();
        }
    }

    /// Ends what the source is doing for this session, then the session: what is
    /// still sent is read and thrown away until the source says that it stopped.
    async fn cancel(self) {
        let Session {
            client,
            task,
            origin,
            remembered,
        } = self;
        drop(remembered);
        let token = client.cancel_token();
        // Without its client the task drains, says goodbye and ends.
        drop(client);
        let abort = task.abort_handle();
        let request = async {
            let delivered = async {
                let socket = Guarded::unwatched(origin.reopen().await.ok()?);
                token.cancel_query_raw(socket, HandOver).await.ok()
            };
            if delivered.await.is_none() {
                tracing::debug!("a cancel request was not delivered");
            }
            std::future::pending::<()>().await
        };
        let ended = async {
            tokio::select! {
                _ = task => {}
                () = request => {}
            }
        };
        if timeout(PARTING, ended).await.is_err() {
            abort.abort();
        }
    }
}

async fn log_in(reach: &Reach, opened: Opened, wanted: WantedSession) -> Result<Session, Refused> {
    let source = &reach.source;
    let Opened {
        socket,
        origin,
        channel,
    } = opened;
    let mut config = (*reach.config).clone();
    // As far as it is concerned, the handshake is what is handed over.
    config
        .ssl_mode(SslMode::Require)
        .ssl_negotiation(SslNegotiation::Direct);
    let socket = Guarded::new(socket, reach.address.auth.clone(), channel);
    let connected = config.connect_raw(socket, HandOver).await;
    let (client, connection) = connected.map_err(|error| {
        let login = error
            .code()
            .is_some_and(|code| code.code().starts_with("28"));
        let error = from_connect(source, error);
        match login {
            true => Refused::Login(error),
            false => Refused::Host(error),
        }
    })?;
    let name = source.clone();
    // A server that lets us in and then says nothing is not waited for.
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(source = %name, %error, "a connection ended");
        }
    }));
    check_session(source, &client, wanted).await?;
    let (set, _) = tokio::join!(
        client.batch_execute(SETTINGS),
        client.batch_execute(NOTICE_OUR_END),
    );
    set.map_err(|error| from_postgres(source, error))?;
    Ok(Session {
        client,
        remembered: Remembered::default(),
        task: task.detach(),
        origin,
    })
}

async fn check_session(source: &SourceName, client: &Client, wanted: WantedSession) -> Result<()> {
    if wanted == WantedSession::Any {
        return Ok(());
    }
    let sql = "SELECT pg_catalog.pg_is_in_recovery(), \
               pg_catalog.current_setting('transaction_read_only') = 'on'";
    let answer = client.simple_query(sql).await;
    let answer = answer.map_err(|error| from_postgres(source, error))?;
    let is_true = |column: usize| {
        answer.iter().any(|message| {
            matches!(message, SimpleQueryMessage::Row(row) if row.get(column) == Some("t"))
        })
    };
    match wanted.unfit(is_true(0), is_true(1)) {
        Some(why) => Err(Error::unreachable(source, why)),
        None => Ok(()),
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A session on loan. Dropped before `give_back`, its statement is cancelled on
/// the source and the session closed; its place in the pool is free after that.
#[derive(Debug)]
pub(super) struct Loan {
    session: Option<Session>,
    permit: Option<OwnedSemaphorePermit>,
    pool: Arc<Pool>,
    /// Kept so that a drop outside of a runtime's thread still cleans up.
    runtime: Handle,
}

impl Loan {
    pub fn new(session: Session, permit: OwnedSemaphorePermit, pool: Arc<Pool>) -> Self {
        Loan {
            session: Some(session),
            permit: Some(permit),
            pool,
            runtime: Handle::current(),
        }
    }

    pub fn client(&self) -> Result<&Client> {
        Ok(&self.session()?.client)
    }

    /// There is none only after the loan ended.
    pub fn session(&self) -> Result<&Session> {
        self.session
            .as_ref()
            .ok_or_else(|| Error::internal("a connection was used after its end"))
    }

    /// Ends the transaction that the work ran in and returns the session to the
    /// pool, in the background: the caller has its rows already.
    pub fn give_back(mut self) {
        let (Some(session), Some(permit)) = (self.session.take(), self.permit.take()) else {
            return;
        };
        let pool = self.pool.clone();
        self.runtime.spawn(async move {
            match timeout(PARTING, session.client.batch_execute("COMMIT")).await {
                Ok(Ok(())) => pool.put(session, permit),
                _ => {
                    session.cancel().await;
                    drop(permit);
                }
            }
        });
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let permit = self.permit.take();
        if let Some(session) = self.session.take() {
            self.runtime.spawn(async move {
                session.cancel().await;
                drop(permit);
            });
        }
    }
}
