//! The connections to one source: never more than its `max_connections`, given
//! out first come first served, reused while they are alive. Called by `scan`
//! and `discover`.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use super::connection::{Loan, Session};
use super::tls;
use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;

/// How long a statement waits for a connection.
const WAIT: Duration = Duration::from_secs(30);
/// How long a connection may lie unused.
const IDLE: Duration = Duration::from_secs(60);
/// Unused for longer than this, a connection is asked for a sign of life first.
const FRESH: Duration = Duration::from_secs(1);
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

pub(super) struct Pool {
    source: SourceName,
    address: Address,
    /// Certificates are read at the first connect, so that making a source does no IO.
    tls: OnceCell<MakeRustlsConnect>,
    /// A permit is held from before connect until after close.
    places: Arc<Semaphore>,
    max_connections: usize,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The most recently used last.
    sessions: Vec<(Session, Instant)>,
    reaper: Reaper,
}

#[derive(Default, PartialEq)]
enum Reaper {
    #[default]
    Resting,
    Running,
}

impl Pool {
    pub fn new(source: SourceName, address: Address, max_connections: usize) -> Arc<Pool> {
        let max_connections = max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Pool {
            source,
            address,
            tls: OnceCell::new(),
            places: Arc::new(Semaphore::new(max_connections)),
            max_connections,
            idle: Mutex::default(),
        })
    }

    /// A live session, whose statement is cancelled if the loan is dropped.
    /// 53300 if none came free in time, 08001 if the source cannot be reached.
    pub async fn borrow(self: &Arc<Self>) -> Result<Loan> {
        let permit = match timeout(WAIT, self.places.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(Error::internal("a connection pool was closed")),
            Err(_) => return Err(self.exhausted()),
        };
        while let Some((session, since)) = self.take_idle() {
            if session.client.is_closed() {
                continue;
            }
            if since.elapsed() < FRESH || session.is_alive(SIGN_OF_LIFE).await {
                return Ok(Loan::new(session, permit, self.clone()));
            }
            // What silenced one has silenced all: do not wait for each of them.
            self.lock().sessions.clear();
        }
        let tls = self
            .tls
            .get_or_try_init(|| async { tls::connector(&self.source, &self.address.trust) })
            .await?;
        let session = Session::open(&self.source, &self.address, tls.clone()).await?;
        Ok(Loan::new(session, permit, self.clone()))
    }

    /// Keeps a session for the next borrower. Its permit is released after this.
    pub fn put(self: &Arc<Self>, session: Session) {
        let mut idle = self.lock();
        idle.sessions.push((session, Instant::now()));
        if idle.reaper == Reaper::Resting {
            idle.reaper = Reaper::Running;
            tokio::spawn(reap(Arc::downgrade(self)));
        }
    }

    fn take_idle(&self) -> Option<(Session, Instant)> {
        self.lock().sessions.pop()
    }

    /// What is held is a list: a panic elsewhere cannot have left it half changed.
    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exhausted(&self) -> Error {
        Error::new(
            SqlState::TOO_MANY_CONNECTIONS,
            format!(
                "source \"{}\" has no free connection: all {} are in use",
                self.source, self.max_connections
            ),
        )
        .with_hint("Raise max_connections of the source, or send fewer statements at once.")
    }
}

/// Closes what has been idle for too long; ends when nothing is idle.
async fn reap(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE / 4).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.lock();
        idle.sessions
            .retain(|(session, since)| since.elapsed() < IDLE && !session.client.is_closed());
        if idle.sessions.is_empty() {
            idle.reaper = Reaper::Resting;
            return;
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("source", &self.source)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
