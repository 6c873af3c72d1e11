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
    pub fn prepare_what_runs(&mut self, relayed: &Relayed) -> Result<Ensured> {
        let Some(prepared) = relayed.runs.as_ref().and_then(|runs| runs.relay.as_ref()) else {
            return Ok(Ensured::Known);
        };
        let statement = self.statement(prepared)?;
        let Some(attached) = self.attached(&relayed.source) else {
            return Ok(Ensured::Known);
        };
        let ensured = attached.lease()?.ensure(&statement);
        if ensured == Ensured::Sent {
            attached.lease()?.sync();
        }
        Ok(ensured)
    }

    /// The statement under the settings that the session has now.
    pub fn statement(&mut self, prepared: &RelayPrepared) -> Result<Arc<Statement>> {
        let name = &prepared.relayed.source;
        let settings = self.at_source(name)?.settings;
        if let Some(known) = prepared.statement.get()
            && known.fits(&settings)
        {
            return match known.is_stale() {
                false => Ok(known.clone()),
                true => Err(Error::unsupported(
                    "cached plan must not change result type",
                )),
            };
        }
        let pool = self.postgres(name)?.relay();
        let statement = pool.statement(prepared.relayed.text.text(), &prepared.oids, &settings);
        // of two settings the first is remembered; the other is found by its text
        let _ = prepared.statement.set(statement.clone());
        Ok(statement)
    }
}
