//! The relay's connections to one source: leased to one transaction at a time,
//! preferably with the settings that it wants already in place. They share the
//! cap of the source with its scans. Called by whoever relays.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;

use super::super::pool::Pool;
use super::backoff::Backoff;
use super::connect::{Connector, Login};
use super::connection::Connection;
use super::lease::Lease;
use super::prepared::{Statement, Statements};
use super::sending::Applied;
use super::settings::UpstreamSettings;
use crate::error::{Error, Result};
use crate::names::SourceName;

/// Unused for longer than this, a connection is asked for a sign of life first.
const FRESH: Duration = Duration::from_secs(10);
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// Sets of settings that the source is known to take.
const MOST_PROVEN: usize = 10_000;

/// Whom a connection is logged in as: the url's user, or one of `roles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Role(usize);

pub struct RelayPool {
    connector: Connector,
    pool: Arc<Pool>,
    /// By role; the url's own first.
    logins: Vec<(Login, Mutex<Backoff>)>,
    /// User here → role.
    roles: BTreeMap<String, Role>,
    statements: Statements,
    proven: Mutex<HashSet<(usize, u64)>>,
    settings: Mutex<HashMap<u64, Weak<UpstreamSettings>>>,
}

impl RelayPool {
    pub(in super::super) fn new(
        connector: Connector,
        pool: Arc<Pool>,
        own: Login,
        others: impl IntoIterator<Item = (String, Login)>,
    ) -> Arc<RelayPool> {
        let mut logins = vec![(own, Mutex::default())];
        let mut roles = BTreeMap::new();
        for (user, login) in others {
            roles.insert(user, Role(logins.len()));
            logins.push((login, Mutex::default()));
        }
        Arc::new(RelayPool {
            connector,
            pool,
            logins,
            roles,
            statements: Statements::default(),
            proven: Mutex::default(),
            settings: Mutex::default(),
        })
    }

    pub fn source(&self) -> &SourceName {
        &self.connector.reach.source
    }

    /// The role of a user here: the url's own unless the source declares another.
    pub fn role(&self, user: &str) -> Role {
        self.roles.get(user).copied().unwrap_or_default()
    }

    /// Has the user a login of their own on the source, with its own privileges?
    pub fn has_own_role(&self, user: &str) -> bool {
        self.roles.contains_key(user)
    }

    /// The statement for a text, its parameter types (0: to be inferred) and the
    /// settings it is parsed under. The same for all who ask for the same.
    pub fn statement(
        &self,
        sql: &str,
        oids: &[u32],
        settings: &Arc<UpstreamSettings>,
    ) -> Arc<Statement> {
        self.statements.intern(sql, oids, settings)
    }

    /// The same for all sessions that want the same, so that comparing is cheap.
    pub fn shared_settings(&self, settings: Arc<UpstreamSettings>) -> Arc<UpstreamSettings> {
        let mut known = locked(&self.settings);
        if let Some(same) = known.get(&settings.hash()).and_then(Weak::upgrade)
            && *same == *settings
        {
            return same;
        }
        if known.len() >= MOST_PROVEN {
            known.retain(|_, settings| settings.strong_count() > 0);
        }
        known.insert(settings.hash(), Arc::downgrade(&settings));
        settings
    }

    /// What `lease` gives, if a connection with these settings lies ready.
    pub fn lease_now(
        self: &Arc<Self>,
        role: Role,
        settings: &Arc<UpstreamSettings>,
    ) -> Option<Lease> {
        let permit = self.pool.permit_now()?;
        let mut found = self.pool.take_ready(role, settings, FRESH)?;
        if !found.is_still_sound() {
            self.pool.doubt_relays();
            return None;
        }
        Some(Lease::new(self.clone(), role, found, permit))
    }

    pub(super) fn forget_statement(&self, sql: &str) {
        self.statements.forget(sql);
    }

