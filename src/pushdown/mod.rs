//! Moves work of an optimized plan into the Postgres sources that own it. Every
//! rule answers `Pushed` or `Kept(reason)`; what is kept runs here, and EXPLAIN
//! says why. Called between the logical optimizer and the physical planner;
//! does no IO.

mod estimate;
mod literal;
mod outcome;
mod remote_scan;
mod remote_sql;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, Extension, FetchType, Filter, Limit, LogicalPlan, Projection, SkipType, TableScan,
};

use crate::error::{Error, Result};
use crate::sources::postgres::PostgresTable;

pub use outcome::{Kept, Outcome, Reason};
pub use remote_scan::RemoteScan;

/// What `narrows.pushdown` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sources send whole columns; everything else runs here.
    Off,
    /// Push what is proven, keep the rest.
    Prefer,
    /// Refuse, with reasons, a statement that would not be fully pushed.
    Require,
}

impl Mode {
    pub fn from_setting(text: Option<&str>) -> Mode {
        match text {
            Some("off") => Mode::Off,
            Some("require") => Mode::Require,
            _ => Mode::Prefer,
        }
    }
}

/// Replaces what Postgres sources can run by `RemoteScan` leaves.
pub fn push(plan: LogicalPlan, mode: Mode) -> Result<LogicalPlan> {
    if mode == Mode::Off {
        return Ok(plan);
    }
    let pushed = plan.transform_up_with_subqueries(push_node)?.data;
    if mode == Mode::Require {
        require_all_pushed(&pushed)?;
    }
    Ok(pushed)
}

fn push_node(node: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::TableScan(scan) => push_scan(scan),
        LogicalPlan::Filter(filter) => push_filter(filter),
        LogicalPlan::Limit(limit) => push_limit(limit),
        LogicalPlan::Projection(projection) => push_projection(projection),
        other => Ok(Transformed::no(other)),
    }
}

/// A table of a Postgres source becomes a fragment of its own.
fn push_scan(scan: TableScan) -> EngineResult<Transformed<LogicalPlan>> {
    let provider = source_as_provider(&scan.source)?;
    let Some(table) = provider.downcast_ref::<PostgresTable>() else {
        return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    };
    let mut remote = RemoteScan::new(Arc::new(table.clone()), &scan);
    let kept = remote.push_filters(scan.filters);
    if let Some(fetch) = scan.fetch {
        remote.push_limit(fetch);
    }
    Ok(Transformed::yes(with_kept(remote, kept)?))
}

/// The conjuncts of a filter over a fragment go into it one by one.
fn push_filter(filter: Filter) -> EngineResult<Transformed<LogicalPlan>> {
    let Some(remote) = remote_scan::in_plan(&filter.input).filter(|remote| !remote.is_limited())
    else {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    };
    let mut remote = remote.clone();
    let kept = remote.push_filters(split_conjunction_owned(filter.predicate));
    Ok(Transformed::yes(with_kept(remote, kept)?))
}

/// `LIMIT n OFFSET m` over a fragment: the source sends n + m rows at most.
fn push_limit(limit: Limit) -> EngineResult<Transformed<LogicalPlan>> {
    let bound = match (limit.get_skip_type()?, limit.get_fetch_type()?) {
        (SkipType::Literal(skip), FetchType::Literal(Some(fetch))) => skip.checked_add(fetch),
        _ => None,
    };
    let (Some(bound), Some(remote)) = (bound, remote_scan::in_plan(&limit.input)) else {
        return Ok(Transformed::no(LogicalPlan::Limit(limit)));
    };
    let mut remote = remote.clone();
    remote.push_limit(bound);
    let limit = Limit {
        input: Arc::new(remote_node(remote)),
        ..limit
    };
    Ok(Transformed::yes(LogicalPlan::Limit(limit)))
}

/// Columns that only a pushed filter needed are not sent.
fn push_projection(projection: Projection) -> EngineResult<Transformed<LogicalPlan>> {
    let mut needed: HashSet<Column> = HashSet::new();
    for expr in &projection.expr {
        needed.extend(expr.column_refs().into_iter().cloned());
    }
    let input = match projection.input.as_ref() {
        LogicalPlan::Filter(filter) => {
            needed.extend(filter.predicate.column_refs().into_iter().cloned());
            match narrowed(&filter.input, &needed)? {
                Some(input) => {
                    LogicalPlan::Filter(Filter::try_new(filter.predicate.clone(), Arc::new(input))?)
                }
                None => return Ok(Transformed::no(LogicalPlan::Projection(projection))),
            }
        }
        other => match narrowed(other, &needed)? {
            Some(input) => input,
            None => return Ok(Transformed::no(LogicalPlan::Projection(projection))),
        },
    };
    let narrow = Projection::try_new(projection.expr, Arc::new(input))?;
    Ok(Transformed::yes(LogicalPlan::Projection(narrow)))
}

/// The fragment that `plan` is, without the columns that are not needed.
fn narrowed(plan: &LogicalPlan, needed: &HashSet<Column>) -> EngineResult<Option<LogicalPlan>> {
    let Some(remote) = remote_scan::in_plan(plan) else {
        return Ok(None);
    };
    let mut remote = remote.clone();
    Ok(remote.narrow(needed)?.then(|| remote_node(remote)))
}

fn remote_node(remote: RemoteScan) -> LogicalPlan {
    LogicalPlan::Extension(Extension {
        node: Arc::new(remote),
    })
}

fn with_kept(remote: RemoteScan, kept: Vec<Expr>) -> EngineResult<LogicalPlan> {
    let node = remote_node(remote);
    match conjunction(kept) {
        Some(predicate) => Ok(LogicalPlan::Filter(Filter::try_new(
            predicate,
            Arc::new(node),
        )?)),
        None => Ok(node),
    }
}

fn require_all_pushed(plan: &LogicalPlan) -> Result<()> {
    let mut reasons = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let Some(remote) = remote_scan::in_plan(node) {
            reasons.extend(remote.kept().iter().map(ToString::to_string));
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported(
        "the statement would not be fully pushed to its source, and narrows.pushdown is \"require\"",
    )
    .with_detail(reasons.join("; ")))
}
