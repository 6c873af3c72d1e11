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
use super::wide::{Keys, Wide, width_of};
use crate::error::Error;
use crate::names::RelationName;
use crate::sources::object_store::OpenStore;

#[derive(Clone)]
pub(super) struct ParquetFiles {
    inner: Arc<dyn FileSource>,
    /// What reads files instead of `inner`, where rows are deleted by key.
    wide: Option<Wide>,
    owner: Owner,
}

impl ParquetFiles {
    pub(super) fn new(inner: ParquetSource, table: RelationName, store: OpenStore) -> Self {
        ParquetFiles {
            inner: Arc::new(inner),
            wide: None,
            owner: Owner { table, store },
        }
    }

    /// Of files from which rows are deleted by these keys; `columns` are where the
    /// keys' columns are in the source's table.
    pub(super) fn without_keys(self, keys: Keys, columns: &[usize]) -> Result<Self> {
        let wide = Wide::new(&self.inner, keys, columns)?
            .ok_or_else(|| Error::internal("keys cannot be read with a file"))?;
        Ok(ParquetFiles {
            wide: Some(wide),
            ..self
        })
    }

    fn around(
        &self,
        inner: Arc<dyn FileSource>,
        wide: impl FnOnce(&Wide) -> Arc<dyn FileSource>,
    ) -> Arc<dyn FileSource> {
        Arc::new(ParquetFiles {
            inner,
            wide: self.wide.as_ref().map(|own| own.around(wide(own))),
            owner: self.owner.clone(),
        })
    }

    /// What reads the files.
    fn reader(&self) -> &Arc<dyn FileSource> {
        self.wide.as_ref().map_or(&self.inner, |wide| &wide.source)
    }

    /// The reading in two steps, where a filter may come to leave few rows.
    fn late(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Option<Late>> {
        let Some(source) = self.reader().downcast_ref::<ParquetSource>() else {
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
        let mut config = config.clone();
        if self.wide.is_some() {
            // counts rows before keys take some away; the stream of files counts again
            config.limit = None;
        }
        let at_once = self
            .reader()
            .create_morselizer(store.clone(), &config, partition)?;
        let late = self.late(store, &config, partition)?;
        Ok(Box::new(Opener {
            readers: Arc::new(Readers { at_once, late }),
            owner: self.owner.clone(),
            keys: self.wide.as_ref().map(|wide| wide.keys.clone()),
            deleted: MetricBuilder::new(self.metrics()).counter("rows_deleted", partition),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.around(self.inner.with_batch_size(batch_size), |wide| {
            wide.source.with_batch_size(batch_size)
        })
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
        let wide = match &self.wide {
            Some(wide) => {
                let pushed = wide.source.try_pushdown_filters(filters.clone(), config)?;
                pushed.updated_node
            }
            None => None,
        };
        let mut pushed = self.inner.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed
            .updated_node
            .map(|inner| self.around(inner, |own| wide.unwrap_or_else(|| own.source.clone())));
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        // the two sources have other columns, and the engine tells one from the other
        if self.wide.is_some() {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        let around = |inner| self.around(inner, |wide| wide.source.clone());
        Ok(match self.inner.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact {
                inner: around(inner),
            },
            SortOrderPushdownResult::Inexact { inner } => SortOrderPushdownResult::Inexact {
                inner: around(inner),
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
        let Some(inner) = self.inner.try_pushdown_projection(projection)? else {
            return Ok(None);
        };
        let wide = match &self.wide {
            None => None,
            Some(wide) => match wide.project(projection, width_of(&self.inner))? {
                Some(wide) => Some(wide),
                None => return Ok(None),
            },
        };
        Ok(Some(Arc::new(ParquetFiles {
            inner,
            wide,
            owner: self.owner.clone(),
        })))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(visit)
    }
}
