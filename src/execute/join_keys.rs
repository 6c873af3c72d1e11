//! How many keys of its build side a hash join keeps as a list. Sources are read
//! by lists; files are not: their readers take a list apart for every file and
//! row group, and are better served by a look into the join's table. The engine
//! has one limit for a statement, so joins that differ run under another context.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::prelude::SessionConfig;

use super::around::{Around, Way};
use super::state;
use crate::sources::postgres::PostgresScan;

/// Of joins that sources are read by.
const MOST_KEYS: usize = 300_000;
const MOST_BYTES: usize = 64 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// As many as the engine's own limits allow.
    Few,
    Many,
}

impl Keys {
    fn limit(self, config: &mut SessionConfig) {
        let own = SessionConfig::new();
        let own = &own.options().optimizer;
        let (count, bytes) = match self {
            Keys::Few => (
                own.hash_join_inlist_pushdown_max_distinct_values,
                own.hash_join_inlist_pushdown_max_size,
            ),
            Keys::Many => (MOST_KEYS, MOST_BYTES),
        };
        let optimizer = &mut config.options_mut().optimizer;
        optimizer.hash_join_inlist_pushdown_max_distinct_values = count;
        optimizer.hash_join_inlist_pushdown_max_size = bytes;
    }
}

/// The same plan, in which the joins that a source's scan waits for keep their keys.
pub(super) fn kept_for_sources(
    plan: Arc<dyn ExecutionPlan>,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let mut awaited = HashSet::new();
    collect(&plan, &mut awaited);
    match awaited.is_empty() {
        true => Ok(plan),
        false => limited(plan, Keys::Few, &awaited),
    }
}

/// The filters that scans of sources wait for, by their ids.
fn collect(plan: &Arc<dyn ExecutionPlan>, awaited: &mut HashSet<u64>) {
    if let Some(scan) = plan.downcast_ref::<PostgresScan>() {
        awaited.extend(scan.awaited_filters());
    }
    for child in plan.children() {
        collect(child, awaited);
    }
}

/// `around`: what the joins above leave the context at.
fn limited(
    plan: Arc<dyn ExecutionPlan>,
    around: Keys,
    awaited: &HashSet<u64>,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let keys = match plan.downcast_ref::<HashJoinExec>() {
        None => around,
        Some(_) => {
            let own = plan.dynamic_expressions_produced();
            let mut own = own.iter().filter_map(|filter| filter.expression_id());
            match own.any(|id| awaited.contains(&id)) {
                true => Keys::Many,
                false => Keys::Few,
            }
        }
    };
    let children = plan.children().into_iter().cloned();
    let children = children
        .map(|child| limited(child, keys, awaited))
        .collect::<EngineResult<Vec<_>>>()?;
    let plan = replace_children_if_necessary(plan, children)?;
    Ok(match keys == around {
        true => plan,
        false => Arc::new(Around { plan, way: keys }),
    })
}

/// A join that runs under its own limit.
impl Way for Keys {
    fn run(
        self,
        plan: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        let mut config = context.session_config().clone();
        self.limit(&mut config);
        let context = state::context(config, context.runtime_env());
        plan.execute(partition, Arc::new(context))
    }
}
