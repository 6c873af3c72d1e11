//! Which plans are optimized to the same each time: those without functions that
//! depend on more than their arguments. The optimizer works such functions out
//! while it plans, as `now()` for this statement alone.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan};

pub(super) fn is_constant(plan: &LogicalPlan) -> EngineResult<bool> {
    let mut constant = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                constant &= !depends_on_more(expr);
                Ok(match constant {
                    true => TreeNodeRecursion::Continue,
                    false => TreeNodeRecursion::Stop,
                })
            })
        })
    })?;
    Ok(constant)
}

fn depends_on_more(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => {
            call.func.signature().volatility != datafusion::logical_expr::Volatility::Immutable
        }
        Expr::ScalarVariable(..) | Expr::Placeholder(_) => true,
        _ => false,
    }
}
