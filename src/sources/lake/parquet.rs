//! The engine's Parquet source with two promises added: an error in a file's
//! data names the file and its table, and a float column's predicates are
//! applied to rows above the scan. Made by the scan.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpener, FileScanConfig, FileSource, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::Morselizer;
use object_store::ObjectStore;

use super::late;
use super::open::{Late, Opener, Owner, Readers};
use crate::names::RelationName;
use crate::sources::object_store::OpenStore;

#[derive(Clone)]
pub(super) struct ParquetFiles {
    inner: Arc<dyn FileSource>,
    owner: Owner,
}

impl ParquetFiles {
    pub(super) fn new(inner: ParquetSource, table: RelationName, store: OpenStore) -> Self {
        ParquetFiles {
            inner: Arc::new(inner),
            owner: Owner { table, store },
        }
    }

    fn around(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(ParquetFiles {
            inner,
            owner: self.owner.clone(),
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
            reader: source.create_morselizer(store, config, partition)?,
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
        let at_once = self
            .inner
            .create_morselizer(store.clone(), config, partition)?;
        let late = self.late(store, config, partition)?;
        Ok(Box::new(Opener {
            readers: Arc::new(Readers { at_once, late }),
            owner: self.owner.clone(),
            deleted: MetricBuilder::new(self.metrics()).counter("rows_deleted", partition),
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
