//! Portals, made by Bind, and cursors, made by DECLARE: one namespace a
//! session. They end with their transaction unless declared WITH HOLD.

use std::sync::Arc;

use datafusion::scalar::ScalarValue;

use super::commands::Hold;
use super::cursor::RowCursor;
use super::named::Named;
use super::prepared::Prepared;
use crate::error::{Error, Result, SqlState};

/// How values travel: the protocol's format codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

impl Format {
    pub fn code(self) -> i16 {
        match self {
            Format::Text => 0,
            Format::Binary => 1,
        }
    }
}

#[derive(Debug)]
pub struct Portal {
    pub prepared: Arc<Prepared>,
    pub parameters: Vec<ScalarValue>,
    /// One a column.
    pub formats: Vec<Format>,
    pub progress: Progress,
    pub hold: Hold,
    /// Savepoints that were open when it was made; it ends when one of them is rolled back.
    pub depth: usize,
}

impl Portal {
    /// A cursor that a source holds: what this statement declared.
    pub fn declared(prepared: Arc<Prepared>, hold: Hold, depth: usize) -> Self {
        Portal {
            prepared,
            parameters: Vec::new(),
            formats: Vec::new(),
            progress: Progress::Finished,
            hold,
            depth,
        }
    }
}

#[derive(Debug)]
pub enum Progress {
    NotStarted,
    Open(RowCursor),
    /// Its rows are being sent, or sending them was broken off.
    Lent,
    Finished,
}

#[derive(Debug, Default)]
pub struct Portals {
    named: Named<Portal>,
}

impl Portals {
    pub fn get(&mut self, name: &str) -> Result<&mut Portal> {
        self.named
            .get_mut(name)
            .ok_or_else(|| missing("portal", name))
    }

    pub fn cursor(&mut self, name: &str) -> Result<&mut Portal> {
        self.named
            .get_mut(name)
            .ok_or_else(|| missing("cursor", name))
    }

    pub fn find(&self, name: &str) -> Option<&Portal> {
        self.named.get(name)
    }

    /// 42P03 for a name in use; the unnamed one is replaced.
    pub fn put(&mut self, name: &str, portal: Portal) -> Result<()> {
        if self.named.is_taken(name) {
            return Err(Error::new(
                SqlState::DUPLICATE_CURSOR,
                format!("cursor \"{name}\" already exists"),
            ));
        }
        self.named.put(name, portal);
        Ok(())
    }

    pub fn remove(&mut self, name: &str) -> bool {
        self.named.remove(name)
    }

    pub fn clear(&mut self) {
        self.named.clear();
    }

    pub fn end_transaction(&mut self) {
        self.named.retain(|portal| portal.hold == Hold::Session);
    }

    /// The transaction that made them is rolled back: held ones go as well, if they are of it.
    pub fn roll_back(&mut self, depth: usize) {
        self.named.retain(|portal| portal.depth < depth);
    }

    /// They outlive the transaction that just ended well.
    pub fn settle(&mut self) {
        for portal in self.named.values_mut() {
            portal.depth = 0;
        }
    }
}

fn missing(what: &str, name: &str) -> Error {
    Error::new(
        SqlState::INVALID_CURSOR_NAME,
        format!("{what} \"{name}\" does not exist"),
    )
}
