//! A semi join with few groups goes before the joins that make its rows: of
//! `a JOIN b … WHERE a.k IN (SELECT k … GROUP BY k HAVING …)` only those rows of `a`
//! are joined at all, and where `a` is a source's it is asked for them alone.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub(super) struct SemiJoinsFirst;

impl OptimizerRule for SemiJoinsFirst {
    fn name(&self) -> &str {
        "semi_joins_first"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(join) = &plan else {
            return Ok(Transformed::no(plan));
        };
        let semi = join.join_type == JoinType::LeftSemi && join.filter.is_none();
        let keys: Option<Vec<&Column>> = join.on.iter().map(|(key, _)| as_column(key)).collect();
        let (true, true, Some(keys)) = (semi, are_few_groups(&join.right), keys) else {
            return Ok(Transformed::no(plan));
        };
        let keys = keys.into_iter().cloned().collect::<Vec<_>>();
        Ok(match below(&join.left, &keys, join)? {
            Some(lower) => Transformed::yes(lower),
            None => Transformed::no(plan),
        })
    }
}

/// Groups of which a condition leaves some.
fn are_few_groups(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => are_few_groups(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => are_few_groups(&alias.input),
        LogicalPlan::Filter(filter) => {
            let mut input = filter.input.as_ref();
            while let LogicalPlan::Projection(projection) = input {
                input = &projection.input;
            }
            matches!(input, LogicalPlan::Aggregate(_))
        }
        _ => false,
    }
}

fn as_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

/// `plan` with the semi join below its inner joins; `None`: it makes its rows itself.
fn below(plan: &LogicalPlan, keys: &[Column], semi: &Join) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            let has = |side: &LogicalPlan| keys.iter().all(|key| side.schema().has_column(key));
            let (mut left, mut right) = (join.left.clone(), join.right.clone());
            if has(&left) {
                left = Arc::new(at(&left, keys, semi)?);
            } else if has(&right) {
                right = Arc::new(at(&right, keys, semi)?);
            } else {
                return Ok(None);
            }
            let inputs = vec![left.as_ref().clone(), right.as_ref().clone()];
            plan.with_new_exprs(plan.expressions(), inputs).map(Some)
        }
        LogicalPlan::Projection(projection) => {
            let Some(keys) = renamed(projection, keys) else {
                return Ok(None);
            };
            let Some(input) = below(&projection.input, &keys, semi)? else {
                return Ok(None);
            };
            plan.with_new_exprs(plan.expressions(), vec![input])
                .map(Some)
        }
        _ => Ok(None),
    }
}

/// The semi join as low in `plan` as it can be.
fn at(plan: &LogicalPlan, keys: &[Column], semi: &Join) -> Result<LogicalPlan> {
    if let Some(lower) = below(plan, keys, semi)? {
        return Ok(lower);
    }
    let on = keys.iter().zip(&semi.on);
    let on = on.map(|(key, (_, other))| (Expr::Column(key.clone()), other.clone()));
    Ok(LogicalPlan::Join(Join::try_new(
        Arc::new(plan.clone()),
        semi.right.clone(),
        on.collect(),
        None,
        JoinType::LeftSemi,
        semi.join_constraint,
        semi.null_equality,
        semi.null_aware,
    )?))
}

/// What the keys are called below a projection that hands them on.
fn renamed(projection: &Projection, keys: &[Column]) -> Option<Vec<Column>> {
    let of = |key: &Column| {
        let at = projection.schema.maybe_index_of_column(key)?;
        match projection.expr.get(at)? {
            Expr::Column(column) => Some(column.clone()),
            Expr::Alias(alias) => as_column(&alias.expr).cloned(),
            _ => None,
        }
    };
    keys.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The joins of the plan, the outermost first.
    async fn joins(sql: &str) -> Vec<String> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_optimizer_rule(Arc::new(SemiJoinsFirst))
            .build();
        let context = SessionContext::new_with_state(state);
        for table in ["a", "b", "s"] {
            let ddl = format!("CREATE TABLE {table} (k INT, v INT)");
            context.sql(&ddl).await.expect("a table");
        }
        let plan = context.sql(sql).await.expect(sql);
        let plan = plan.into_optimized_plan().expect(sql);
        let text = plan.display_indent().to_string();
        let lines = text.lines().filter(|line| line.contains("Join: "));
        lines
            .map(|line| {
                line.trim_start()
                    .split(" Join: ")
                    .next()
                    .unwrap_or(line)
                    .to_string()
            })
            .collect()
    }

    #[tokio::test]
    async fn few_groups_go_before_joins_and_others_stay() {
        let groups = "(SELECT k FROM s GROUP BY k HAVING sum(v) > 5)";
        for (sql, expected) in [
            (
                format!("SELECT a.v, b.v FROM a JOIN b ON a.k = b.k WHERE a.k IN {groups}"),
                ["Inner", "LeftSemi"],
            ),
            (
                format!("SELECT a.v, b.v FROM a JOIN b ON a.k = b.k WHERE b.v IN {groups}"),
                ["Inner", "LeftSemi"],
            ),
            // what the left join fills with NULL has partners nowhere else
            (
                format!("SELECT a.v FROM a LEFT JOIN b ON a.k = b.k WHERE a.k IN {groups}"),
                ["LeftSemi", "Left"],
            ),
            (
                format!("SELECT a.v, b.v FROM a JOIN b ON a.k = b.k WHERE a.v + b.v IN {groups}"),
                ["LeftSemi", "Inner"],
            ),
            (
                "SELECT a.v, b.v FROM a JOIN b ON a.k = b.k WHERE a.k IN (SELECT k FROM s)".into(),
                ["LeftSemi", "Inner"],
            ),
        ] {
            assert_eq!(joins(&sql).await, expected, "{sql}");
        }
    }
}
