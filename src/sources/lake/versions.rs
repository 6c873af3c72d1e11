//! Versions of lake tables: which one a statement asks for, what a format must
//! be able to say of them, and the few that are kept in memory. Called by the
//! formats and by what plans statements; knows no format's numbering.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Snapshot;
use super::about::{Described, Row};
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;

/// Which of a table's versions a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum At {
    /// As the format numbers them.
    Version(i64),
    /// A tag or a branch.
    Name(String),
    Tag(String),
    Branch(String),
    /// The one that was current then.
    Time(DateTime<Utc>),
}

/// A format that keeps what its tables were.
#[async_trait]
pub trait Versions: fmt::Debug + Send + Sync {
    /// The table as `at` says, with the columns that it had. 22023 where no such
    /// version is kept, with those that are in the hint.
    async fn snapshot_at(&self, at: &At) -> Result<Arc<Snapshot>>;

    /// The tables about a table.
    fn metadata_tables(&self) -> &'static [Described];

    /// The rows of one of them, as it is now.
    async fn metadata_rows(&self, name: &str) -> Result<Vec<Row>>;
}

/// Versions of one table that were read lately, each a list of files.
#[derive(Debug)]
pub struct Kept<K>(Mutex<VecDeque<(K, Arc<Snapshot>)>>);

/// Few: a dashboard compares two or three.
const MOST: usize = 4;

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Kept(Mutex::default())
    }
}

impl<K: PartialEq> Kept<K> {
    pub fn find(&self, key: &K) -> Option<Arc<Snapshot>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| known == key)?;
        let found = kept.remove(at)?;
        let snapshot = found.1.clone();
        kept.push_back(found);
        Some(snapshot)
    }

    pub fn keep(&self, key: K, snapshot: Arc<Snapshot>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| *known != key);
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back((key, snapshot));
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Version(version) => write!(f, "version {version}"),
            At::Name(name) => write!(f, "tag or branch \"{name}\""),
            At::Tag(name) => write!(f, "tag \"{name}\""),
            At::Branch(name) => write!(f, "branch \"{name}\""),
            At::Time(time) => write!(f, "version as of {}", time_text(*time)),
        }
    }
}

/// As messages and hints spell an instant: in UTC, whatever the session's zone.
pub fn time_text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.f+00").to_string()
}

/// The same of milliseconds since 1970, as formats record them.
pub fn millis_text(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis).map_or_else(|| format!("{millis} ms"), time_text)
}

/// 22023: the table has no such version.
pub fn no_such_version(table: &RelationName, at: &At) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("table \"{table}\" has no {at}"),
    )
}

/// 22023 for an instant that is still to come: what the table will be is not known.
pub fn check_past(table: &RelationName, at: &At) -> Result<()> {
    match at {
        At::Time(time) if *time > Utc::now() => {
            Err(no_such_version(table, at).with_hint("That time is still to come."))
        }
        _ => Ok(()),
    }
}

/// 0A000: nothing is kept of what the table was.
pub fn no_versions(table: &RelationName) -> Error {
    Error::unsupported(format!("table \"{table}\" keeps no versions"))
        .with_hint("FOR VERSION, TIMESTAMP, TAG and BRANCH are for Delta and Iceberg tables.")
}
