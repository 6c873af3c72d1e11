//! A system relation as the engine scans it: the rows that every cluster holds
//! and those made of the catalog snapshot, for the session's user. Rows are made
//! when a scan is planned; there is always one partition, even with no rows.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::builtin::{self, SystemRelation};
use super::frame;
use super::snapshot::{Seen, Snapshot};
use super::tables::{self, Builder};
use crate::catalog::Catalog;
use crate::error::Result;
use crate::semantics::SessionVars;
use crate::types::Oid;

/// The relation `schema.name` (both as stored: lower case) of this snapshot, as
/// the session's user sees it; `None`: Postgres has no such relation.
pub fn relation(
    catalog: &Arc<Catalog>,
    vars: &SessionVars,
    schema: &str,
    name: &str,
) -> Option<Arc<dyn TableProvider>> {
    Some(Arc::new(CatalogTable {
        relation: builtin::system_relation(schema, name)?,
        snapshot: Snapshot::of(catalog),
        vars: vars.clone(),
    }))
}

/// Every relation of `pg_catalog` or `information_schema`; empty for other schemas.
pub fn relation_names(schema: &str) -> &'static [&'static str] {
    static NAMES: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
        let mut names: HashMap<_, Vec<_>> = HashMap::new();
        for relation in builtin::system_relations() {
            names
                .entry(relation.schema)
                .or_default()
                .push(relation.name.as_str());
        }
        names
    });
    NAMES.get(schema).map(Vec::as_slice).unwrap_or_default()
}

#[derive(Debug)]
struct CatalogTable {
    relation: &'static SystemRelation,
    snapshot: Arc<Snapshot>,
    vars: SessionVars,
}

impl CatalogTable {
    fn rows(&self) -> Result<Vec<RecordBatch>> {
        let seen = Seen {
            snapshot: &self.snapshot,
            vars: &self.vars,
        };
        let rows = match tables::builder(self.relation) {
            None => return Ok(vec![builtin_rows(self.relation)?]),
            Some(Builder::Session(build)) => return Ok(vec![build(&seen)?]),
            Some(Builder::Replace(build)) => {
                return Ok(vec![seen.cached(self.relation.oid, build)?]);
            }
            Some(Builder::Add(build)) => seen.cached(self.relation.oid, build)?,
        };
        Ok(vec![builtin_rows(self.relation)?, rows])
    }
}

#[async_trait]
impl TableProvider for CatalogTable {
    fn schema(&self) -> SchemaRef {
        self.relation.arrow.clone()
    }

    fn table_type(&self) -> TableType {
        match self.relation.kind {
            'v' => TableType::View,
            _ => TableType::Base,
        }
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let rows = self.rows()?;
        let scan = MemorySourceConfig::try_new_exec(
            &[rows],
            self.relation.arrow.clone(),
            projection.cloned(),
        )?;
        Ok(scan)
    }
}

/// Parsed once a process.
fn builtin_rows(relation: &'static SystemRelation) -> Result<RecordBatch> {
    static PARSED: Mutex<Option<HashMap<Oid, RecordBatch>>> = Mutex::new(None);
    let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    let parsed = parsed.get_or_insert_default();
    if let Some(rows) = parsed.get(&relation.oid) {
        return Ok(rows.clone());
    }
    let rows = frame::builtin_rows(relation)?;
    parsed.insert(relation.oid, rows.clone());
    Ok(rows)
}

/// Nobody makes rows for it, and no cluster is born with any.
pub(super) fn is_always_empty(relation: &'static SystemRelation) -> bool {
    tables::builder(relation).is_none()
        && builtin_rows(relation).is_ok_and(|rows| rows.num_rows() == 0)
}