    /// A connection that is idle and outside of any transaction, with the settings
    /// in place or, if the source is known to take them, about to be with the next
    /// flush. First come, first served. 53300 if none came free in time, 08001 if
    /// the source cannot be reached, the source's own error for a setting.
    pub async fn lease(
        self: &Arc<Self>,
        role: Role,
        settings: &Arc<UpstreamSettings>,
    ) -> Result<Lease> {
        let permit = self.pool.permit().await?;
        let connection = match self.idle(role, settings).await {
            Some(connection) => connection,
            None => self.connect(role).await?,
        };
        let mut lease = Lease::new(self.clone(), role, connection, permit);
        if lease.apply(settings) == Applied::Sent
            && let Err(error) = self.try_settings(&mut lease, settings).await
        {
            lease.release();
            return Err(error);
        }
        Ok(lease)
    }

    /// The last used first: the others may be reaped.
    async fn idle(&self, role: Role, settings: &Arc<UpstreamSettings>) -> Option<Box<Connection>> {
        loop {
            let mut found = self.pool.take_relay(role, settings)?;
            if !found.connection.is_still_sound() {
                // What ended one may have ended all.
                self.pool.doubt_relays();
                continue;
            }
            if found.since.elapsed() < FRESH && !found.doubtful {
                return Some(found.connection);
            }
            if found.connection.is_alive(SIGN_OF_LIFE).await {
                return Some(found.connection);
            }
            // What silenced one has silenced all: do not wait for each of them.
            self.pool.drop_relays();
        }
    }

    /// Another runtime's threads would have to be woken for every byte that comes.
    async fn connect(self: &Arc<Self>, role: Role) -> Result<Box<Connection>> {
        let pool = self.clone();
        let opening = async move { pool.open(role).await };
        let opening = AbortOnDropHandle::new(self.pool.runtime().spawn(opening));
        let opened = opening.await;
        opened.map_err(|error| Error::internal(format!("a connect ended early: {error}")))?
    }

    async fn open(&self, role: Role) -> Result<Box<Connection>> {
        let Some((login, backoff)) = self.logins.get(role.0) else {
            return Err(Error::internal("a role of another source"));
        };
        let started = Instant::now();
        if let Some(error) = locked(backoff).refusal(started) {
            return Err(error);
        }
        self.pool.make_room().await;
        let tls = self.pool.tls().await?;
        let connected = self.connector.connect(login, tls).await;
        let mut backoff = locked(backoff);
        match &connected {
            Ok(_) => backoff.succeeded(),
            Err(error) => backoff.failed(started, Instant::now(), error),
        }
        connected.map(Box::new)
    }

    /// Values that this source never took are tried before anything is sent behind
    /// them: a statement must not run under other settings than its user's.
    async fn try_settings(&self, lease: &mut Lease, settings: &UpstreamSettings) -> Result<()> {
        let key = (lease.role().0, settings.hash());
        if locked(&self.proven).contains(&key) {
            return Ok(());
        }
        lease.settle().await?;
        let mut proven = locked(&self.proven);
        if proven.len() >= MOST_PROVEN {
            proven.clear();
        }
        proven.insert(key);
        Ok(())
    }

    /// Keeps a connection for the next lease.
    pub(super) fn put(
        &self,
        mut connection: Box<Connection>,
        role: Role,
        permit: OwnedSemaphorePermit,
    ) {
        connection.shrink();
        self.pool.put_relay(connection, role, permit);
    }

    /// One ended: the idle ones are asked for a sign of life before they are used.
    pub(super) fn doubt(&self) {
        self.pool.doubt_relays();
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.pool.spawn(work);
    }

    /// What a session starts with.
    pub(super) fn no_settings(&self) -> &Arc<UpstreamSettings> {
        &self.connector.none
    }
}

/// What is held cannot be left half changed by a panic elsewhere.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for RelayPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayPool")
            .field("pool", &self.pool)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}
