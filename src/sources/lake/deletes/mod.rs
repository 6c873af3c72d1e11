//! Rows that a table's format marks as deleted, so that their file need not be
//! written again. Positions become a selection of rows when a file is opened,
//! keys a filter on its batches.
//! Called by the formats, which say where the marks are, and by the scan; this
//! module knows no format's log.

mod cache;
mod equality;
mod file;
mod filter;
mod selection;
mod stored;
pub mod vector;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use roaring::RoaringTreemap;

use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;

pub use cache::{Reading, keep};
pub use equality::EqualityDeletes;
pub(super) use equality::KeySets;
pub use file::read_columns;
pub(super) use filter::KeyFilter;
pub(super) use selection::read_plan;
pub use stored::StoredVector;

/// The marks of one data file.
#[derive(Debug, Clone, Default)]
pub struct FileDeletes {
    pub positions: Vec<Arc<dyn PositionDeletes>>,
    pub equality: Vec<Arc<EqualityDeletes>>,
    /// How many rows they take away; `None`: nobody knows before reading them.
    pub rows: Option<u64>,
}

/// Rows of one data file by their position in it, counted from 0.
#[async_trait]
pub trait PositionDeletes: fmt::Debug + Send + Sync {
    /// Read when the data file is opened. 58030 or XX001, naming the table and the object.
    async fn positions(&self) -> Result<Arc<RoaringTreemap>>;

    /// Where they are stored, as people are told.
    fn object(&self) -> String;
}

/// Delete files of one data file that are read at the same time.
const CONCURRENT_READS: usize = 8;

/// XX001: the object was read, and what it says of deleted rows cannot be so.
pub fn corrupt(table: &RelationName, object: &str, cause: impl fmt::Display) -> Error {
    Error::new(
        SqlState::DATA_CORRUPTED,
        format!("the deletes in \"{object}\" of table \"{table}\" cannot be read"),
    )
    .with_cause(cause.to_string())
}

#[cfg(test)]
mod tests;
