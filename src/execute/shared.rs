//! What a statement names more than once, computed once: the first place that asks
//! starts it, all places read its rows, which are held until the last has them.
//! They count toward the memory that queries may use.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::Statistics;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, CardinalityEffect, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

/// One place of the part.
#[derive(Debug, Clone)]
pub(super) struct SharedExec {
    id: usize,
    /// `None`: another place has it.
    input: Option<Arc<dyn ExecutionPlan>>,
    part: Arc<Part>,
    properties: Arc<PlanProperties>,
}

/// What all places have in common.
#[derive(Default)]
struct Part {
    plan: OnceLock<Arc<dyn ExecutionPlan>>,
    rows: Mutex<Option<Shared<BoxFuture<'static, Computed>>>>,
}

type Computed = Result<Arc<Rows>, Arc<DataFusionError>>;

struct Rows {
    batches: Vec<RecordBatch>,
    _held: MemoryReservation,
}

impl SharedExec {
    pub(super) fn new(id: usize, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        SharedExec {
            id,
            input: Some(input),
            part: Arc::default(),
            properties: Arc::new(properties),
        }
    }
}

/// The finished plan, in which every part is below one of its places alone. What is
/// left over of one is no place of anything any more.
pub(super) fn united(plan: Arc<dyn ExecutionPlan>) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let mut parts: HashMap<usize, Arc<Part>> = HashMap::new();
    let united = plan.transform_down(|node| {
        let Some(place) = node.downcast_ref::<SharedExec>() else {
            return Ok(Transformed::no(node));
        };
        if let Some(part) = parts.get(&place.id) {
            let other = SharedExec {
                input: None,
                part: part.clone(),
                ..place.clone()
            };
            let other: Arc<dyn ExecutionPlan> = Arc::new(other);
            return Ok(Transformed::yes(other));
        }
        let part = Arc::new(Part::default());
        if let Some(input) = &place.input {
            // nothing within a part is shared: see the marking
            let _ = part.plan.set(input.clone());
        }
        parts.insert(place.id, part.clone());
        let first = SharedExec {
            part,
            ..place.clone()
        };
        let first: Arc<dyn ExecutionPlan> = Arc::new(first);
        Ok(Transformed::new(first, true, TreeNodeRecursion::Jump))
    })?;
    Ok(united.data)
}

impl Part {
    fn rows(
        &self,
        context: &Arc<TaskContext>,
    ) -> EngineResult<Shared<BoxFuture<'static, Computed>>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = &*rows {
            return Ok(rows.clone());
        }
        let plan = self.plan.get().ok_or_else(|| {
            DataFusionError::Internal("a shared part was not given its plan".into())
        })?;
        let computing = compute(plan.execute(0, context.clone())?, context.clone());
        // who asked first may be gone before the others are
        let computing = AbortOnDropHandle::new(tokio::spawn(computing));
        let computed = async move {
            match computing.await {
                Ok(computed) => computed.map_err(Arc::new),
                // contained where all panics of a query are
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(Arc::new(DataFusionError::Internal(
                        "a shared part was not finished".into(),
                    ))),
                },
            }
        };
        Ok(rows.insert(computed.boxed().shared()).clone())
    }
}

async fn compute(
    mut stream: SendableRecordBatchStream,
    context: Arc<TaskContext>,
) -> EngineResult<Arc<Rows>> {
    let held = MemoryConsumer::new("rows that are read more than once")
        .register(&context.runtime_env().memory_pool);
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        held.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    let rows = Rows {
        batches,
        _held: held,
    };
    Ok(Arc::new(rows))
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").finish_non_exhaustive()
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedExec: part={}", self.id)
    }
}

impl ExecutionPlan for SharedExec {
    fn name(&self) -> &'static str {
        "SharedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.input.iter().collect()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.children().len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.children().len()]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(input) => Arc::new(SharedExec::new(self.id, input)),
            None => self,
        })
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

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        let rows = self.part.rows(&context)?;
        let rows = stream::once(rows).map(|computed| match computed {
            Ok(rows) => {
                let batches = (0..).map_while(move |at| rows.batches.get(at).cloned());
                Ok(stream::iter(batches.map(Ok)))
            }
            Err(error) => Err(DataFusionError::Shared(error)),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            rows.try_flatten(),
        )))
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> EngineResult<Arc<Statistics>> {
        Ok(match inputs.first() {
            Some(input) => input.clone(),
            None => Arc::new(Statistics::new_unknown(&self.schema())),
        })
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}
