//! The engine's Parquet source with two promises added: an error in a file's
//! data names the file and its table, and a float column's predicates are
//! applied to rows above the scan. Made by the scan.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpener, FileScanConfig, FileSource, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::ObjectStore;

use super::footer::broken;
use super::late::{self, LateFilter};
use crate::names::RelationName;
use crate::sources::object_store::OpenStore;

#[derive(Clone)]
pub(super) struct ParquetFiles {
    inner: Arc<dyn FileSource>,
    origin: Origin,
}

/// Whose files they are, for errors.
#[derive(Debug, Clone)]
struct Origin {
    table: RelationName,
    store: OpenStore,
}

impl ParquetFiles {
    pub(super) fn new(inner: ParquetSource, table: RelationName, store: OpenStore) -> Self {
        ParquetFiles {
            inner: Arc::new(inner),
            origin: Origin { table, store },
        }
    }

    fn around(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(ParquetFiles {
            inner,
            origin: self.origin.clone(),
        })
    }

    /// The reading in two steps, where a filter may come to leave few rows.
    fn late(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Option<Late>> {
        let Some(source) = self.inner.downcast_ref::<ParquetSource>() else {
            return Ok(None);
        };
        let filters = late::filters_of(source);
        if filters.is_empty() || source.table_parquet_options().global.pushdown_filters {
            return Ok(None);
        }
        let source: Arc<dyn FileSource> = Arc::new(source.clone().with_pushdown_filters(true));
        Ok(Some(Late {
            filters,
            schema: self.inner.table_schema().table_schema().clone(),
            inner: source.create_morselizer(store, config, partition)?,
        }))
    }

    fn has_floats(&self) -> bool {
        let fields = self.inner.table_schema().file_schema().fields();
        fields.iter().any(|field| field.data_type().is_floating())
    }
}

impl FileSource for ParquetFiles {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        Ok(Box::new(NamedMorselizer {
            inner: self
                .inner
                .create_morselizer(store.clone(), config, partition)?,
            late: self.late(store, config, partition)?,
            origin: self.origin.clone(),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.around(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt_extra(format, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    /// Row filters are skipped for row groups whose statistics say that every row
    /// matches, and those statistics leave NaN out: with floats in the files, the
    /// predicate only prunes, and the rows are filtered above.
    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut careful;
        let config = if self.has_floats() && config.execution.parquet.pushdown_filters {
            careful = config.clone();
            careful.execution.parquet.pushdown_filters = false;
            &careful
        } else {
            config
        };
        let mut pushed = self.inner.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed.updated_node.map(|inner| self.around(inner));
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(match self.inner.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact {
                inner: self.around(inner),
            },
            SortOrderPushdownResult::Inexact { inner } => SortOrderPushdownResult::Inexact {
                inner: self.around(inner),
            },
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_projection(projection)?;
        Ok(pushed.map(|inner| self.around(inner)))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(visit)
    }
}

#[derive(Debug)]
struct NamedMorselizer {
    inner: Box<dyn Morselizer>,
    late: Option<Late>,
    origin: Origin,
}

#[derive(Debug)]
struct Late {
    filters: Vec<LateFilter>,
    schema: SchemaRef,
    inner: Box<dyn Morselizer>,
}

impl Late {
    fn pays(&self, file: &PartitionedFile) -> bool {
        file.statistics.as_ref().is_some_and(|statistics| {
            let mut filters = self.filters.iter();
            filters.any(|filter| filter.leaves_few(statistics, &self.schema))
        })
    }
}

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let name = Arc::new(FileName {
            origin: self.origin.clone(),
            path: file.object_meta.location.clone(),
        });
        let inner = match &self.late {
            Some(late) if late.pays(&file) => &late.inner,
            _ => &self.inner,
        };
        let inner = inner.plan_file(file).map_err(|e| name.add_to(e))?;
        Ok(Box::new(NamedPlanner { inner, name }))
    }
}

#[derive(Debug)]
struct FileName {
    origin: Origin,
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
            broken(&self.origin.table, &self.origin.store, &self.path, error).into()
        } else {
            error
        }
    }
}

#[derive(Debug)]
struct NamedPlanner {
    inner: Box<dyn MorselPlanner>,
    name: Arc<FileName>,
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let NamedPlanner { inner, name } = *self;
        let Some(mut plan) = inner.plan().map_err(|error| name.add_to(error))? else {
            return Ok(None);
        };
        let wrap = |inner: Box<dyn MorselPlanner>, name: &Arc<FileName>| {
            let name = name.clone();
            Box::new(NamedPlanner { inner, name }) as Box<dyn MorselPlanner>
        };
        let morsels = plan.take_morsels().into_iter().map(|inner| {
            let name = name.clone();
            Box::new(NamedMorsel { inner, name }) as Box<dyn Morsel>
        });
        let planners = plan.take_ready_planners().into_iter();
        let mut named = MorselPlan::new()
            .with_morsels(morsels.collect())
            .with_planners(planners.map(|inner| wrap(inner, &name)).collect());
        if let Some(pending) = plan.take_pending_planner() {
            named.set_pending_planner(async move {
                match pending.await {
                    Ok(inner) => Ok(wrap(inner, &name)),
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
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let NamedMorsel { inner, name } = *self;
        inner
            .into_stream()
            .map(move |batch| batch.map_err(|error| name.add_to(error)))
            .boxed()
    }
}
