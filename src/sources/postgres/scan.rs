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
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use datafusion::prelude::SessionConfig;

use super::PostgresSource;
use super::copy::Piece;
use super::key_sql;
use super::keys::{self, Passing};
use super::light;
use super::metrics::ScanMetrics;
use super::portal::{self, PinnedSources};
use super::reading::{self, Polled, Reading};
use super::reads::{self, ReadOptions, StatementReads};
use super::snapshot::SourceRead;
use super::split::SingleTable;
use super::stats::with_rows;
use futures::Stream;

use tokio::time::{Instant, timeout_at};

use crate::error::Result;
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
    /// Filled by joins above while the statement runs; the joins compare again.
    filters: Vec<Arc<DynamicFilterPhysicalExpr>>,
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
            filters: Vec::new(),
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

    /// Is it all that the statement reads, and little?
    fn is_light(&self, config: &SessionConfig) -> bool {
        let alone = config
            .get_extension::<StatementReads>()
            .is_some_and(|reads| reads.polled() == Polled::Always);
        alone && self.expected().is_some_and(|rows| rows <= light::FEW)
    }

    fn expected(&self) -> Option<usize> {
        self.statistics.num_rows.get_value().copied()
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
            // read again: the joins' filters are of the first time
            (Some(read), _) => return self.all_rows(read, batch_rows, metrics),
            (None, _) => (reads::alone(&self.source), Arc::default(), 1),
        };
        let polled = match &reads {
            Some(reads) => reads.polled(),
            None => Polled::Perhaps,
        };
        let scan = self.clone();
        let keys = metrics.keys.clone();
        let planning = async move { scan.pieces(streams, reads.as_deref(), &keys).await };
        let reading = Reading {
            source: self.source_name().clone(),
            read,
            work,
            schema: self.schema.clone(),
            batch_rows,
            expected: self.expected(),
            polled,
            metrics,
        };
        Box::pin(reading::rows(reading, planning))
    }

    fn all_rows(&self, read: Arc<SourceRead>, batch_rows: usize, metrics: ScanMetrics) -> Rows {
        let pieces = VecDeque::from([Piece::plain(&*self.sql)]);
        let reading = Reading {
            source: self.source_name().clone(),
            read,
            work: Arc::default(),
            schema: self.schema.clone(),
            batch_rows,
            expected: self.expected(),
            polled: Polled::Perhaps,
            metrics,
        };
        Box::pin(reading::rows(reading, std::future::ready(Ok(pieces))))
    }

    /// What its streams are to read, once the joins above know what they want.
    async fn pieces(
        &self,
        streams: usize,
        reads: Option<&StatementReads>,
        keys: &Count,
    ) -> Result<VecDeque<Piece>> {
        let Some(table) = &self.table else {
            return Ok(VecDeque::from([Piece::plain(&*self.sql)]));
        };
        let passing = match reads {
            Some(reads) => self.passing(reads).await?,
            None => Passing::all(),
        };
        let chosen = key_sql::choose(table, passing, streams);
        keys.add(chosen.keys);
        Ok(chosen.pieces)
    }

    async fn passing(&self, reads: &StatementReads) -> Result<Passing> {
        let mut passing = Passing::all();
        let Some(patience) = reads.options().join_keys_wait else {
            return Ok(passing);
        };
        let deadline = Instant::now() + patience;
        for filter in &self.filters {
            if !reads.is_of_a_join(filter.expression_id()) {
                continue;
            }
            if timeout_at(deadline, filter.wait_complete()).await.is_ok() {
                passing = passing.and(keys::passing(&filter.current()?));
            }
        }
        Ok(passing)
    }

    /// The ids of the filters that it takes from joins.
    pub fn awaited_filters(&self) -> impl Iterator<Item = u64> {
        let ids = self.filters.iter().map(|filter| filter.expression_id());
        ids.flatten()
    }

    /// Does it wait for the keys of joins?
    pub fn takes_keys(&self) -> bool {
        !self.filters.is_empty()
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
                if self.streams() > 1 {
                    write!(f, ", streams={}", self.streams())?;
                }
                match self.takes_keys() {
                    true => write!(f, ", takes join keys"),
                    false => Ok(()),
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
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        for filter in &self.filters {
            let filter: Arc<dyn PhysicalExpr> = filter.clone();
            if visit(&filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    /// Takes what a join will know of its other side, if a column may be compared
    /// with it.
    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> EngineResult<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let kept = vec![PushedDown::No; result.parent_filters.len()];
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(kept);
        if phase != FilterPushdownPhase::Post || self.table.is_none() {
            return Ok(propagation);
        }
        let taken = result
            .parent_filters
            .into_iter()
            .filter_map(|result| Arc::downcast::<DynamicFilterPhysicalExpr>(result.filter).ok());
        let mut scan = self.clone();
        scan.filters.extend(taken);
        match scan.filters.len() == self.filters.len() {
            true => Ok(propagation),
            false => Ok(propagation.with_updated_node(Arc::new(scan) as _)),
        }
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
            None if self.is_light(config) => Box::pin(light::rows(light::Asked {
                source: self.source.clone(),
                sql: self.sql.clone(),
                schema: self.schema.clone(),
                batch_rows,
                metrics,
            })),
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
        args: &StatisticsArgs,
    ) -> EngineResult<Arc<Statistics>> {
        let rows = self.statistics.num_rows.get_value();
        match (args.partition(), rows) {
            (Some(_), Some(rows)) if self.streams() > 1 => {
                let part = rows.div_ceil(self.streams());
                Ok(Arc::new(with_rows((*self.statistics).clone(), part)))
            }
            _ => Ok(self.statistics.clone()),
        }
    }
}
