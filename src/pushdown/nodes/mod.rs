//! The plan's nodes, one kind a file: each over a fragment goes into it, or
//! stays with a note on the fragment that says why.

mod aggregate;
mod filter;
mod join;
mod limit;
mod project;
mod scan;
mod shared;
mod union;
mod window;

use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::fragment::{Aliases, Select};
use super::outcome::{Kept, Outcome, Reason};
use super::remote_scan::{self, Apart, RemoteScan};
use super::rules::Within;

pub(super) fn push(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let aliases = Aliases::default();
    let within = Within::statement(&aliases);
    let pushed = plan
        .transform_up_with_subqueries(|node| push_node(node, within))?
        .data;
    let settled = pushed.transform_down_with_subqueries(settle)?;
    Ok(settled.data)
}

/// Subqueries are left to the expressions that they are in.
pub(super) fn push_within(plan: LogicalPlan, within: Within<'_>) -> EngineResult<LogicalPlan> {
    let pushed = plan.transform_up(|node| push_node(node, within))?;
    Ok(pushed.data)
}

fn push_node(node: LogicalPlan, within: Within<'_>) -> EngineResult<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::TableScan(scan) => scan::push(scan, within),
        LogicalPlan::SubqueryAlias(alias) => scan::push_alias(alias),
        LogicalPlan::Filter(filter) => filter::push(filter, within),
        LogicalPlan::Projection(projection) => project::push(projection, within),
        LogicalPlan::Aggregate(aggregate) => aggregate::push(aggregate, within),
        LogicalPlan::Sort(sort) => limit::push_sort(sort, within),
        LogicalPlan::Limit(limit) => limit::push(limit),
        LogicalPlan::Join(join) => join::push(join, within),
        LogicalPlan::Union(union) => union::push(union, within),
        LogicalPlan::Window(window) => window::push(window, within),
        LogicalPlan::Extension(extension) => shared::push(extension, within),
        other => Ok(Transformed::no(other)),
    }
}

/// Where joined rows would be more than the joined tables', the join runs here.
fn settle(node: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
    let Some(remote) = remote_scan::in_plan(&node) else {
        return Ok(Transformed::no(node));
    };
    match remote.apart() {
        Some(apart) if remote.multiplies() => {
            let reason = Reason::MoreRows {
                together: remote.select().rows.count.ceil() as u64,
                apart: apart.rows.ceil() as u64,
            };
            let plan = apart.plan.as_ref().clone();
            Ok(Transformed::yes(with_note(plan, "join", &reason)?))
        }
        _ => Ok(Transformed::no(node)),
    }
}

pub(super) fn leaf(remote: RemoteScan) -> LogicalPlan {
    LogicalPlan::Extension(Extension {
        node: Arc::new(remote),
    })
}

/// The fragment below a node, grown by that node.
fn grown(
    below: &RemoteScan,
    select: Select,
    schema: &DFSchemaRef,
    apart: Option<Apart>,
) -> Outcome<LogicalPlan> {
    let remote = RemoteScan::new(below.source().clone(), select, schema.clone())?;
    Ok(leaf(
        remote.with_kept(below.kept().to_vec()).with_apart(apart),
    ))
}

/// The node over the alternative of its input.
fn over_apart(node: &LogicalPlan, below: &RemoteScan) -> EngineResult<Option<Apart>> {
    let Some(apart) = below.apart() else {
        return Ok(None);
    };
    let inputs = vec![apart.plan.as_ref().clone()];
    let plan = node.with_new_exprs(node.expressions(), inputs)?;
    Ok(Some(Apart {
        plan: Arc::new(plan),
        rows: apart.rows,
    }))
}

/// The node as it is, with the reason noted on the fragments below it.
fn noted(node: LogicalPlan, reason: Reason) -> EngineResult<Transformed<LogicalPlan>> {
    let what = match &node {
        LogicalPlan::Join(join) => format!("{} join", join.join_type),
        other => plain(&other.display().to_string()),
    };
    let inputs = node.inputs();
    if inputs
        .iter()
        .all(|input| remote_scan::in_plan(input).is_none())
    {
        return Ok(Transformed::no(node));
    }
    let mut noted = false;
    let node = node.map_children(|input| {
        Ok(match remote_scan::in_plan(&input) {
            Some(remote) if !noted => {
                noted = true;
                let mut remote = remote.clone();
                remote.note(Kept {
                    expression: what.clone(),
                    reason: reason.clone(),
                });
                Transformed::yes(leaf(remote))
            }
            _ => Transformed::no(input),
        })
    })?;
    Ok(Transformed::yes(node.data))
}

/// The plan with a note on its first fragment.
fn with_note(plan: LogicalPlan, what: &str, reason: &Reason) -> EngineResult<LogicalPlan> {
    let mut noted = false;
    let plan = plan.transform_down(|node| {
        Ok(match remote_scan::in_plan(&node) {
            Some(remote) if !noted => {
                noted = true;
                let mut remote = remote.clone();
                remote.note(Kept {
                    expression: what.to_string(),
                    reason: reason.clone(),
                });
                Transformed::yes(leaf(remote))
            }
            _ => Transformed::no(node),
        })
    })?;
    Ok(plan.data)
}

/// The engine writes a type's metadata into casts and literals: `Utf8View<{…}>`,
/// `FieldMetadata { inner: {…} }`.
fn plain(text: &str) -> String {
    let text = without(text, "<{", "}>");
    without(&text, " FieldMetadata { inner: {", "} }")
}

fn without(text: &str, open: &str, close: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        plain.push_str(before);
        rest = after.split_once(close).map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}
