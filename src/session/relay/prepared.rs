//! Statements that were prepared for a source, under the names that its
//! connections know them by.

use std::sync::{Arc, OnceLock};

use super::Relayed;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::sources::postgres::relay::{Ensured, Statement};

/// A statement as Parse or PREPARE gave it, for any connection of its source.
#[derive(Debug, Clone)]
pub struct RelayPrepared {
    pub relayed: Arc<Relayed>,
    /// The types that the client gave; 0: left open.
    pub oids: Vec<u32>,
    /// Made when a name is needed for it: most statements run once.
    pub(super) statement: OnceLock<Arc<Statement>>,
}

impl Session {
    /// Sends what EXECUTE runs, if the source's connection does not know it.
    pub async fn prepare_what_runs(&mut self, relayed: &Relayed) -> Result<Ensured> {
        let Some(prepared) = relayed.runs.as_ref().and_then(|runs| runs.relay.as_ref()) else {
            return Ok(Ensured::Known);
        };
        let statement = match self.statement(prepared)? {
            Some(statement) => statement,
            None => self.learn_alone(prepared).await?,
        };
        let Some(attached) = self.attached(&relayed.source) else {
            return Ok(Ensured::Known);
        };
        let ensured = attached.lease()?.ensure(&statement);
        if ensured == Ensured::Sent {
            attached.lease()?.sync();
        }
        Ok(ensured)
    }

    /// The statement under the settings that the session has now. `None` if the
    /// source must tell first whether it is still what it was: `learn` it.
    pub fn statement(&mut self, prepared: &RelayPrepared) -> Result<Option<Arc<Statement>>> {
        let statement = self.find(prepared)?;
        let other = match prepared.statement.get() {
            Some(told) if Arc::ptr_eq(told, &statement) => false,
            Some(told) if !told.has_columns_of(&statement) => return Err(changed()),
            told => told.is_some_and(|told| told.is_described()),
        };
        let lease = match self.attached(&prepared.relayed.source) {
            Some(attached) => attached.lease()?,
            None => return Ok(Some(statement)),
        };
        if lease.is_new_to(&statement) || other && !statement.is_described() {
            return Ok(None);
        }
        // of two settings the first is remembered; the other is found by its text
        let _ = prepared.statement.set(statement.clone());
        Ok(Some(statement))
    }

    /// Prepares the statement on the connection at hand, which has nothing else to
    /// answer, and waits for its columns. Whoever was told others must not run it;
    /// whoever prepares it now gets the one of today.
    pub async fn learn(&mut self, prepared: &RelayPrepared) -> Result<Arc<Statement>> {
        let statement = self.find(prepared)?;
        let Some(attached) = self.attached(&prepared.relayed.source) else {
            return Ok(statement);
        };
        if let Some(error) = attached.lease()?.learn(&statement).await? {
            return Err(match error.position() {
                Some(position) => error.with_position(prepared.relayed.position(position)),
                None => error,
            });
        }
        let statement = self.find(prepared)?;
        let told = prepared.statement.get_or_init(|| statement.clone());
        match told.has_columns_of(&statement) {
            true => Ok(statement),
            false => Err(changed()),
        }
    }

    /// The same outside of a batch, whose Sync would come later.
    pub(super) async fn learn_alone(&mut self, prepared: &RelayPrepared) -> Result<Arc<Statement>> {
        let learned = self.learn(prepared).await;
        if let Some(attached) = self.attached(&prepared.relayed.source) {
            let lease = attached.lease()?;
            lease.sync();
            lease.settle().await?;
        }
        learned
    }

    pub(super) fn find(&mut self, prepared: &RelayPrepared) -> Result<Arc<Statement>> {
        let name = &prepared.relayed.source;
        let settings = self.at_source(name)?.settings;
        if let Some(known) = prepared.statement.get()
            && known.fits(&settings)
        {
            return match known.is_stale() {
                false => Ok(known.clone()),
                true => Err(changed()),
            };
        }
        let pool = self.postgres(name)?.relay();
        Ok(pool.statement(prepared.relayed.text.text(), &prepared.oids, &settings))
    }
}

/// In Postgres's words.
fn changed() -> Error {
    Error::unsupported("cached plan must not change result type")
}
