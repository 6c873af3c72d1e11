//! Tables of Postgres sources, and names given to fragments.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Filter, LogicalPlan, SubqueryAlias, TableScan};

use super::{filter, leaf};
use crate::pushdown::fragment::Select;
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::Within;
use crate::sources::postgres::PostgresTable;

/// A table of a Postgres source becomes a fragment of its own.
pub(super) fn push(scan: TableScan, within: Within<'_>) -> EngineResult<Transformed<LogicalPlan>> {
    let provider = source_as_provider(&scan.source)?;
    let Some(table) = provider.downcast_ref::<PostgresTable>() else {
        return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    };
    let columns = match &scan.projection {
        Some(columns) => columns.clone(),
        None => (0..table.columns().len()).collect(),
    };
    let source = table.source().clone();
    let mut select = Select::of_table(Arc::new(table.clone()), &columns, within.aliases.next());
    if let (Some(fetch), true) = (scan.fetch, scan.filters.is_empty()) {
        select.limit = Some(fetch);
        select.rows = select.rows.at_most(fetch as f64);
    }
    let Ok(remote) = RemoteScan::new(source, select, scan.projected_schema.clone()) else {
        return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    };
    match conjunction(scan.filters) {
        None => Ok(Transformed::yes(leaf(remote))),
        Some(predicate) => {
            filter::push(Filter::try_new(predicate, Arc::new(leaf(remote)))?, within)
        }
    }
}

pub(super) fn push_alias(alias: SubqueryAlias) -> EngineResult<Transformed<LogicalPlan>> {
    let Some(remote) = remote_scan::in_plan(&alias.input) else {
        return Ok(Transformed::no(LogicalPlan::SubqueryAlias(alias)));
    };
    let node = LogicalPlan::SubqueryAlias(alias.clone());
    let apart = super::over_apart(&node, remote)?;
    let remote = remote.clone().with_schema(alias.schema).with_apart(apart);
    Ok(Transformed::yes(leaf(remote)))
}
