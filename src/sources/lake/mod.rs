//! What Delta, Iceberg and plain files share: a table is a snapshot, a snapshot
//! is a list of files with what is known of each, and one scan reads them all.
//! The formats hand in a `SnapshotReader` and get back a table provider; this
//! module knows no format's log.

pub mod about;
mod adapter;
mod bounds;
mod carrier;
pub mod deletes;
mod fence;
mod footer;
mod fresh;
mod late;
pub mod listing;
mod open;
mod parquet;
mod prune;
mod scan;
mod shape;
mod table;
mod text;
mod values;
mod versions;
mod wide;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::scalar::ScalarValue;
use object_store::ObjectMeta;

use self::deletes::FileDeletes;
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
    /// Columns that clients do not see and keys of deletes have. Their names are
    /// no visible column's.
    pub hidden: Vec<(FieldRef, ColumnSource)>,
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
    /// That are stored; a reader gets `rows_left`.
    pub rows: Option<u64>,
    /// Columns whose one value in this file is known from metadata and is not
    /// read from the file: position in the schema (behind it: of a hidden column),
    /// ascending, and value.
    pub constants: Vec<(usize, ScalarValue)>,
    /// One a column of the schema; of constants too. Of all rows that are stored.
    pub bounds: Vec<ColumnBounds>,
    pub deletes: Option<Arc<FileDeletes>>,
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
            deletes: None,
        }
    }

    pub fn with_deletes(self, deletes: Option<Arc<FileDeletes>>) -> Self {
        LakeFile { deletes, ..self }
    }

    /// Without those that are deleted. Inexact: there are no more.
    pub fn rows_left(&self) -> Precision<u64> {
        match (self.rows, &self.deletes) {
            (None, _) => Precision::Absent,
            (Some(rows), None) => Precision::Exact(rows),
            (Some(rows), Some(deletes)) => match deletes.rows {
                None => Precision::Inexact(rows),
                Some(deleted) => rows
                    .checked_sub(deleted)
                    .map_or(Precision::Inexact(rows), Precision::Exact),
            },
        }
    }

    /// The columns of all keys by which rows are deleted from it, ascending.
    fn key_columns(&self) -> Vec<usize> {
        let equality = self.deletes.iter().flat_map(|deletes| &deletes.equality);
        let mut columns: Vec<usize> = equality
            .flat_map(|deletes| deletes.columns.iter().copied())
            .collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// For the planner; the columns in the schema's order.
    pub fn statistics(&self, schema: &SchemaRef) -> Statistics {
        match self.deletes {
            None => bounds::statistics(self.rows, &self.bounds, schema),
            Some(_) => {
                bounds::statistics_of_rest(self.rows, self.rows_left(), &self.bounds, schema)
            }
        }
    }
}

impl Snapshot {
    /// `None` where a file does not say; some more where a file does not say how
    /// many are deleted.
    pub fn rows(&self) -> Option<u64> {
        let rows = |file: &LakeFile| file.rows_left().get_value().copied();
        self.files.iter().map(rows).sum()
    }

    /// The visible columns, then the hidden ones.
    fn all_fields(&self) -> Vec<FieldRef> {
        let hidden = self.hidden.iter().map(|(field, _)| field.clone());
        self.schema.fields().iter().cloned().chain(hidden).collect()
    }

    fn all_sources(&self) -> Vec<ColumnSource> {
        let hidden = self.hidden.iter().map(|(_, source)| source.clone());
        self.sources.iter().cloned().chain(hidden).collect()
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
