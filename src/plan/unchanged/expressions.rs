//! Expressions over inputs of which some columns are as they were sent.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};

use crate::plan::objects;
use crate::sources::postgres::{ordered_by, plain_value};
use crate::types::sent::Sent;

/// The column that an expression hands on, under whatever name.
pub(super) fn bare_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => match objects::printed_at_top(alias) {
            Some(printed) => bare_column(printed),
            None => bare_column(&alias.expr),
        },
        _ => None,
    }
}

/// The same without the function that prints an identifier of an object: the
/// source has sent its name.
pub(super) fn unprinted(expr: &Expr) -> Expr {
    match expr {
        Expr::Alias(alias) => match objects::printed_at_top(alias) {
            Some(printed) => Expr::Alias(Alias {
                expr: Box::new(printed.clone()),
                metadata: None,
                ..alias.clone()
            }),
            None => expr.clone(),
        },
        _ => expr.clone(),
    }
}

pub(super) fn is_sent(column: &Column, schema: &DFSchema) -> bool {
    sent(column, schema).is_some()
}

pub(super) fn is_equal_by_bytes(column: &Column, schema: &DFSchema) -> bool {
    sent(column, schema).is_some_and(|sent| sent.is_equal_by_bytes())
}

fn sent(column: &Column, schema: &DFSchema) -> Option<Sent> {
    let at = schema.maybe_index_of_column(column)?;
    Sent::of(schema.field(at))
}

/// The expression over columns that it can compute with.
pub(super) fn with_plain(expr: Expr, schema: &DFSchema) -> EngineResult<Expr> {
    let function = plain_value();
    let turned = expr.transform_down(|expr| {
        Ok(match expr {
            key if ordered_by(&key)
                .and_then(bare_column)
                .is_some_and(|column| is_sent(column, schema)) =>
            {
                Transformed::new(key, false, TreeNodeRecursion::Jump)
            }
            // the bytes are NULL if the value is
            Expr::IsNull(inner) if matches!(*inner, Expr::Column(_)) => {
                Transformed::new(Expr::IsNull(inner), false, TreeNodeRecursion::Jump)
            }
            Expr::IsNotNull(inner) if matches!(*inner, Expr::Column(_)) => {
                Transformed::new(Expr::IsNotNull(inner), false, TreeNodeRecursion::Jump)
            }
            Expr::Column(column) if is_sent(&column, schema) => {
                let call = function.call(vec![Expr::Column(column)]);
                Transformed::new(call, true, TreeNodeRecursion::Jump)
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(turned.data)
}

/// The same under the name that it had.
pub(super) fn named(expr: &Expr, schema: &DFSchema) -> EngineResult<Expr> {
    let preserver = NamePreserver::new_for_projection();
    let name = preserver.save(expr);
    Ok(name.restore(with_plain(expr.clone(), schema)?))
}

/// The plan with those of its columns turned that `which` is true of.
pub(super) fn plain_output(
    plan: LogicalPlan,
    which: impl Fn(usize, &Sent) -> bool,
) -> EngineResult<LogicalPlan> {
    let schema = plan.schema().clone();
    let columns = schema.columns();
    let turn: Vec<bool> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(index, field)| Sent::of(field).is_some_and(|sent| which(index, &sent)))
        .collect();
    if !turn.contains(&true) {
        return Ok(plan);
    }
    let items = columns
        .into_iter()
        .zip(turn)
        .map(|(column, turn)| match turn {
            true => named(&Expr::Column(column), &schema),
            false => Ok(Expr::Column(column)),
        })
        .collect::<EngineResult<Vec<_>>>()?;
    let projection = Projection::try_new(items, Arc::new(plan))?;
    Ok(LogicalPlan::Projection(projection))
}
