//! The connections to one source: never more than its `max_connections`, given
//! out first come first served, reused while they are alive. Scans and the relay
//! have their own kinds of them under the one cap. Called by `scan`, `discover`
//! and `relay`.
//!
//! The cap: whoever uses, opens or closes a connection holds a permit; idle ones
//! need none. Before one is opened, an idle one is closed if they would be too
//! many together.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{Loan, Session};
use super::reach::Reach;
use super::relay::{Connection, Role, UpstreamSettings};
use super::tls;
use crate::error::{Error, Result, SqlState};

/// How long a statement waits for a connection.
const WAIT: Duration = Duration::from_secs(30);
/// How long a connection may lie unused.
const IDLE: Duration = Duration::from_secs(60);
/// Unused for longer than this, a scan's connection is asked for a sign of life first.
const FRESH: Duration = Duration::from_secs(1);
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// How long the source may take to end a session that has to make room.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    reach: Arc<Reach>,
    /// Certificates are read at the first connect, so that making a source does no IO.
    tls: OnceCell<Arc<ClientConfig>>,
    places: Arc<Semaphore>,
    max_connections: usize,
    idle: Mutex<Idle>,
    /// Where the relay's sockets are watched and what ends anywhere is cleaned up:
    /// the runtime of whoever made the source, else of its first user.
    runtime: OnceLock<Handle>,
}

#[derive(Default)]
struct Idle {
    /// The most recently used last.
    sessions: Vec<(Session, Instant)>,
    relays: Vec<IdleRelay>,
    /// Relays that were idle then may have ended since.
    doubted: Option<Instant>,
    reaper: Reaper,
}

struct IdleRelay {
    connection: Box<Connection>,
    role: Role,
    since: Instant,
}

/// A connection of the relay's that was idle.
pub(super) struct FoundRelay {
    pub connection: Box<Connection>,
    pub since: Instant,
    /// Others that were idle with it have ended.
    pub doubtful: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Reaper {
    #[default]
    Resting,
    Running,
}

/// An idle connection that has to go.
enum Surplus {
    Session(Box<Session>),
    Relay(Box<Connection>),
}

impl Pool {
    pub fn new(reach: Arc<Reach>, max_connections: usize) -> Arc<Pool> {
        let max_connections = max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Pool {
            reach,
            tls: OnceCell::new(),
            places: Arc::new(Semaphore::new(max_connections)),
            max_connections,
            idle: Mutex::default(),
            runtime: Handle::try_current().map_or_else(|_| OnceLock::new(), OnceLock::from),
        })
    }

    pub fn max_connections(&self) -> usize {
        self.max_connections
    }

    /// A live session for a scan, whose statement is cancelled if the loan is
    /// dropped. 53300 if none came free in time, 08001 if the source cannot be reached.
    pub async fn borrow(self: &Arc<Self>) -> Result<Loan> {
        let permit = self.permit().await?;
        self.lend(permit).await
    }

