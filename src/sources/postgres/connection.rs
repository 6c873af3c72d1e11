//! One upstream connection from connect to the end: made ready for safe
//! reading, given back when its work ended cleanly, cancelled and closed when it
//! did not. Called by `pool`.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::error::{from_connect, from_postgres};
use super::pool::Pool;
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
#[derive(Debug)]
pub(super) struct Session {
    pub client: Client,
    /// Reads and writes the socket.
    task: JoinHandle<()>,
    tls: MakeTls,
}

#[derive(Clone)]
struct MakeTls(MakeRustlsConnect);

impl std::fmt::Debug for MakeTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MakeTls")
    }
}

impl Session {
    /// 08001 if the source cannot be reached, does not answer in time or refuses the login.
    pub async fn open(
        source: &SourceName,
        address: &Address,
        tls: MakeRustlsConnect,
    ) -> Result<Session> {
        match timeout(address.connect_timeout, connect(source, address, tls)).await {
            Ok(session) => session,
            Err(_) => Err(Error::unreachable(source, "it did not answer in time")),
        }
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
        let Session { client, task, .. } = self;
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
        let Session { client, task, tls } = self;
        let token = client.cancel_token();
        // Without its client the task drains, says goodbye and ends.
        drop(client);
        let abort = task.abort_handle();
        let request = async {
            if token.cancel_query(tls.0).await.is_err() {
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

async fn connect(
    source: &SourceName,
    address: &Address,
    tls: MakeRustlsConnect,
) -> Result<Session> {
    let (client, connection) = address
        .config
        .connect(tls.clone())
        .await
        .map_err(|error| from_connect(source, error))?;
    let name = source.clone();
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(source = %name, %error, "a connection ended");
        }
    });
    let (set, _) = tokio::join!(
        client.batch_execute(SETTINGS),
        client.batch_execute(NOTICE_OUR_END),
    );
    set.map_err(|error| from_postgres(source, error))?;
    Ok(Session {
        client,
        task,
        tls: MakeTls(tls),
    })
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

    /// The client; `None` only after the loan ended.
    pub fn client(&self) -> Result<&Client> {
        match &self.session {
            Some(session) => Ok(&session.client),
            None => Err(Error::internal("a connection was used after its end")),
        }
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
