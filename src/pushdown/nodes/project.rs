//! Projections: expressions become the fragment's items, or the fragment sends
//! no more columns than they need.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Filter, LogicalPlan, Projection};

use super::{grown, leaf, noted, over_apart};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::{self, Within};
use crate::pushdown::value::Value;

/// Expressions written out into each other must not grow without bounds.
const LONGEST: usize = 100_000;

pub(super) fn push(
    projection: Projection,
    within: Within<'_>,
) -> EngineResult<Transformed<LogicalPlan>> {
    let Some(below) = remote_scan::in_plan(&projection.input) else {
        return narrow(projection, None);
    };
    let items = match items(below, &projection, within) {
        Ok(items) => items,
        Err(reason) => return narrow(projection, Some(reason)),
    };
    let mut select = below.select().clone();
    select.items = items;
    let schema = projection.schema.clone();
    let node = LogicalPlan::Projection(projection.clone());
    let apart = over_apart(&node, below)?;
    match grown(below, select, &schema, apart) {
        Ok(remote) => Ok(Transformed::yes(remote)),
        Err(reason) => narrow(projection, Some(reason)),
    }
}

fn items(below: &RemoteScan, projection: &Projection, within: Within<'_>) -> Outcome<Vec<Value>> {
    let items = projection
        .expr
        .iter()
        .map(|expr| rules::value(below.scope(within), expr))
        .collect::<Outcome<Vec<_>>>()?;
    match items.iter().map(|item| item.sql.len()).sum::<usize>() {
        ..=LONGEST => Ok(items),
        _ => Err(Reason::Expression {
            kind: "so long an expression".into(),
        }),
    }
}

/// Columns that only a pushed filter needed are not sent.
fn narrow(
    projection: Projection,
    reason: Option<Reason>,
) -> EngineResult<Transformed<LogicalPlan>> {
    let mut needed: HashSet<Column> = HashSet::new();
    for expr in &projection.expr {
        needed.extend(expr.column_refs().into_iter().cloned());
    }
    let input = match projection.input.as_ref() {
        LogicalPlan::Filter(filter) => {
            needed.extend(filter.predicate.column_refs().into_iter().cloned());
            match narrowed(&filter.input, &needed)? {
                Some(input) => {
                    let predicate = filter.predicate.clone();
                    Some(LogicalPlan::Filter(Filter::try_new(
                        predicate,
                        Arc::new(input),
                    )?))
                }
                None => None,
            }
        }
        other => narrowed(other, &needed)?,
    };
    let changed = input.is_some();
    let input = input.map_or(projection.input, Arc::new);
    let node = LogicalPlan::Projection(Projection::try_new_with_schema(
        projection.expr,
        input,
        projection.schema,
    )?);
    match reason {
        Some(reason) => noted(node, reason),
        None if changed => Ok(Transformed::yes(node)),
        None => Ok(Transformed::no(node)),
    }
}

/// The fragment that `plan` is, without the columns that are not needed.
fn narrowed(plan: &LogicalPlan, needed: &HashSet<Column>) -> EngineResult<Option<LogicalPlan>> {
    match remote_scan::in_plan(plan) {
        Some(remote) if remote.apart().is_none() => Ok(remote.narrowed(needed)?.map(leaf)),
        _ => Ok(None),
    }
}
