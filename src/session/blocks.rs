//! BEGIN, COMMIT, ROLLBACK and their modes, and the transactions that messages
//! have by themselves. Called by `answer` and by `wire`.

use chrono::Utc;

use super::Session;
use super::answer::Answer;
use super::commands::{Chain, Modes};
use super::settings::Scope;
use super::transaction::{State, Status};
use crate::error::{Error, Result, SqlState};

impl Session {
    pub(super) fn in_block(&self) -> bool {
        matches!(self.transaction.state, State::Block(_) | State::Failed(_))
    }

    /// Warns where a statement has no effect outside a block.
    pub(super) fn require_block(&mut self, what: &str) -> bool {
        if self.in_block() {
            return true;
        }
        self.warn(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{what} can only be used in transaction blocks"),
        );
        false
    }

    pub(super) fn need_block(&self, what: &str) -> Result<()> {
        if self.in_block() {
            return Ok(());
        }
        Err(Error::new(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            format!("{what} can only be used in transaction blocks"),
        ))
    }

    pub(super) fn begin(&mut self, modes: &Modes) -> Result<()> {
        if self.in_block() {
            self.warn(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "there is already a transaction in progress",
            );
        } else {
            self.transaction.begin_block();
            self.default_modes()?;
        }
        self.set_modes(modes)
    }

    /// A new transaction has the session's default modes.
    fn default_modes(&mut self) -> Result<()> {
        for name in [
            "transaction_isolation",
            "transaction_read_only",
            "transaction_deferrable",
        ] {
            let default = self.settings.text(&format!("default_{name}"));
            if default != self.settings.text(name) {
                self.settings.set(name, &default, Scope::Transaction)?;
            }
        }
        Ok(())
    }

    pub(super) fn set_modes(&mut self, modes: &Modes) -> Result<()> {
        for (name, value) in mode_settings(modes) {
            if self.settings.text(name) != value {
                self.settings.set(name, value, Scope::Transaction)?;
            }
        }
        Ok(())
    }

    /// The statements of a message that follow are one implicit transaction.
    pub fn share_implicit(&mut self, shared: bool) {
        self.transaction.shared = shared;
    }

    /// The message ended well: an implicit transaction commits, at the sources too.
    pub async fn end_implicit(&mut self) -> Result<()> {
        if !matches!(self.transaction.state, State::Implicit(_)) {
            return Ok(());
        }
        if self.transaction.shared {
            Box::pin(self.commit_sources()).await?;
        }
        self.commit();
        Ok(())
    }

    /// A statement failed: an implicit transaction is undone, a block waits for its end.
    pub async fn fail(&mut self) {
        match self.transaction.state {
            State::Implicit(_) => {
                if self.transaction.shared {
                    Box::pin(self.roll_back_sources()).await;
                }
                self.roll_back();
            }
            _ if self.transaction.ending => {
                Box::pin(self.roll_back_sources()).await;
                self.roll_back();
            }
            _ => {
                Box::pin(self.reclaim_sources()).await;
                self.transaction.fail();
            }
        }
    }

    /// Will `end_implicit` have to wait for sources?
    pub fn ends_at_sources(&self) -> bool {
        self.transaction.is_shared() && !self.relays.is_empty()
    }

    pub(super) fn commit(&mut self) {
        self.transaction.end();
        self.settings.end_local();
        self.portals.end_transaction();
        self.portals.settle();
    }

    pub(super) fn roll_back(&mut self) {
        if let Some(snapshot) = self.transaction.end() {
            self.settings.restore(snapshot);
        }
        self.portals.roll_back(1);
    }

    pub(super) async fn commit_command(&mut self, chain: Chain) -> Result<Answer> {
        if self.status() == Status::Failed {
            return self.roll_back_command(chain).await;
        }
        let modes = self.chained_modes(chain, "COMMIT")?;
        if !self.in_block() {
            self.warn(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "there is no transaction in progress",
            );
        }
        self.transaction.ending = true;
        if let Err(error) = self.commit_sources().await {
            self.roll_back();
            return Err(error);
        }
        self.commit();
        self.chain(modes)?;
        Ok(Answer::Done("COMMIT".into()))
    }

    pub(super) async fn roll_back_command(&mut self, chain: Chain) -> Result<Answer> {
        let modes = self.chained_modes(chain, "ROLLBACK")?;
        if !self.in_block() {
            self.warn(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "there is no transaction in progress",
            );
        }
        self.transaction.ending = true;
        self.roll_back_sources().await;
        self.roll_back();
        self.chain(modes)?;
        Ok(Answer::Done("ROLLBACK".into()))
    }

    /// The modes that AND CHAIN hands on.
    fn chained_modes(&self, chain: Chain, what: &str) -> Result<Option<[String; 3]>> {
        if chain == Chain::No {
            return Ok(None);
        }
        self.need_block(&format!("{what} AND CHAIN"))?;
        Ok(Some(
            [
                "transaction_isolation",
                "transaction_read_only",
                "transaction_deferrable",
            ]
            .map(|name| self.settings.text(name)),
        ))
    }

    fn chain(&mut self, modes: Option<[String; 3]>) -> Result<()> {
        let snapshot = self.settings.snapshot();
        let Some([isolation, read_only, deferrable]) = modes else {
            // statements that follow in the same message have their own transaction
            self.transaction.begin_implicit(snapshot, Utc::now());
            return Ok(());
        };
        self.transaction.begin_implicit(snapshot, Utc::now());
        self.transaction.begin_block();
        let local = Scope::Transaction;
        self.settings
            .set("transaction_isolation", &isolation, local)?;
        self.settings
            .set("transaction_read_only", &read_only, local)?;
        self.settings
            .set("transaction_deferrable", &deferrable, local)
    }
}

pub(super) fn mode_settings(modes: &Modes) -> Vec<(&'static str, &'static str)> {
    let on_off = |value: bool| if value { "on" } else { "off" };
    let mut settings = Vec::new();
    settings.extend(
        modes
            .isolation
            .map(|level| ("transaction_isolation", level)),
    );
    settings.extend(
        modes
            .read_only
            .map(|v| ("transaction_read_only", on_off(v))),
    );
    settings.extend(
        modes
            .deferrable
            .map(|v| ("transaction_deferrable", on_off(v))),
    );
    settings
}
