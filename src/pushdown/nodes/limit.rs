//! LIMIT, OFFSET, and ORDER BY … LIMIT.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::logical_plan::Sort;
use datafusion::logical_expr::{FetchType, Limit, LogicalPlan, SkipType};

use super::{grown, noted, over_apart};
use crate::pushdown::fragment::Select;
use crate::pushdown::outcome::Outcome;
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::{self, Within};

/// The source sends the first rows; they are put in order again here, because
/// a scan promises none.
pub(super) fn push_sort(sort: Sort, within: Within<'_>) -> EngineResult<Transformed<LogicalPlan>> {
    let (Some(below), Some(fetch)) = (remote_scan::in_plan(&sort.input), sort.fetch) else {
        return Ok(Transformed::no(LogicalPlan::Sort(sort)));
    };
    let node = LogicalPlan::Sort(sort.clone());
    let apart = over_apart(&node, below)?;
    let pushed = first_rows(below, &sort, fetch, within)
        .and_then(|select| grown(below, select, sort.input.schema(), apart));
    match pushed {
        Ok(remote) => Ok(Transformed::yes(LogicalPlan::Sort(Sort {
            input: Arc::new(remote),
            ..sort
        }))),
        Err(reason) => noted(node, reason),
    }
}

fn first_rows(
    below: &RemoteScan,
    sort: &Sort,
    fetch: usize,
    within: Within<'_>,
) -> Outcome<Select> {
    let mut select = below.select().clone().unlimited(within.aliases);
    let items = select.items.clone();
    let scope = rules::Scope {
        items: &items,
        ..below.scope(within)
    };
    select.order = sort
        .expr
        .iter()
        .map(|key| rules::sort_key(scope, key))
        .collect::<Outcome<Vec<_>>>()?;
    select.limit = Some(fetch);
    select.rows = select.rows.at_most(fetch as f64);
    Ok(select)
}

/// `LIMIT n OFFSET m`: of rows that are limited already, those further on.
pub(super) fn push(limit: Limit) -> EngineResult<Transformed<LogicalPlan>> {
    let (skip, fetch) = match (limit.get_skip_type()?, limit.get_fetch_type()?) {
        (SkipType::Literal(skip), FetchType::Literal(fetch)) => (skip, fetch),
        _ => return Ok(Transformed::no(LogicalPlan::Limit(limit))),
    };
    let Some(below) = remote_scan::in_plan(&limit.input) else {
        return Ok(Transformed::no(LogicalPlan::Limit(limit)));
    };
    let mut select = below.select().clone();
    let left = select.limit.map(|limit| limit.saturating_sub(skip));
    select.limit = match (left, fetch) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    select.offset = select.offset.saturating_add(skip);
    if let Some(fetch) = select.limit {
        select.rows = select.rows.at_most(fetch as f64);
    }
    let node = LogicalPlan::Limit(limit.clone());
    let apart = over_apart(&node, below)?;
    match grown(below, select, limit.input.schema(), apart) {
        Ok(remote) => Ok(Transformed::yes(remote)),
        Err(reason) => noted(node, reason),
    }
}
