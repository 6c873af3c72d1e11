//! The conjuncts of a filter over a fragment go into it one by one.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Filter, LogicalPlan};

use super::{grown, leaf, over_apart, plain};
use crate::pushdown::estimate;
use crate::pushdown::outcome::Kept;
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::{self, Within};

pub(super) fn push(filter: Filter, within: Within<'_>) -> EngineResult<Transformed<LogicalPlan>> {
    let Some(below) = remote_scan::in_plan(&filter.input) else {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    };
    // a filter above a limit must not sink below it
    let mut select = below.select().clone().unlimited(within.aliases);
    let items = select.items.clone();
    let scope = rules::Scope {
        items: &items,
        ..below.scope(within)
    };
    let (mut pushed, mut kept, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for conjunct in split_conjunction_owned(filter.predicate.clone()) {
        match rules::predicate(scope, &conjunct) {
            Ok(sql) => {
                let part = estimate::selectivity(scope, &conjunct);
                select.rows = select.rows.times(part);
                select.filter(sql);
                pushed.push(conjunct);
            }
            Err(reason) => {
                reasons.push(Kept {
                    expression: plain(&conjunct.human_display().to_string()),
                    reason,
                });
                kept.push(conjunct);
            }
        }
    }
    let all_reasons = || {
        below
            .kept()
            .iter()
            .cloned()
            .chain(reasons.clone())
            .collect()
    };
    let Some(pushed) = conjunction(pushed) else {
        let below = leaf(below.clone().with_kept(all_reasons()));
        let filter = Filter::try_new(filter.predicate, Arc::new(below))?;
        return Ok(Transformed::yes(LogicalPlan::Filter(filter)));
    };
    let part = LogicalPlan::Filter(Filter::try_new(pushed, filter.input.clone())?);
    let apart = over_apart(&part, below)?;
    let Ok(remote) = grown(below, select, filter.input.schema(), apart) else {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    };
    let remote = match remote_scan::in_plan(&remote) {
        Some(remote) => leaf(RemoteScan::clone(remote).with_kept(all_reasons())),
        None => remote,
    };
    Ok(Transformed::yes(match conjunction(kept) {
        Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(remote))?),
        None => remote,
    }))
}
