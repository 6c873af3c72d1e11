//! A session's transaction at the sources that take part in it. BEGIN reaches a
//! source with the first statement for it; savepoints, modes and the end reach
//! every source that was told of the beginning.

use std::time::Duration;

use tokio::time::timeout;

use super::{Attached, Block, Wrote};
use crate::error::{Error, Result, SqlState};
use crate::names::{SourceName, always_quoted};
use crate::session::Session;
use crate::sources::postgres::relay::OBEY;

/// For a source to obey a cancel that nobody can cancel again.
const PATIENCE: Duration = OBEY.saturating_add(Duration::from_millis(100));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    RollBack,
}

impl Attached {
    /// Ends the transaction there. A ROLLBACK is not waited for long: without its
    /// connection the source rolls back as well. 08007 where a COMMIT has no answer.
    async fn end(&mut self, end: End) -> Result<()> {
        self.block = Block::Closed;
        let wrote = std::mem::replace(&mut self.wrote, Wrote::Nothing);
        match end {
            End::Commit => {
                self.hold().await?;
                let lease = self.lease()?;
                lease.start_work();
                let ended = lease.perform("COMMIT").await;
                if ended.is_err() && lease.is_dead() && wrote == Wrote::Something {
                    return ended.map_err(|error| unresolved(&self.source).with_cause(error));
                }
                lease.work_done();
                ended
            }
            End::RollBack => {
                let work = async {
                    self.hold().await?;
                    let lease = self.lease()?;
                    lease.start_work();
                    let ended = lease.perform("ROLLBACK").await;
                    lease.work_done();
                    ended
                };
                match timeout(PATIENCE, work).await {
                    Ok(ended) => ended,
                    // given up, it is cut off
                    Err(_) => Ok(()),
                }
            }
        }
    }
}

fn unresolved(source: &SourceName) -> Error {
    Error::new(
        SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
        format!(
            "the connection to source \"{source}\" was lost while it committed: whether it did is not known"
        ),
    )
}

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

    /// ROLLBACK TO at every source; settings return to what they were as well.
    pub(in crate::session) async fn roll_sources_back_to(&mut self, text: &str) -> Result<()> {
        self.tell_sources(text).await?;
        for attached in &mut self.relays.attached {
            if attached.block == Block::Open {
                attached.lease()?.doubt_settings();
            }
        }
        Ok(())
    }

    /// COMMIT at every source, the one that was written to first: when it
    /// refuses, the others are rolled back and its error is the statement's.
    pub(in crate::session) async fn commit_sources(&mut self) -> Result<()> {
        self.relays
            .attached
            .sort_by_key(|attached| attached.wrote == Wrote::Nothing);
        let result = self.end_sources(End::Commit).await;
        if result.is_err() {
            self.roll_back_sources().await;
        }
        self.settle();
        result
    }

    /// ROLLBACK at every source. One that does not answer is cut off, which
    /// rolls back as well.
    pub(in crate::session) async fn roll_back_sources(&mut self) {
        while self.end_sources(End::RollBack).await.is_err() {}
        self.settle();
    }

    async fn end_sources(&mut self, end: End) -> Result<()> {
        let mut at = 0;
        while at < self.relays.attached.len() {
            let attached = &mut self.relays.attached[at];
            if attached.block == Block::Open
                && let Err(error) = attached.end(end).await
            {
                if attached.lease().map_or(true, |lease| lease.is_dead()) {
                    self.relays.attached.swap_remove(at);
                }
                return Err(error);
            }
            at += 1;
        }
        Ok(())
    }

    /// A statement of a block failed: what it still runs at sources is canceled.
    /// A source that does not obey loses the connection, and with it the block.
    pub(in crate::session) async fn reclaim_sources(&mut self) {
        let mut at = 0;
        while at < self.relays.attached.len() {
            let held = timeout(PATIENCE, self.relays.attached[at].hold()).await;
            match held {
                Ok(Ok(())) => at += 1,
                Ok(Err(_)) | Err(_) => drop(self.relays.attached.swap_remove(at)),
            }
        }
    }
}
