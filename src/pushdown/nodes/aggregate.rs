//! GROUP BY over a fragment.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::logical_plan::Aggregate;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{grown, noted, over_apart};
use crate::pushdown::estimate;
use crate::pushdown::fragment::{Grouping, Rows, Select};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::{self, Within};
use crate::types::PgType;

pub(super) fn push(
    aggregate: Aggregate,
    within: Within<'_>,
) -> EngineResult<Transformed<LogicalPlan>> {
    let Some(below) = remote_scan::in_plan(&aggregate.input) else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    let node = LogicalPlan::Aggregate(aggregate.clone());
    let apart = over_apart(&node, below)?;
    let pushed = grouped(below, &aggregate, within)
        .and_then(|select| grown(below, select, &aggregate.schema, apart));
    match pushed {
        Ok(remote) => Ok(Transformed::yes(remote)),
        Err(reason) => noted(node, reason),
    }
}

fn grouped(below: &RemoteScan, aggregate: &Aggregate, within: Within<'_>) -> Outcome<Select> {
    let mut select = below.select().clone().open(within.aliases);
    let items = std::mem::take(&mut select.items);
    let scope = rules::Scope {
        items: &items,
        ..below.scope(within)
    };
    let keys = aggregate
        .group_expr
        .iter()
        .map(|expr| rules::group_key(scope, expr))
        .collect::<Outcome<Vec<_>>>()?;
    if aggregate.schema.fields().len() != keys.len() + aggregate.aggr_expr.len() {
        return Err(Reason::Node {
            kind: "grouping sets".into(),
        });
    }
    select.rows = match keys.is_empty() {
        true => Rows {
            count: 1.0,
            known: true,
        },
        false => estimate::groups(select.rows, &keys),
    };
    let fields = aggregate.schema.fields().iter().skip(keys.len());
    let by = keys.iter().map(|key| key.sql.clone()).collect();
    select.items = keys;
    let mut aggregates = Vec::new();
    for (expr, field) in aggregate.aggr_expr.iter().zip(fields) {
        let Expr::AggregateFunction(call) = unaliased(expr) else {
            return Err(Reason::Node {
                kind: "such an aggregate".into(),
            });
        };
        let (sql, item) = rules::aggregate(scope, call, PgType::of(field))?;
        aggregates.push(sql);
        select.items.push(item);
    }
    select.grouping = Some(Grouping { by, aggregates });
    Ok(select)
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}
