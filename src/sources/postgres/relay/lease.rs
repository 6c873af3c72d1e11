//! A connection on lease: whole for the next user when it comes back, or closed.
//! Made by `pool`.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::connect::ask_for_notice;
use super::connection::{Connection, Fitness, TransactionStatus};
use super::pool::{RelayPool, Role};

/// For the statements that clean a session.
const CLEANING: Duration = Duration::from_secs(5);

/// Dropped without `release`, what runs is cancelled on the source and the
/// connection closed; its place in the pool is free after that.
#[derive(Debug)]
pub struct Lease {
    connection: Box<Connection>,
    /// Gone when the lease has ended.
    permit: Option<OwnedSemaphorePermit>,
    role: Role,
    pool: Arc<RelayPool>,
}

impl Lease {
    pub(super) fn new(
        pool: Arc<RelayPool>,
        role: Role,
        connection: Box<Connection>,
        permit: OwnedSemaphorePermit,
    ) -> Lease {
        Lease {
            connection,
            permit: Some(permit),
            role,
            pool,
        }
    }

    pub fn role(&self) -> Role {
        self.role
    }

    /// What a prepared statement reads was altered: it cannot be run any more, and
    /// its text is prepared under another name from now on.
    pub fn forget_statement(&mut self, sql: &str) {
        self.pool.forget_statement(sql);
        self.taint("a statement's columns changed");
    }

    /// Gives the connection back. It is reused if everything was answered: at once
    /// if nothing of its user's is left in it, else after an open transaction was
    /// rolled back and what is left discarded, in the background.
    pub fn release(mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let connection = self.connection.take();
        let (pool, role) = (self.pool.clone(), self.role);
        let quiet = connection.is_quiet() && !connection.awaited.doubtful;
        match (connection.fitness, connection.status) {
            (Fitness::Sound, TransactionStatus::Idle) if quiet => {
                pool.put(connection, role, permit);
            }
            (Fitness::Dead, _) => {
                pool.doubt();
                drop((connection, permit));
            }
            _ if quiet => self.pool.spawn(async move {
                let cleaned = clean(connection, &pool);
                if let Ok(Some(connection)) = timeout(CLEANING, cleaned).await {
                    pool.put(connection, role, permit);
                }
            }),
            _ => self.cut(connection, permit),
        }
    }

    fn cut(&self, connection: Box<Connection>, permit: OwnedSemaphorePermit) {
        self.pool.spawn(async move {
            connection.cut().await;
            drop(permit);
        });
    }
}

/// As it was after its login; `None` if it cannot be had so.
async fn clean(mut connection: Box<Connection>, pool: &RelayPool) -> Option<Box<Connection>> {
    if connection.status != TransactionStatus::Idle {
        connection.query("ROLLBACK");
        connection.settle().await.ok()?;
    }
    if connection.fitness != Fitness::Sound {
        connection.own_query("DISCARD ALL");
        connection.settle().await.ok()?;
        ask_for_notice(&mut connection).await.ok()?;
        connection.forget_prepared();
        connection.applied = pool.no_settings().clone();
        connection.doubtful = None;
        connection.fitness = Fitness::Sound;
    }
    let idle = connection.status == TransactionStatus::Idle && connection.is_quiet();
    idle.then_some(connection)
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let connection = self.connection.take();
            if connection.is_dead() {
                self.pool.doubt();
            }
            self.cut(connection, permit);
        }
    }
}
