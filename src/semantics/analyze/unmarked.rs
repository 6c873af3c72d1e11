//! Takes off again what only the analysis needs. Registered as the analyzer's
//! last rule.

use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Union};
use datafusion::optimizer::AnalyzerRule;

use crate::semantics::typed;

/// The analyzer's last rule: takes the marks off that settled literals carry
/// for the first.
#[derive(Debug)]
pub(in crate::semantics) struct Unmarked;

impl AnalyzerRule for Unmarked {
    fn name(&self) -> &str {
        "postgres_types_unmarked"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> EngineResult<LogicalPlan> {
        let mut any = false;
        let unmark = |plan: LogicalPlan| {
            // columns above are known by the names of expressions
            let preserver = NamePreserver::new(&plan);
            let rewritten = plan.map_expressions(|expr| {
                let name = preserver.save(&expr);
                let unmarked = expr.transform_up(|expr| {
                    Ok(match expr {
                        Expr::Literal(value, Some(metadata)) => Transformed::yes(Expr::Literal(
                            value,
                            typed::without_mark(Some(metadata)),
                        )),
                        other => Transformed::no(other),
                    })
                })?;
                Ok(unmarked.update_data(|expr| name.restore(expr)))
            })?;
            any |= rewritten.transformed | matches!(rewritten.data, LogicalPlan::Union(_));
            match (any, rewritten.data) {
                (false, plan) => Ok(Transformed::no(plan)),
                (true, LogicalPlan::Union(union)) => Ok(Transformed::yes(nullable(union)?)),
                (true, plan) => Ok(Transformed::yes(plan.recompute_schema()?)),
            }
        };
        Ok(plan.transform_up_with_subqueries(unmark)?.data)
    }
}

/// The engine's optimizer changes what may be NULL below a union, but not what
/// the union says of it.
fn nullable(union: Union) -> EngineResult<LogicalPlan> {
    let union = Union::try_new_with_loose_types(union.inputs)?;
    let fields = union.schema.iter().map(|(qualifier, field)| {
        let field = field.as_ref().clone().with_nullable(true);
        (qualifier.cloned(), field.into())
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), union.schema.metadata().clone())?;
    Ok(LogicalPlan::Union(Union {
        inputs: union.inputs,
        schema: schema.into(),
    }))
}
