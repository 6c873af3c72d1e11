//! Statements that a connection has prepared already, so that one that comes again
//! runs in one round trip. Used by `connection`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;

/// The source keeps a plan for each.
const MOST: usize = 32;

/// By their text; the one that was used last is the last.
#[derive(Default)]
pub(super) struct Remembered(Mutex<VecDeque<(Box<str>, Statement)>>);

impl Remembered {
    pub fn find(&self, sql: &str) -> Option<Statement> {
        let mut known = self.lock();
        let at = known.iter().position(|(text, _)| **text == *sql)?;
        let found = known.remove(at)?;
        let statement = found.1.clone();
        known.push_back(found);
        Some(statement)
    }

    pub fn add(&self, sql: &str, statement: Statement) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.pop_front();
        }
        known.push_back((sql.into(), statement));
    }

    pub fn forget(&self, sql: &str) {
        self.lock().retain(|(text, _)| **text != *sql);
    }

    /// What is held is a list: a panic elsewhere cannot have left it half changed.
    fn lock(&self) -> MutexGuard<'_, VecDeque<(Box<str>, Statement)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does the source say that it must be prepared anew? Its result has other types,
/// or somebody in between has thrown it away.
pub(super) fn is_outdated(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [
            &SqlState::FEATURE_NOT_SUPPORTED,
            &SqlState::INVALID_SQL_STATEMENT_NAME,
        ]
        .contains(&code)
    })
}
