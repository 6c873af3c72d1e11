//! The transaction that a session is in. Nothing is written here, so it governs
//! what lasts: settings, portals, and what the status byte tells the client.
//! Section 55.2.2.1 of the Postgres manual for implicit transactions.

use chrono::{DateTime, Utc};

use super::settings::Snapshot;
use crate::error::{Error, Result, SqlState};

/// The status that ReadyForQuery tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Idle,
    InTransaction,
    Failed,
}

#[derive(Debug)]
pub struct Transaction {
    pub state: State,
    /// Several statements of one message are in the implicit transaction.
    pub shared: bool,
    /// Its sources were told of its end, and may not have answered.
    pub ending: bool,
    savepoints: Vec<(String, Snapshot)>,
    /// SET CONSTRAINTS, for sources that take part later.
    pub constraints: Vec<String>,
    pub started: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub enum State {
    Idle,
    /// Around the statements of one message; its settings can be undone.
    Implicit(Snapshot),
    Block(Snapshot),
    Failed(Snapshot),
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction {
            state: State::Idle,
            shared: false,
            ending: false,
            savepoints: Vec::new(),
            constraints: Vec::new(),
            started: Utc::now(),
        }
    }
}

impl Transaction {
    pub fn status(&self) -> Status {
        match self.state {
            State::Idle | State::Implicit(_) => Status::Idle,
            State::Block(_) => Status::InTransaction,
            State::Failed(_) => Status::Failed,
        }
    }

    /// A statement starts outside any transaction.
    pub fn begin_implicit(&mut self, snapshot: Snapshot, now: DateTime<Utc>) {
        self.state = State::Implicit(snapshot);
        self.started = now;
    }

    /// BEGIN: an implicit transaction becomes a block.
    pub fn begin_block(&mut self) {
        if let State::Implicit(snapshot) = std::mem::replace(&mut self.state, State::Idle) {
            self.state = State::Block(snapshot);
        }
    }

    /// Over; what a rollback restores.
    pub fn end(&mut self) -> Option<Snapshot> {
        self.ending = false;
        self.savepoints.clear();
        self.constraints.clear();
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => None,
            State::Implicit(snapshot) | State::Block(snapshot) | State::Failed(snapshot) => {
                Some(snapshot)
            }
        }
    }

    /// An error in a block: nothing but its end is answered from now on.
    pub fn fail(&mut self) {
        if let State::Block(snapshot) = &self.state {
            self.state = State::Failed(snapshot.clone());
        }
    }

    pub fn recover(&mut self) {
        if let State::Failed(snapshot) = &self.state {
            self.state = State::Block(snapshot.clone());
        }
    }

    /// Savepoints that are open, the oldest first.
    pub fn savepoint_names(&self) -> impl Iterator<Item = &str> {
        self.savepoints.iter().map(|(name, _)| name.as_str())
    }

    /// Is the implicit transaction that of several statements of one message?
    pub fn is_shared(&self) -> bool {
        matches!(self.state, State::Implicit(_)) && self.shared
    }

    /// 1 in a transaction, one more for each savepoint.
    pub fn depth(&self) -> usize {
        1 + self.savepoints.len()
    }

    pub fn savepoint(&mut self, name: &str, snapshot: Snapshot) {
        self.savepoints.push((name.to_string(), snapshot));
    }

    pub fn check_savepoint(&self, name: &str) -> Result<()> {
        self.find(name).map(|_| ())
    }

    pub fn release(&mut self, name: &str) -> Result<()> {
        let at = self.find(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    /// What the savepoint remembers; it stays, those after it go. Portals at
    /// least as deep as the returned depth are of what was undone.
    pub fn roll_back_to(&mut self, name: &str) -> Result<(Snapshot, usize)> {
        let at = self.find(name)?;
        self.savepoints.truncate(at + 1);
        Ok((self.savepoints[at].1.clone(), at + 2))
    }

    fn find(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|(savepoint, _)| savepoint == name)
            .ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_SAVEPOINT_SPECIFICATION,
                    format!("savepoint \"{name}\" does not exist"),
                )
            })
    }
}
