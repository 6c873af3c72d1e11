//! Sorted text without what it no longer needs. A batch that a sort puts together
//! refers to the texts of all batches that its rows came from, and is counted with
//! all of them by whoever merges it: sorts that would fit are refused for it.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use datafusion::arrow::datatypes::{ByteViewType, DataType};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

/// Bytes that are referred to for each that is needed.
const WASTE: usize = 2;

/// The finished plan, in which merges of sorts read compact batches.
pub(super) fn before_merges(plan: Arc<dyn ExecutionPlan>) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let compact = plan.transform_up(|node| {
        if !node.is::<SortPreservingMergeExec>() {
            return Ok(Transformed::no(node));
        }
        let sorts = node.children().into_iter().filter(|input| {
            let has_text = input
                .schema()
                .fields()
                .iter()
                .any(|f| is_view(f.data_type()));
            has_text && input.is::<SortExec>()
        });
        let sorts: Vec<Arc<dyn ExecutionPlan>> = sorts.cloned().collect();
        let [sort] = sorts.as_slice() else {
            return Ok(Transformed::no(node));
        };
        let compact: Arc<dyn ExecutionPlan> = Arc::new(Compact(sort.clone()));
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Ok(Transformed::yes(
            node.replace_children(vec![compact], options)?,
        ))
    })?;
    Ok(compact.data)
}

fn is_view(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8View | DataType::BinaryView)
}

fn compacted(batch: &RecordBatch) -> EngineResult<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => own(column.as_string_view()),
            DataType::BinaryView => own(column.as_binary_view()),
            _ => column.clone(),
        });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect())?)
}

fn own<T: ByteViewType>(values: &GenericByteViewArray<T>) -> ArrayRef {
    let buffers = values.data_buffers().iter();
    let held: usize = buffers.map(|buffer| buffer.capacity()).sum();
    match held > WASTE * values.total_buffer_bytes_used() {
        true => Arc::new(values.gc()),
        false => Arc::new(values.clone()),
    }
}

/// To all who look at the plan it is the sort.
#[derive(Debug)]
struct Compact(Arc<dyn ExecutionPlan>);

impl DisplayAs for Compact {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as(format, f)
    }
}

impl ExecutionPlan for Compact {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.0.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.0.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.0.children()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        self.0.apply_expressions(visit)
    }

    fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.0.dynamic_expressions_produced()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let sort = self.0.clone().replace_children(children, options)?;
        Ok(Arc::new(Compact(sort)))
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
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        let sorted = self.0.execute(partition, context)?;
        let schema = sorted.schema();
        let compact = sorted.map(|batch| compacted(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, compact)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.0.metrics()
    }
}
