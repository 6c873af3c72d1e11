//! Sorted text without what it no longer needs. A batch that a sort puts together
//! refers to the texts of all batches that its rows came from, and is counted with
//! all of them by whoever merges it: sorts that would fit are refused for it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use datafusion::arrow::datatypes::{ByteViewType, DataType};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::around::{Around, Way};

/// Bytes that are referred to for each that is needed.
const WASTE: usize = 2;

/// The finished plan, in which merges of sorts read compact batches.
pub(super) fn before_merges(plan: Arc<dyn ExecutionPlan>) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let compact = plan.transform_up(|node| {
        if !node.is::<SortPreservingMergeExec>() {
            return Ok(Transformed::no(node));
        }
        let sort = match node.children().as_slice() {
            [input] if input.is::<SortExec>() && has_views(input) => (*input).clone(),
            _ => return Ok(Transformed::no(node)),
        };
        let compact: Arc<dyn ExecutionPlan> = Arc::new(Around {
            plan: sort,
            way: Compact,
        });
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Ok(Transformed::yes(
            node.replace_children(vec![compact], options)?,
        ))
    })?;
    Ok(compact.data)
}

fn has_views(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut types = schema.fields().iter().map(|field| field.data_type());
    types.any(|data_type| matches!(data_type, DataType::Utf8View | DataType::BinaryView))
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

/// A sort whose batches are compact.
#[derive(Debug, Clone, Copy)]
struct Compact;

impl Way for Compact {
    fn run(
        self,
        plan: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        let sorted = plan.execute(partition, context)?;
        let schema = sorted.schema();
        let compact = sorted.map(|batch| compacted(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, compact)))
    }
}