    /// The same, with the right to use a connection in hand.
    pub async fn lend(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Result<Loan> {
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
        self.make_room().await;
        let session = Session::open(&self.reach, self.tls().await?).await?;
        Ok(Loan::new(session, permit, self.clone()))
    }

    /// The right to use one connection, if nobody has to be waited for.
    pub fn permit_now(&self) -> Option<OwnedSemaphorePermit> {
        self.runtime();
        self.places.clone().try_acquire_owned().ok()
    }

    /// Called within a runtime.
    pub fn runtime(&self) -> &Handle {
        self.runtime.get_or_init(Handle::current)
    }

    /// The right to use one connection. 53300 if none came free in time.
    pub async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        if let Some(permit) = self.permit_now() {
            return Ok(permit);
        }
        match timeout(WAIT, self.places.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::internal("a connection pool was closed")),
            Err(_) => Err(self.exhausted()),
        }
    }

    pub async fn tls(&self) -> Result<&Arc<ClientConfig>> {
        let Reach {
            source, address, ..
        } = &*self.reach;
        let read = || async { tls::client_config(source, &address.trust).map(Arc::new) };
        self.tls.get_or_try_init(read).await
    }

    /// Before a connection is opened, with a permit in hand: closes idle ones that
    /// would be too many with it.
    pub async fn make_room(&self) {
        while let Some(surplus) = self.take_surplus() {
            surplus.close().await;
        }
    }

    fn take_surplus(&self) -> Option<Surplus> {
        let mut idle = self.lock();
        let held = self
            .max_connections
            .saturating_sub(self.places.available_permits());
        if held + idle.sessions.len() + idle.relays.len() <= self.max_connections {
            return None;
        }
        // Each list has the longest unused first.
        let session = idle.sessions.first().map(|(_, since)| *since);
        let relay = idle.relays.first().map(|relay| relay.since);
        match (session, relay) {
            (Some(session), Some(relay)) if relay < session => {
                Some(Surplus::Relay(idle.relays.remove(0).connection))
            }
            (Some(_), _) => Some(Surplus::Session(Box::new(idle.sessions.remove(0).0))),
            (None, Some(_)) => Some(Surplus::Relay(idle.relays.remove(0).connection)),
            (None, None) => None,
        }
    }

    /// Keeps a session for the next borrower.
    pub fn put(self: &Arc<Self>, session: Session, permit: OwnedSemaphorePermit) {
        let mut idle = self.lock();
        idle.sessions.push((session, Instant::now()));
        // Together, so that it is never counted as both used and idle.
        drop(permit);
        self.start_reaper(&mut idle);
    }

    pub fn put_relay(
        self: &Arc<Self>,
        connection: Box<Connection>,
        role: Role,
        permit: OwnedSemaphorePermit,
    ) {
        let mut idle = self.lock();
        idle.relays.push(IdleRelay {
            connection,
            role,
            since: Instant::now(),
        });
        drop(permit);
        self.start_reaper(&mut idle);
    }

    /// The most recently used one of the role, of those with these settings if
    /// there are any.
    pub fn take_relay(&self, role: Role, settings: &UpstreamSettings) -> Option<FoundRelay> {
        let mut idle = self.lock();
        let relays = &idle.relays;
        let at = relays
            .iter()
            .rposition(|relay| relay.role == role && relay.connection.has_applied(settings))
            .or_else(|| relays.iter().rposition(|relay| relay.role == role))?;
        let IdleRelay {
            connection, since, ..
        } = idle.relays.remove(at);
        let doubtful = idle.doubted.is_some_and(|doubted| since <= doubted);
        Some(FoundRelay {
            connection,
            since,
            doubtful,
        })
    }

    /// The most recently used one of the role, if it has these settings, was used
    /// less than `fresh` ago and nothing speaks against it.
    pub fn take_ready(
        &self,
        role: Role,
        settings: &UpstreamSettings,
        fresh: Duration,
    ) -> Option<Box<Connection>> {
        let mut idle = self.lock();
        let doubted = idle.doubted;
        let is_ready = |relay: &IdleRelay| {
            relay.role == role
                && doubted.is_none_or(|doubted| relay.since > doubted)
                && relay.connection.has_applied(settings)
        };
        let at = idle.relays.iter().rposition(is_ready)?;
        match idle.relays[at].since.elapsed() < fresh {
            true => Some(idle.relays.remove(at).connection),
            false => None,
        }
    }

    /// One of them ended: the others are asked for a sign of life.
    pub fn doubt_relays(&self) {
        self.lock().doubted = Some(Instant::now());
    }

    /// Closes all idle connections of the relay without a word.
    pub fn drop_relays(&self) {
        let dropped = std::mem::take(&mut self.lock().relays);
        drop(dropped);
    }

    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = self.runtime.get() {
            runtime.spawn(work);
        }
    }

    fn take_idle(&self) -> Option<(Session, Instant)> {
        self.lock().sessions.pop()
    }

    fn start_reaper(self: &Arc<Self>, idle: &mut Idle) {
        if idle.reaper == Reaper::Resting {
            idle.reaper = Reaper::Running;
            self.spawn(reap(Arc::downgrade(self)));
        }
    }

    /// What has been idle for too long, with the permits to close it, and whether
    /// anything is left to watch.
    fn take_expired(&self) -> (Vec<(Surplus, OwnedSemaphorePermit)>, Reaper) {
        let mut idle = self.lock();
        idle.sessions
            .retain(|(session, _)| !session.client.is_closed());
        let mut expired = Vec::new();
        let is_old = |since: Instant| since.elapsed() >= IDLE;
        // Where there is no permit, the source is busy enough for all it has.
        while idle
            .sessions
            .first()
            .is_some_and(|(_, since)| is_old(*since))
            && let Ok(permit) = self.places.clone().try_acquire_owned()
        {
            expired.push((
                Surplus::Session(Box::new(idle.sessions.remove(0).0)),
                permit,
            ));
        }
        while idle.relays.first().is_some_and(|relay| is_old(relay.since))
            && let Ok(permit) = self.places.clone().try_acquire_owned()
        {
            expired.push((Surplus::Relay(idle.relays.remove(0).connection), permit));
        }
        if idle.sessions.is_empty() && idle.relays.is_empty() {
            idle.reaper = Reaper::Resting;
        }
        (expired, idle.reaper)
    }

    /// What is held are lists: a panic elsewhere cannot have left them half changed.
    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exhausted(&self) -> Error {
        Error::new(
            SqlState::TOO_MANY_CONNECTIONS,
            format!(
                "source \"{}\" has no free connection: all {} are in use",
                self.reach.source, self.max_connections
            ),
        )
        .with_hint("Raise max_connections of the source, or send fewer statements at once.")
    }
}

impl Surplus {
    async fn close(self) {
        match self {
            Surplus::Session(session) => session.close(GOODBYE).await,
            Surplus::Relay(connection) => connection.close(GOODBYE).await,
        }
    }
}

/// Closes what has been idle for too long; ends when nothing is idle.
async fn reap(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE / 4).await;
        let Some(pool) = pool.upgrade() else { return };
        let (expired, reaper) = pool.take_expired();
        for (surplus, permit) in expired {
            pool.spawn(async move {
                surplus.close().await;
                drop(permit);
            });
        }
        if reaper == Reaper::Resting {
            return;
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("source", &self.reach.source)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}
