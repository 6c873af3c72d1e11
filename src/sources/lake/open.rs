//! How one Parquet file of a scan is opened: what is deleted from it is read
//! first, and an error in its data names the file and its table. Called by the
//! Parquet source, once for each file or range of one.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::metrics::Count;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::StreamExt;
use futures::stream::BoxStream;

use super::deletes::{FileDeletes, KeyFilter, read_plan};
use super::footer::{broken, row_groups};
use super::late::LateFilter;
use super::wide::Keys;
use crate::error::Error;
use crate::names::RelationName;
use crate::sources::object_store::OpenStore;

/// Whose files they are, for errors.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) table: RelationName,
    pub(super) store: OpenStore,
}

#[derive(Debug)]
pub(super) struct Opener {
    pub(super) readers: Arc<Readers>,
    pub(super) owner: Owner,
    /// Those that files are read with.
    pub(super) keys: Option<Keys>,
    /// Rows that were not read because they are deleted.
    pub(super) deleted: Count,
}

/// The engine's own ways to read a file.
#[derive(Debug)]
pub(super) struct Readers {
    pub(super) at_once: Box<dyn Morselizer>,
    pub(super) late: Option<Late>,
}

/// In two steps.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) filters: Vec<LateFilter>,
    pub(super) schema: SchemaRef,
    pub(super) reader: Box<dyn Morselizer>,
}

impl Readers {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        match &self.late {
            Some(late) if late.pays(&file) => late.reader.plan_file(file),
            _ => self.at_once.plan_file(file),
        }
    }
}

impl Late {
    fn pays(&self, file: &PartitionedFile) -> bool {
        file.statistics.as_ref().is_some_and(|statistics| {
            let mut filters = self.filters.iter();
            filters.any(|filter| filter.leaves_few(statistics, &self.schema))
        })
    }
}

impl Morselizer for Opener {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let name = Arc::new(FileName {
            owner: self.owner.clone(),
            path: file.object_meta.location.clone(),
        });
        let Some(deletes) = file.extension::<Arc<FileDeletes>>().cloned() else {
            let inner = self.readers.plan_file(file).map_err(|e| name.add_to(e))?;
            return Ok(Box::new(NamedPlanner::new(inner, name)));
        };
        Ok(Box::new(DeletesPlanner {
            deletes,
            file,
            name,
            readers: self.readers.clone(),
            keys: self.keys.clone(),
            deleted: self.deleted.clone(),
        }))
    }
}

/// Reads what is deleted from a file, and plans the reading of the rest.
#[derive(Debug)]
struct DeletesPlanner {
    deletes: Arc<FileDeletes>,
    file: PartitionedFile,
    name: Arc<FileName>,
    readers: Arc<Readers>,
    keys: Option<Keys>,
    deleted: Count,
}

impl MorselPlanner for DeletesPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        Ok(Some(MorselPlan::new().with_pending_planner(async move {
            Ok(Box::new(self.rest().await?) as Box<dyn MorselPlanner>)
        })))
    }
}

impl DeletesPlanner {
    async fn rest(self) -> Result<NamedPlanner> {
        let filter = self.filter().await?;
        let DeletesPlanner {
            mut file,
            name,
            deletes,
            ..
        } = self;
        if !deletes.positions.is_empty() {
            let Owner { table, store } = &name.owner;
            let shown = store.show(&name.path);
            let footer = row_groups(table, store, &file.object_meta).await?;
            let (groups, range) = (footer.row_groups(), file.range.as_ref());
            let plan = read_plan(table, &shown, &deletes, groups, range).await?;
            self.deleted.add(plan.deleted);
            file = file.with_extension(plan.access);
        }
        let inner = self
            .readers
            .plan_file(file)
            .map_err(|error| name.add_to(error))?;
        let filter = filter.map(Arc::new);
        Ok(NamedPlanner {
            inner,
            name,
            filter,
        })
    }

    async fn filter(&self) -> Result<Option<KeyFilter>> {
        let Some(keys) = &self.keys else {
            // without the columns of their keys nothing could be compared
            return match self.deletes.equality.is_empty() {
                true => Ok(None),
                false => Err(Error::internal("deletes by key were not planned").into()),
            };
        };
        let deletes = &self.deletes.equality;
        let deleted = self.deleted.clone();
        let filter = KeyFilter::read(&keys.sets, deletes, &keys.columns, deleted).await?;
        Ok(Some(filter))
    }
}

#[derive(Debug)]
struct FileName {
    owner: Owner,
    path: object_store::path::Path,
}

impl FileName {
    /// Parquet's and Arrow's own errors say nothing of where; others pass as they are.
    fn add_to(&self, error: DataFusionError) -> DataFusionError {
        let undecodable = match &error {
            DataFusionError::ParquetError(inner) => {
                !matches!(**inner, parquet::errors::ParquetError::External(_))
            }
            DataFusionError::ArrowError(inner, _) => matches!(
                **inner,
                datafusion::arrow::error::ArrowError::ParquetError(_)
                    | datafusion::arrow::error::ArrowError::InvalidArgumentError(_)
            ),
            _ => false,
        };
        if undecodable {
            broken(&self.owner.table, &self.owner.store, &self.path, error).into()
        } else {
            error
        }
    }
}

#[derive(Debug)]
struct NamedPlanner {
    inner: Box<dyn MorselPlanner>,
    name: Arc<FileName>,
    filter: Option<Arc<KeyFilter>>,
}

impl NamedPlanner {
    fn new(inner: Box<dyn MorselPlanner>, name: Arc<FileName>) -> Self {
        NamedPlanner {
            inner,
            name,
            filter: None,
        }
    }
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let NamedPlanner {
            inner,
            name,
            filter,
        } = *self;
        let Some(mut plan) = inner.plan().map_err(|error| name.add_to(error))? else {
            return Ok(None);
        };
        let wrap = |inner: Box<dyn MorselPlanner>| {
            let planner = NamedPlanner {
                inner,
                name: name.clone(),
                filter: filter.clone(),
            };
            Box::new(planner) as Box<dyn MorselPlanner>
        };
        let morsels = plan.take_morsels().into_iter().map(|inner| {
            let morsel = NamedMorsel {
                inner,
                name: name.clone(),
                filter: filter.clone(),
            };
            Box::new(morsel) as Box<dyn Morsel>
        });
        let planners = plan.take_ready_planners().into_iter();
        let mut named = MorselPlan::new()
            .with_morsels(morsels.collect())
            .with_planners(planners.map(wrap).collect());
        if let Some(pending) = plan.take_pending_planner() {
            named.set_pending_planner(async move {
                match pending.await {
                    Ok(inner) => {
                        let planner = NamedPlanner {
                            inner,
                            name,
                            filter,
                        };
                        Ok(Box::new(planner) as Box<dyn MorselPlanner>)
                    }
                    Err(error) => Err(name.add_to(error)),
                }
            });
        }
        Ok(Some(named))
    }
}

#[derive(Debug)]
struct NamedMorsel {
    inner: Box<dyn Morsel>,
    name: Arc<FileName>,
    filter: Option<Arc<KeyFilter>>,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let NamedMorsel {
            inner,
            name,
            filter,
        } = *self;
        inner
            .into_stream()
            .map(move |batch| {
                let batch = batch.map_err(|error| name.add_to(error))?;
                match &filter {
                    Some(filter) => Ok(filter.apply(&batch)?),
                    None => Ok(batch),
                }
            })
            .boxed()
    }
}
