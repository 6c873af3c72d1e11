//! Sources: what catalog.toml declares, made alive. Every source answers the
//! same two questions: what is there, and how is it read. Kinds never import
//! each other; what the lake kinds share is in `lake`.
//!
//! Sources know nothing of sessions or of the user's SQL.

pub mod delta;
pub mod files;
pub mod iceberg;
pub mod lake;
#[cfg(test)]
mod lake_testing;
pub mod object_store;
pub mod postgres;
mod registry;
mod types;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;

use crate::error::Result;
use crate::names::{RelationName, SourceName};
use crate::types::PgType;

pub use registry::open;
pub use types::{
    ArrayType, Attribute, Composite, Domain, DomainCheck, EnumLabel, Layout, Range, RowType,
    SourceFunction, SourceType, TypeFunctions, TypeKind,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    Postgres,
    Delta,
    Iceberg,
    Files,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SourceKind::Postgres => "postgres",
            SourceKind::Delta => "delta",
            SourceKind::Iceberg => "iceberg",
            SourceKind::Files => "files",
        })
    }
}

/// A live source. Making one does no IO; `discover` does.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    fn name(&self) -> &SourceName;

    fn kind(&self) -> SourceKind;

    /// The schemas it appears as, whether reachable or not.
    fn schemas(&self) -> Vec<String>;

    /// The name that one of `schemas` has in a Postgres database; `None`: the
    /// source is none.
    fn remote_schema(&self, _schema: &str) -> Option<String> {
        None
    }

    /// Reads the source's metadata: one round trip where the source allows.
    /// 08001 with the source's name where it cannot be reached. A single table
    /// that cannot be read is a `Table` whose `state` says why, not an error.
    async fn discover(&self) -> Result<Discovered>;

    /// The source as one that statements can be relayed to.
    fn as_postgres(&self) -> Option<&postgres::PostgresSource> {
        None
    }
}

/// What a source holds.
#[derive(Debug, Default)]
pub struct Discovered {
    pub tables: Vec<Table>,
    /// Those that it defines itself, by OID; none where types are Postgres's own.
    pub types: Vec<SourceType>,
}

impl From<Vec<Table>> for Discovered {
    fn from(tables: Vec<Table>) -> Self {
        Discovered {
            tables,
            types: Vec::new(),
        }
    }
}

/// A relation of a source as clients see it.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: RelationName,
    pub source: SourceName,
    pub kind: RelationKind,
    pub columns: Vec<Column>,
    pub keys: Vec<Key>,
    /// Rows, as the source's statistics estimate them.
    pub rows: Option<u64>,
    /// Bytes on the source's disk, where it says.
    pub bytes: Option<u64>,
    pub comment: Option<String>,
    pub state: TableState,
}

/// A table of a source that has too many to read them all.
#[async_trait]
pub trait Listed: fmt::Debug + Send + Sync {
    /// The table as it is now. Errors name it.
    async fn load(&self) -> Result<Arc<dyn TableProvider>>;
}

#[derive(Debug, Clone)]
pub enum TableState {
    /// Readable through this provider, whose schema is `Table::arrow_schema`.
    Ready(Arc<dyn TableProvider>),
    /// Read when a statement names it; its columns are those of the last time.
    Listed(Arc<dyn Listed>),
    /// Listed, but reading it gives this error.
    Broken(Arc<crate::error::Error>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    ForeignTable,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    /// What clients are told: the source's own type, or text where it is represented as text.
    pub pg_type: PgType,
    pub nullable: bool,
    pub representation: Representation,
    /// The default as SQL text.
    pub default: Option<String>,
    pub comment: Option<String>,
}

/// How a column's values are carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Representation {
    Native,
    /// As its text form, because of this: "type inet has no Arrow form".
    Text {
        type_name: String,
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub kind: KeyKind,
    /// Column positions, 0-based.
    pub columns: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyKind {
    Primary,
    Unique,
    /// To columns of another relation of the same source.
    Foreign {
        table: RelationName,
        columns: Vec<String>,
    },
}

impl Table {
    /// The Arrow schema that readers of this table produce: one field a column,
    /// each remembering its Postgres type.
    pub fn arrow_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns.iter().map(Column::field).collect::<Vec<_>>(),
        ))
    }
}

impl Column {
    pub fn field(&self) -> Field {
        self.pg_type
            .field(&self.name, self.nullable)
            .or_else(|| PgType::TEXT.field(&self.name, self.nullable))
            .unwrap_or_else(|| {
                Field::new(
                    &self.name,
                    datafusion::arrow::datatypes::DataType::Utf8View,
                    self.nullable,
                )
            })
    }
}
