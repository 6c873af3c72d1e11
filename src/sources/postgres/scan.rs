//! The plan node that reads from a Postgres source. It receives finished SQL,
//! from `pushdown` or from a table's own scan, and never decides.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

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

use super::PostgresSource;
use super::copy::{self, ScanMetrics};
use super::portal::{self, PinnedSources};
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
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        PostgresScan {
            source,
            sql: sql.into(),
            schema,
            statistics: Arc::new(statistics.to_inexact()),
            notes: notes.into(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
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

impl DisplayAs for PostgresScan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source_name();
        match format {
            DisplayFormatType::TreeRender => write!(f, "source={source}\nsql={}", self.sql),
            DisplayFormatType::Default => {
                write!(f, "PostgresScan: source={source}, sql={}", self.sql)
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
        if partition != 0 {
            return Err(DataFusionError::Internal(format!(
                "PostgresScan has one partition, not {}",
                partition + 1
            )));
        }
        let (source, sql, schema) = (self.source.clone(), self.sql.clone(), self.schema.clone());
        let batch_rows = context.session_config().batch_size();
        let metrics = ScanMetrics::new(&self.metrics, partition);
        let pinned = context
            .session_config()
            .get_extension::<PinnedSources>()
            .and_then(|pinned| pinned.of(self.source_name()));
        let rows: Pin<Box<dyn Stream<Item = _> + Send>> = match pinned {
            Some(lease) => Box::pin(portal::rows(
                source, lease, sql, schema, batch_rows, metrics,
            )),
            None => Box::pin(copy::rows(source, sql, schema, batch_rows, metrics)),
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
