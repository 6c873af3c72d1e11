//! The plan node that reads from a Postgres source. It receives finished SQL,
//! from `pushdown` or from a table's own scan, and never decides.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use datafusion::prelude::SessionConfig;

use super::PostgresSource;
use super::copy::Piece;
use super::metrics::ScanMetrics;
use super::portal::{self, PinnedSources};
use super::reading::{self, Reading};
use super::reads::{self, ReadOptions, StatementReads};
use super::split::SingleTable;
use super::work::Work;
use futures::Stream;

use crate::names::SourceName;

#[derive(Debug, Clone)]
pub struct PostgresScan {
    source: Arc<PostgresSource>,
    sql: Arc<str>,
    schema: SchemaRef,
    statistics: Arc<Statistics>,
    notes: Arc<[String]>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// Which scan of the process it is; its streams find each other by it.
    number: u64,
    table: Option<Arc<SingleTable>>,
}

impl PostgresScan {
    /// `sql` is one SELECT whose columns are, in order, those of `schema`.
    /// `notes` say what was kept from the source and why; EXPLAIN shows them.
    pub fn new(
        source: Arc<PostgresSource>,
        sql: String,
        schema: SchemaRef,
        statistics: Statistics,
        notes: Vec<String>,
    ) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        PostgresScan {
            source,
            sql: sql.into(),
            properties: properties(&schema, 1),
            schema,
            statistics: Arc::new(statistics.to_inexact()),
            notes: notes.into(),
            metrics: ExecutionPlanMetricsSet::new(),
            number: LAST.fetch_add(1, Ordering::Relaxed),
            table: None,
        }
    }

    /// `sql` reads one table, as `table` says: it may be read in pieces, by as many
    /// streams as the session, the engine and the source allow.
    pub fn of_table(mut self, table: SingleTable, config: &SessionConfig) -> Self {
        let wanted = config
            .get_extension::<ReadOptions>()
            .map_or(1, |options| options.parallel_reads);
        let most = wanted
            .min(config.target_partitions())
            .min(self.source.pool().max_connections());
        self.properties = properties(&self.schema, table.streams(most));
        self.table = Some(Arc::new(table));
        self
    }

    /// How many streams read it.
    pub fn streams(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    pub fn sql(&self) -> &str {
        &self.sql
    }

    pub fn source(&self) -> &Arc<PostgresSource> {
        &self.source
    }

    pub fn source_name(&self) -> &SourceName {
        self.source.source_name()
    }

    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

type Rows = Pin<Box<dyn Stream<Item = EngineResult<RecordBatch>> + Send>>;

impl PostgresScan {
    fn rows(
        &self,
        stream: usize,
        batch_rows: usize,
        metrics: ScanMetrics,
        config: &SessionConfig,
    ) -> Rows {
        let reads = config.get_extension::<StatementReads>();
        let read = reads
            .as_ref()
            .and_then(|reads| reads.source(self.source_name()));
        let work = reads.as_ref().map(|reads| reads.work(self.number));
        let (read, work, streams) = match (read, work) {
            (Some(read), Some(work)) if work.is_new(stream) => (read, work, self.streams()),
            // one stream reads all where the streams cannot know of each other
            _ if stream > 0 => return Box::pin(futures::stream::empty()),
            (Some(read), _) => (read, Arc::<Work>::default(), 1),
            (None, _) => (reads::alone(&self.source), Arc::default(), 1),
        };
        let scan = self.clone();
        let planning = async move { Ok(scan.pieces(streams)) };
        let reading = Reading {
            source: self.source_name().clone(),
            read,
            work,
            schema: self.schema.clone(),
            batch_rows,
            metrics,
        };
        Box::pin(reading::rows(reading, planning))
    }

    fn pieces(&self, streams: usize) -> VecDeque<Piece> {
        match &self.table {
            Some(table) if streams > 1 => table.pieces(streams),
            _ => VecDeque::from([Piece::plain(&*self.sql)]),
        }
    }
}

fn properties(schema: &SchemaRef, streams: usize) -> Arc<PlanProperties> {
    let properties = PlanProperties::new(
        EquivalenceProperties::new(schema.clone()),
        Partitioning::UnknownPartitioning(streams),
        EmissionType::Incremental,
        Boundedness::Bounded,
    );
    Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative))
}

impl DisplayAs for PostgresScan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source_name();
        match format {
            DisplayFormatType::TreeRender => write!(f, "source={source}\nsql={}", self.sql),
            DisplayFormatType::Default => {
                write!(f, "PostgresScan: source={source}, sql={}", self.sql)?;
                match self.streams() {
                    1 => Ok(()),
                    streams => write!(f, ", streams={streams}"),
                }
            }
            DisplayFormatType::Verbose => {
                write!(f, "PostgresScan: source={source}, sql={}", self.sql)?;
                match self.notes.is_empty() {
                    true => Ok(()),
                    false => write!(f, ", notes=[{}]", self.notes.join("; ")),
                }
            }
        }
    }
}

impl ExecutionPlan for PostgresScan {
    fn name(&self) -> &'static str {
        "PostgresScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    /// Connects when first polled; dropping the stream cancels on the source.
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        if partition >= self.streams() {
            return Err(DataFusionError::Internal(format!(
                "PostgresScan has {} partitions, not {}",
                self.streams(),
                partition + 1
            )));
        }
        let config = context.session_config();
        let batch_rows = config.batch_size();
        let metrics = ScanMetrics::new(&self.metrics, partition);
        let pinned = config
            .get_extension::<PinnedSources>()
            .and_then(|pinned| pinned.of(self.source_name()));
        let rows: Pin<Box<dyn Stream<Item = _> + Send>> = match pinned {
            Some(_) if partition > 0 => Box::pin(futures::stream::empty()),
            Some(lease) => Box::pin(portal::rows(
                self.source.clone(),
                lease,
                self.sql.clone(),
                self.schema.clone(),
                batch_rows,
                metrics,
            )),
            None => self.rows(partition, batch_rows, metrics, config),
        };
        let stream = RecordBatchStreamAdapter::new(self.schema.clone(), rows);
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _inputs: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> EngineResult<Arc<Statistics>> {
        Ok(self.statistics.clone())
    }
}
