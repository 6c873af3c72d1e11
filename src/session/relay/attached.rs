//! One source's connection while a session's statements run on it: whose turn it
//! is, and what the source was told of the session's transaction.

use std::sync::Arc;

use super::Relayed;
use crate::error::{Error, Result};
use crate::names::SourceName;
use crate::pg_catalog::SourceRelations;
use crate::sources::postgres::relay::{Lease, TransactionStatus};
use crate::sources::postgres::{HeldLease, SharedLease};

/// A connection that this session's statements run on until it is given back.
#[derive(Debug)]
pub struct Attached {
    pub(super) shared: SharedLease,
    /// While statements are relayed; scans have their turns between them.
    pub(super) held: Option<HeldLease>,
    pub(super) source: SourceName,
    /// What its relations and columns are called by here.
    pub relations: Arc<SourceRelations>,
    pub batch: Batch,
    /// What the unnamed statement is there.
    pub unnamed: Option<Arc<Relayed>>,
    pub(super) block: Block,
    pub(super) wrote: Wrote,
    pub(super) keep: Keep,
}

/// Messages of the extended protocol up to Sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    Open,
    Ended,
}

/// Has the source been told that a transaction block began?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Closed,
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrote {
    Nothing,
    Something,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Given back with its transaction's end.
    Transaction,
    /// It holds what is this session's: temporary tables, advisory locks, held cursors.
    Session,
}

pub(super) enum Settled {
    /// Nothing of the session's is left in it.
    Free,
    Busy,
    Failed,
}

impl Attached {
    /// Takes the turn, after scans that are under way.
    pub(super) async fn hold(&mut self) -> Result<()> {
        if self.held.is_none() {
            let mut held = self.shared.clone().lock_owned().await;
            if let Some(lease) = held.as_mut()
                && !lease.is_answered()
                && !lease.is_given_up()
            {
                lease.settle().await?;
            }
            self.held = Some(held);
        }
        self.lease()?.reclaim().await
    }

    /// Would `hold` wait for nothing?
    pub(super) fn is_in_hand(&self) -> bool {
        let lease = self.held.as_ref().and_then(|held| held.as_ref());
        lease.is_some_and(|lease| !lease.is_given_up())
    }

    /// The connection; the session must have attached it for this statement.
    pub fn lease(&mut self) -> Result<&mut Lease> {
        self.held
            .as_mut()
            .and_then(|held| held.as_mut())
            .ok_or_else(|| Error::internal("a source's connection was used out of turn"))
    }

    pub(super) fn settled(&mut self) -> Settled {
        let ended = self.batch == Batch::Ended;
        let kept = self.keep == Keep::Session;
        let Ok(lease) = self.lease() else {
            return Settled::Busy;
        };
        if lease.is_dead() || lease.is_given_up() {
            return Settled::Free;
        }
        let settled = match lease.status() {
            TransactionStatus::Failed => Settled::Failed,
            TransactionStatus::InTransaction => Settled::Busy,
            TransactionStatus::Idle if !ended => return Settled::Busy,
            TransactionStatus::Idle => {
                // its end came from the statement itself, if there was one
                self.block = Block::Closed;
                self.wrote = Wrote::Nothing;
                match kept {
                    true => Settled::Busy,
                    false => Settled::Free,
                }
            }
        };
        if Arc::strong_count(&self.shared) > 2 {
            // scans wait for their turn
            self.held = None;
        }
        settled
    }

    pub(super) fn release(mut self) {
        let held = self
            .held
            .take()
            .or_else(|| self.shared.clone().try_lock_owned().ok());
        if let Some(lease) = held.and_then(|mut held| held.take()) {
            lease.release();
        }
    }
}
