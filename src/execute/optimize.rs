//! Logical plan → the plan that is run: the engine's optimizer, and what sources run.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::eliminate_limit::EliminateLimit;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerRule};

use crate::error::Result;
use crate::pushdown::{self, Mode, shared};

/// `plan` has its parameters' values in place.
pub(super) fn pushed(state: &SessionState, plan: LogicalPlan, mode: Mode) -> Result<LogicalPlan> {
    let options = state.config_options();
    let analyzed = state
        .analyzer()
        .execute_and_check(plan, options, |_, _| {})?;
    let analyzed = shared::mark(analyzed)?;
    if mode != Mode::Off && pushdown::is_for_one(&analyzed)? {
        // nothing moved: subqueries are where they were written
        let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
            Arc::new(ReplaceDistinctWithAggregate::new()),
            Arc::new(SimplifyExpressions::new()),
            Arc::new(EliminateLimit::new()),
            Arc::new(PushDownLimit::new()),
        ];
        let simplified =
            Optimizer::with_rules(rules).optimize(analyzed.clone(), state, |_, _| {})?;
        if let Some(whole) = pushdown::push_whole(simplified, mode)? {
            return Ok(whole);
        }
    }
    let optimized = state.optimizer().optimize(analyzed, state, |_, _| {})?;
    pushdown::push(optimized, mode)
}
