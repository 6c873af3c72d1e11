//! Statements that one source runs as a whole, with the subqueries in the places
//! where they were written: taken apart into joins, a subquery about the rows
//! around it is computed for all of its table at once.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::fragment::{Aliases, Queries};
use super::rules::Within;
use super::{Mode, nodes, remote_scan, require_all_pushed, shared};
use crate::error::Result;

/// Has the plan subqueries about the rows around them, or parts that it names more
/// than once? Optimized, it has neither.
pub fn is_for_one(plan: &LogicalPlan) -> EngineResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= shared::in_plan(node).is_some();
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                found |= matches!(expr, Expr::OuterReferenceColumn(..));
                Ok(match found {
                    true => TreeNodeRecursion::Stop,
                    false => TreeNodeRecursion::Continue,
                })
            })
        })
    })?;
    Ok(found)
}

/// The analyzed plan as one fragment, with at most its last steps here; `None`:
/// more than that would run here.
pub fn push_whole(plan: LogicalPlan, mode: Mode) -> Result<Option<LogicalPlan>> {
    let aliases = Aliases::default();
    let queries = Queries::default();
    let within = Within {
        queries: Some(&queries),
        ..Within::statement(&aliases)
    };
    let pushed = nodes::push_within(plan, within)?;
    let (mut fragments, mut others) = (0, 0);
    pushed.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Projection(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::SubqueryAlias(_) => {}
            node => match remote_scan::in_plan(node) {
                // what moves more rows than its tables have is better joined here
                Some(remote) if !remote.multiplies() => fragments += 1,
                _ => others += 1,
            },
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let refused = mode == Mode::Require && require_all_pushed(&pushed).is_err();
    if fragments != 1 || others > 0 || refused {
        return Ok(None);
    }
    let queries = queries.into_list();
    if queries.is_empty() {
        return Ok(Some(pushed));
    }
    let named = pushed.transform_down(|node| {
        Ok(match remote_scan::in_plan(&node) {
            Some(remote) => Transformed::yes(nodes::leaf(remote.clone().with_queries(&queries))),
            None => Transformed::no(node),
        })
    })?;
    Ok(Some(named.data))
}
