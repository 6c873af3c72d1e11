//! Which system relations have rows of their own, and who makes them.

use datafusion::arrow::array::RecordBatch;

use super::builtin::SystemRelation;
use super::snapshot::Seen;
use crate::error::Result;

type Build = fn(&Seen) -> Result<RecordBatch>;

/// How a relation's rows come about; relations without one hold what every
/// cluster holds, which is nothing for most.
pub enum Builder {
    /// After the built-in rows; depends on the snapshot and the grants alone.
    Add(Build),
    /// Instead of the built-in rows.
    Replace(Build),
}

pub fn builder(relation: &SystemRelation) -> Option<Builder> {
    let _ = relation;
    None
}
