//! Which column of a Postgres source an expression hands on unchanged.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, TableScan};

use crate::sources::Representation;
use crate::sources::postgres::PostgresTable;
use crate::types::sent::{Need, Sent, need};

/// A column whose values the engine does not compare as its source does.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub column: String,
    /// As the source's DDL writes it.
    pub type_name: String,
    pub carried: Carried,
    pub sent: Sent,
    /// An enum's, in its order.
    pub labels: Option<Arc<[String]>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// By an Arrow type that has not all its values.
    Native,
    AsText,
}

/// The column of a source that an expression over `node`'s inputs hands on.
pub(super) fn of_expr(expr: &Expr, node: &LogicalPlan) -> Option<Origin> {
    let column = bare(expr)?;
    node.inputs()
        .into_iter()
        .find_map(|input| of_column(column, input))
}

/// The column of a source that is column `index` of a plan's output.
pub(super) fn of_output(plan: &LogicalPlan, index: usize) -> Option<Origin> {
    match plan {
        LogicalPlan::TableScan(scan) => of_scan(scan, index),
        LogicalPlan::Projection(node) => of_column(bare(node.expr.get(index)?)?, &node.input),
        LogicalPlan::Filter(node) => of_output(&node.input, index),
        LogicalPlan::Sort(node) => of_output(&node.input, index),
        LogicalPlan::Limit(node) => of_output(&node.input, index),
        LogicalPlan::SubqueryAlias(node) => of_output(&node.input, index),
        LogicalPlan::Subquery(node) => of_output(&node.subquery, index),
        LogicalPlan::Distinct(Distinct::All(input)) => of_output(input, index),
        // what it computes comes after its input's columns
        LogicalPlan::Window(node) if index < node.input.schema().fields().len() => {
            of_output(&node.input, index)
        }
        LogicalPlan::Aggregate(node) => of_column(bare(node.group_expr.get(index)?)?, &node.input),
        LogicalPlan::Union(node) => node.inputs.iter().find_map(|input| of_output(input, index)),
        LogicalPlan::Join(node) => {
            let (qualifier, field) = plan.schema().qualified_field(index);
            let column = Column::new(qualifier.cloned(), field.name());
            of_column(&column, &node.left).or_else(|| of_column(&column, &node.right))
        }
        _ => None,
    }
}

fn bare(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => bare(&alias.expr),
        _ => None,
    }
}

fn of_column(column: &Column, plan: &LogicalPlan) -> Option<Origin> {
    of_output(plan, plan.schema().maybe_index_of_column(column)?)
}

fn of_scan(scan: &TableScan, index: usize) -> Option<Origin> {
    let provider = source_as_provider(&scan.source).ok()?;
    let table = provider.downcast_ref::<PostgresTable>()?;
    let index = match &scan.projection {
        Some(columns) => *columns.get(index)?,
        None => index,
    };
    let column = table.columns().get(index)?;
    let sent = column.sent.clone()?;
    let carried = match column.representation {
        Representation::Text { .. } => Carried::AsText,
        Representation::Native if need(sent.pg_type) == Need::Always && sent.has_order_key() => {
            Carried::Native
        }
        Representation::Native => return None,
    };
    Some(Origin {
        column: column.name.clone(),
        type_name: column.remote_type.clone(),
        carried,
        sent,
        labels: column.labels.clone(),
    })
}

/// Has a plan a column that this is about?
pub(super) fn is_in(scan: &TableScan) -> bool {
    (0..scan.projected_schema.fields().len()).any(|index| of_scan(scan, index).is_some())
}
