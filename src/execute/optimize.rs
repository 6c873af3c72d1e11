//! Logical plan → the plan that is run: the engine's optimizer, and what sources run.

use std::sync::Arc;

use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerRule};

use crate::error::Result;
use crate::pushdown::{self, Mode};

/// `plan` has its parameters' values in place.
pub(super) fn pushed(state: &SessionState, plan: LogicalPlan, mode: Mode) -> Result<LogicalPlan> {
    if mode != Mode::Off
        && pushdown::is_correlated(&plan)?
        && let Some(whole) = pushdown::push_whole(simplified(state, &plan)?, mode)?
    {
        return Ok(whole);
    }
    pushdown::push(state.optimize(&plan)?, mode)
}

/// Analyzed, and nothing in it moved: subqueries are where they were written.
fn simplified(state: &SessionState, plan: &LogicalPlan) -> EngineResult<LogicalPlan> {
    let analyzed =
        state
            .analyzer()
            .execute_and_check(plan.clone(), state.config_options(), |_, _| {})?;
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(PushDownLimit::new()),
    ];
    Optimizer::with_rules(rules).optimize(analyzed, state, |_, _| {})
}
