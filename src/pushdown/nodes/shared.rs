//! What a statement names more than once, where one source runs all of the
//! statement: a WITH query there.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Extension, LogicalPlan};

use super::{grown, noted};
use crate::pushdown::fragment::{From, Select};
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::Within;
use crate::pushdown::shared::{self, Shared};

pub(super) fn push(
    extension: Extension,
    within: Within<'_>,
) -> EngineResult<Transformed<LogicalPlan>> {
    let node = LogicalPlan::Extension(extension);
    let Some((named, below)) = shared::in_plan(&node)
        .and_then(|named| Some((named, remote_scan::in_plan(named.input())?)))
    else {
        return Ok(Transformed::no(node));
    };
    let Some(select) = once(named, below, within) else {
        return Ok(Transformed::no(node));
    };
    match grown(below, select, below.schema_ref(), None) {
        Ok(remote) => Ok(Transformed::yes(remote)),
        Err(reason) => noted(node.clone(), reason),
    }
}

/// `None`: where several sources work, each place asks for itself, or it is
/// computed here.
fn once(named: &Shared, below: &RemoteScan, within: Within<'_>) -> Option<Select> {
    let queries = within.queries?;
    let query = below.select();
    let columns = queries.add(named.id(), query);
    let alias = within.aliases.next();
    // of the one that stands in WITH: the same columns, in the same order
    let items = columns.iter().enumerate();
    let items = items.map(|(at, item)| item.nested(alias, at)).collect();
    let from = From::Named {
        query: named.id(),
        alias,
    };
    Some(Select::of(from, items, query.rows))
}
