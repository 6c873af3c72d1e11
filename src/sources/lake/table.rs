//! The table provider of every lake table: asks its format for the snapshot at
//! each scan, so that a statement reads the table as it is when it starts.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::scan::{self, Request};
use super::{Snapshot, SnapshotReader};
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;

#[derive(Debug)]
pub struct LakeTable {
    name: RelationName,
    schema: SchemaRef,
    reader: Arc<dyn SnapshotReader>,
}

impl LakeTable {
    /// `schema` is the one that clients were told of.
    pub fn new(name: RelationName, schema: SchemaRef, reader: Arc<dyn SnapshotReader>) -> Self {
        LakeTable {
            name,
            schema,
            reader,
        }
    }

    /// Where each planned column stands in the snapshot. Columns may have been
    /// added or moved since; one that is gone or of another type is 55000.
    fn positions(
        &self,
        snapshot: &Snapshot,
        projection: Option<&Vec<usize>>,
    ) -> Result<Vec<usize>> {
        let planned = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        if self.schema == snapshot.schema {
            return Ok(planned);
        }
        planned
            .into_iter()
            .map(|column| {
                let field = self.schema.field(column);
                snapshot
                    .schema
                    .fields()
                    .find(field.name())
                    .filter(|(_, now)| now.data_type() == field.data_type())
                    .map(|(position, _)| position)
                    .ok_or_else(|| self.changed(field.name()))
            })
            .collect()
    }

    fn check_filters(&self, snapshot: &Snapshot, filters: &[Expr]) -> Result<()> {
        for column in filters.iter().flat_map(Expr::column_refs) {
            let then = self.schema.fields().find(&column.name);
            let now = snapshot.schema.fields().find(&column.name);
            match (then, now) {
                (Some((_, then)), Some((_, now))) if then.data_type() == now.data_type() => {}
                _ => return Err(self.changed(&column.name)),
            }
        }
        Ok(())
    }

    fn changed(&self, column: &str) -> Error {
        Error::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!(
                "column \"{column}\" of table \"{}\" has changed since its metadata was read",
                self.name
            ),
        )
        .with_hint("Try again in a moment: metadata is read again regularly.")
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        // they choose files, row groups and pages, and are applied to rows above
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let snapshot = self.reader.snapshot().await?;
        self.check_filters(&snapshot, filters)?;
        let request = Request {
            table: &self.name,
            projection: self.positions(&snapshot, projection)?,
            snapshot: &snapshot,
            filters,
            limit,
        };
        scan::plan(state, &request)
    }
}
