//! What Delta, Iceberg and plain files share: a table is a snapshot, a snapshot
//! is a list of files with what is known of each, and one scan reads them all.
//! The formats hand in a `SnapshotReader` and get back a table provider; this
//! module knows no format's log.

pub mod about;
mod adapter;
mod bounds;
mod carrier;
mod fence;
mod footer;
mod fresh;
mod late;
pub mod listing;
mod parquet;
mod prune;
mod scan;
mod table;
mod text;
mod values;
mod versions;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::scalar::ScalarValue;
use object_store::ObjectMeta;

use super::object_store::OpenStore;
use crate::config::CsvOptions;
use crate::error::Result;

pub use bounds::{ColumnBounds, Tightness};
pub use carrier::{carrier, column, provider_field};
pub use footer::{footer_bounds, read_footer};
pub use fresh::Fresh;
pub use scan::{Origin, origin_of};
pub use table::LakeTable;
pub(crate) use text::null_pattern;
pub use values::{parse_value, value_of_json};
pub use versions::{At, Kept, Versions, check_past, millis_text, no_such_version, no_versions};

/// Asked at every scan for the table as it is now. Errors name the table.
#[async_trait]
pub trait SnapshotReader: fmt::Debug + Send + Sync {
    async fn snapshot(&self) -> Result<Arc<Snapshot>>;

    /// What the format keeps of older versions; `None`: nothing.
    fn versions(&self) -> Option<&dyn Versions> {
        None
    }
}

/// A table at one version.
#[derive(Debug)]
pub struct Snapshot {
    /// As the format counts them; for EXPLAIN and the log.
    pub version: String,
    /// The columns as clients see them; `carrier` gave each its Arrow type.
    pub schema: SchemaRef,
    /// Where each column of `schema` is found in a file.
    pub sources: Vec<ColumnSource>,
    pub store: OpenStore,
    pub format: DataFormat,
    pub files: Vec<LakeFile>,
    pub comment: Option<String>,
    /// In the schema's order; may be shorter.
    pub column_comments: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataFormat {
    Parquet,
    /// Every file has the columns that are not constant, in the schema's order.
    Csv(CsvOptions),
    /// One object a line.
    Json,
}

/// How a column is found in a Parquet file, and what it reads as where it is not there.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSource {
    pub key: ColumnKey,
    pub missing: ScalarValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnKey {
    Name(String),
    /// By `PARQUET:field_id`; in a file without any ids, by the first of `names` that it has.
    FieldId {
        id: i32,
        names: Vec<String>,
    },
}

#[derive(Debug, Clone)]
pub struct LakeFile {
    pub object: ObjectMeta,
    pub rows: Option<u64>,
    /// Columns whose one value in this file is known from metadata and is not
    /// read from the file: position in the schema, ascending, and value.
    pub constants: Vec<(usize, ScalarValue)>,
    /// One a column of the schema; of constants too.
    pub bounds: Vec<ColumnBounds>,
}

impl LakeFile {
    /// Fills in what constants imply about their columns.
    pub fn new(
        object: ObjectMeta,
        rows: Option<u64>,
        constants: Vec<(usize, ScalarValue)>,
        mut bounds: Vec<ColumnBounds>,
    ) -> Self {
        for (column, value) in &constants {
            if let Some(slot) = bounds.get_mut(*column) {
                *slot = ColumnBounds::constant(value, rows);
            }
        }
        LakeFile {
            object,
            rows,
            constants,
            bounds,
        }
    }

    /// For the planner; the columns in the schema's order.
    pub fn statistics(&self, schema: &SchemaRef) -> Statistics {
        bounds::statistics(self.rows, &self.bounds, schema)
    }
}

impl Snapshot {
    /// `None` where a file does not say.
    pub fn rows(&self) -> Option<u64> {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.size).sum()
    }
}

impl ColumnSource {
    pub fn named(name: &str, missing: ScalarValue) -> Self {
        ColumnSource {
            key: ColumnKey::Name(name.to_string()),
            missing,
        }
    }
}

#[cfg(test)]
mod tests;
