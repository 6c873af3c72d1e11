//! Name → table: what all sources hold, as one immutable snapshot that is
//! swapped when metadata is read again. A statement plans on one snapshot.

mod load;
pub mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::names::{RelationName, SourceName};
use crate::sources::{SourceKind, SourceType, Table};

pub use load::load;

#[derive(Debug, Default)]
pub struct Catalog {
    /// Another number for every reading.
    pub version: u64,
    /// By schema name as clients write it.
    pub schemas: BTreeMap<String, Schema>,
    /// Some tables are read when a statement names them.
    pub has_listed: bool,
    pub sources: Vec<SourceStatus>,
    /// What each source's own database defines, by OID.
    pub types: BTreeMap<SourceName, Vec<Arc<SourceType>>>,
}

#[derive(Debug, Default, Clone)]
pub struct Schema {
    pub source: Option<SourceName>,
    /// Its name in the database of a Postgres source; other kinds have none.
    pub remote: Option<String>,
    /// Clients may name every relation that the source has there, known or not.
    pub open: bool,
    pub tables: BTreeMap<String, Arc<Table>>,
}

/// How the last reading of a source's metadata went.
#[derive(Debug, Clone)]
pub struct SourceStatus {
    pub name: SourceName,
    pub kind: SourceKind,
    pub schemas: Vec<String>,
    pub error: Option<Arc<Error>>,
    pub took: Duration,
}

impl Catalog {
    pub fn table(&self, name: &RelationName) -> Option<&Arc<Table>> {
        self.schemas.get(&*name.schema)?.tables.get(&*name.relation)
    }

    /// Every table of every source, by schema and name.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.schemas
            .values()
            .flat_map(|schema| schema.tables.values())
    }
}
