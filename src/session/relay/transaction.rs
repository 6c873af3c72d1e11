//! A session's transaction at the sources that take part in it. BEGIN reaches a
//! source with the first statement for it; savepoints, modes and the end reach
//! every source that was told of the beginning.

use super::{Block, Wrote};
use crate::error::Result;
use crate::names::{SourceName, always_quoted};
use crate::session::Session;

impl Session {
    /// How a source is told of the transaction that is open here.
    pub(super) fn opening(&self, name: &SourceName) -> String {
        let read_only = self.settings.text("transaction_read_only") == "on"
            || !self.may_write_to(name).unwrap_or(false);
        let access = if read_only { "READ ONLY" } else { "READ WRITE" };
        let deferrable = match self.settings.text("transaction_deferrable").as_str() {
            "on" => "DEFERRABLE",
            _ => "NOT DEFERRABLE",
        };
        let mut text = format!(
            "BEGIN ISOLATION LEVEL {} {access}, {deferrable}",
            self.settings.text("transaction_isolation")
        );
        text.push_str(&format!(
            ";SET LOCAL application_name = '{}'",
            format!("narrows:{}:{}", self.identity.user, self.identity.pid).replace('\'', "''")
        ));
        for constraints in &self.transaction.constraints {
            text.push(';');
            text.push_str(constraints);
        }
        for savepoint in self.transaction.savepoint_names() {
            text.push_str(";SAVEPOINT ");
            text.push_str(&always_quoted(savepoint));
        }
        text
    }

    /// Says `text` to every source that takes part; the first error is the
    /// statement's, and the others are told nothing more.
    pub(in crate::session) async fn tell_sources(&mut self, text: &str) -> Result<()> {
        let mut at = 0;
        while at < self.relays.attached.len() {
            let attached = &mut self.relays.attached[at];
            if attached.block == Block::Open {
                attached.hold().await?;
                attached.lease()?.perform(text).await?;
            }
            at += 1;
        }
        Ok(())
    }

    /// COMMIT at every source, the one that was written to first: when it
    /// refuses, the others are rolled back and its error is the statement's.
    pub(in crate::session) async fn commit_sources(&mut self) -> Result<()> {
        self.relays
            .attached
            .sort_by_key(|attached| attached.wrote == Wrote::Nothing);
        let result = self.end_sources("COMMIT").await;
        if result.is_err() {
            self.roll_back_sources().await;
        }
        self.settle();
        result
    }

    /// ROLLBACK at every source. One that does not answer is cut off, which
    /// rolls back as well.
    pub(in crate::session) async fn roll_back_sources(&mut self) {
        while self.end_sources("ROLLBACK").await.is_err() {}
        self.settle();
    }

    async fn end_sources(&mut self, text: &str) -> Result<()> {
        let mut at = 0;
        while at < self.relays.attached.len() {
            let attached = &mut self.relays.attached[at];
            if attached.block == Block::Open {
                attached.block = Block::Closed;
                attached.wrote = Wrote::Nothing;
                attached.hold().await?;
                let lease = attached.lease()?;
                if let Err(error) = lease.perform(text).await {
                    if lease.is_dead() {
                        self.relays.attached.swap_remove(at);
                    }
                    return Err(error);
                }
            }
            at += 1;
        }
        Ok(())
    }
}
