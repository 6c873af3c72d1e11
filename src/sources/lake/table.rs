//! The table provider of every lake table: asks its format for the snapshot at
//! each scan, so that a statement reads the table as it is when it starts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::about::MetadataTable;
use super::scan::{self, Request};
use super::{At, Snapshot, SnapshotReader, no_versions};
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;

#[derive(Debug)]
pub struct LakeTable {
    name: RelationName,
    schema: SchemaRef,
    reader: Arc<dyn SnapshotReader>,
    /// `None`: as it is when a statement starts.
    at: Option<At>,
    pins: Pins,
}

impl LakeTable {
    /// `schema` is the one that clients were told of.
    pub fn new(name: RelationName, schema: SchemaRef, reader: Arc<dyn SnapshotReader>) -> Self {
        LakeTable {
            name,
            schema,
            reader,
            at: None,
            pins: Pins::default(),
        }
    }

    pub fn keeps_versions(&self) -> bool {
        self.reader.versions().is_some()
    }

    /// The table as it was, with the columns that it had then. 22023 where no such
    /// version is kept, 0A000 where the format keeps none at all.
    pub async fn at(&self, at: At) -> Result<Arc<LakeTable>> {
        let snapshot = read(&self.name, self.reader.as_ref(), Some(&at)).await?;
        Ok(Arc::new(LakeTable {
            name: self.name.clone(),
            schema: snapshot.schema.clone(),
            reader: self.reader.clone(),
            at: Some(at),
            pins: Pins::default(),
        }))
    }

    /// The table of this name about the table; `None`: there is none.
    pub fn metadata_table(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let tables = self.reader.versions()?.metadata_tables();
        let described = tables.iter().find(|described| described.name == name)?;
        Some(Arc::new(MetadataTable {
            name: described.name,
            schema: described.schema(),
            reader: self.reader.clone(),
        }))
    }

    async fn snapshot(&self, state: &dyn Session) -> Result<Arc<Snapshot>> {
        let statement = state.execution_props().query_execution_start_time;
        match statement.and_then(|statement| self.pins.find(statement)) {
            Some(pinned) => Ok(pinned),
            None => {
                let snapshot = read(&self.name, self.reader.as_ref(), self.at.as_ref()).await?;
                Ok(match statement {
                    Some(statement) => self.pins.keep(statement, snapshot),
                    None => snapshot,
                })
            }
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

async fn read(
    table: &RelationName,
    reader: &dyn SnapshotReader,
    at: Option<&At>,
) -> Result<Arc<Snapshot>> {
    match (at, reader.versions()) {
        (None, _) => reader.snapshot().await,
        (Some(at), Some(versions)) => versions.snapshot_at(at).await,
        (Some(_), None) => Err(no_versions(table)),
    }
}

/// The snapshots of statements that are being planned: a statement that names
/// the table twice reads it at one version. Statements are told apart by when
/// they started, which the engine knows to the nanosecond.
#[derive(Debug, Default)]
struct Pins(Mutex<Vec<Pin>>);

#[derive(Debug)]
struct Pin {
    statement: DateTime<Utc>,
    since: Instant,
    snapshot: Arc<Snapshot>,
}

/// Longer than planning takes. A pin must end: a session that starts many
/// statements at one instant would never see a commit.
const PLANNING: Duration = Duration::from_secs(5);

impl Pins {
    fn find(&self, statement: DateTime<Utc>) -> Option<Arc<Snapshot>> {
        let pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pins.iter()
            .find(|pin| pin.statement == statement && pin.since.elapsed() < PLANNING)
            .map(|pin| pin.snapshot.clone())
    }

    /// The snapshot to use: the one that another scan of the statement was faster to keep.
    fn keep(&self, statement: DateTime<Utc>, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let mut pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pins.retain(|pin| pin.since.elapsed() < PLANNING);
        if let Some(pin) = pins.iter().find(|pin| pin.statement == statement) {
            return pin.snapshot.clone();
        }
        pins.push(Pin {
            statement,
            since: Instant::now(),
            snapshot: snapshot.clone(),
        });
        snapshot
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
        let snapshot = self.snapshot(state).await?;
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
