//! Which plans are optimized to the same each time: those without functions that
//! depend on more than their arguments, and without texts that say when they are
//! read. The optimizer works both out while it plans, for this statement alone.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::scalar::ScalarValue;

/// Section 8.5.1.4 "Special Values": what they stand for changes. A text is taken
/// for a time wherever it meets one, so all texts are looked at.
const TIMES: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

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
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
        Expr::Literal(value, _) => names_a_time(value),
        // a text that is put together may come to one of those
        Expr::Cast(cast) => {
            cast.field.data_type().is_temporal()
                && !matches!(
                    *cast.expr,
                    Expr::Literal(..) | Expr::Column(_) | Expr::Cast(_)
                )
        }
        Expr::ScalarVariable(..) | Expr::Placeholder(_) | Expr::TryCast(_) => true,
        _ => false,
    }
}

fn names_a_time(value: &ScalarValue) -> bool {
    let text = match value.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => value.to_string(),
        data_type if data_type.is_nested() => return true,
        _ => return false,
    };
    let text = text.to_lowercase();
    TIMES.iter().any(|time| text.contains(time))
}
