//! Subqueries as values. The engine decorrelates them only when they aggregate,
//! so one that does not is made to: `narrows_single_row` gives its argument's
//! one value, NULL for no row, and 21000 for more than one, as Postgres does.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArgumentClause, FunctionArguments, GroupByExpr, OrderByKind, Query,
    SelectItem, SetExpr, Visit, Visitor,
};

use super::{call, last_part};
use crate::error::{Error, Result};

/// `ARRAY(SELECT x FROM …)` → `(SELECT array_agg(x) FROM …)`, empty instead of NULL.
pub(super) fn array_of_subquery(expr: &mut Expr) -> Result<()> {
    let Expr::Function(function) = expr else {
        return Ok(());
    };
    if last_part(&function.name).as_deref() != Some("array") {
        return Ok(());
    }
    let FunctionArguments::Subquery(query) = &function.args else {
        return Ok(());
    };
    let mut query = query.clone();
    let unsupported = || Error::unsupported("this form of ARRAY(subquery) is not supported");
    let order = match query.order_by.take() {
        None => Vec::new(),
        Some(order) => match order.kind {
            OrderByKind::Expressions(keys) => keys,
            OrderByKind::All(_) => return Err(unsupported()),
        },
    };
    let simple = query.limit_clause.is_none() && query.fetch.is_none();
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(unsupported());
    };
    if !simple || select.distinct.is_some() || is_grouped(select) {
        return Err(unsupported());
    }
    let [item] = select.projection.as_mut_slice() else {
        return Err(Error::new(
            crate::error::SqlState::SYNTAX_ERROR,
            "subquery must return only one column",
        ));
    };
    let Some(value) = value_of(item) else {
        return Err(unsupported());
    };
    let mut aggregate = call("array_agg", value);
    if let Expr::Function(aggregate) = &mut aggregate
        && let FunctionArguments::List(list) = &mut aggregate.args
        && !order.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    *item = SelectItem::UnnamedExpr(aggregate);
    *expr = Expr::Subquery(query);
    Ok(())
}

/// A scalar subquery without an aggregate gets one.
pub(super) fn single_row(expr: &mut Expr, is_aggregate: impl Fn(&str) -> bool) {
    let Expr::Subquery(query) = expr else {
        return;
    };
    if query.limit_clause.is_some() || query.fetch.is_some() || query.with.is_some() {
        return;
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    if select.distinct.is_some() || is_grouped(select) || select.from.is_empty() {
        return;
    }
    let [item] = select.projection.as_mut_slice() else {
        return;
    };
    let Some(value) = value_of(item) else {
        return;
    };
    if calls_aggregate(&value, &is_aggregate) {
        return;
    }
    *item = SelectItem::UnnamedExpr(call("narrows_single_row", value));
    query.order_by = None;
}

fn value_of(item: &SelectItem) -> Option<Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.clone())
        }
        _ => None,
    }
}

fn is_grouped(select: &ast::Select) -> bool {
    let keys = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
    };
    keys || select.having.is_some()
}

/// An aggregate or a window function anywhere but in a deeper subquery.
fn calls_aggregate(expr: &Expr, is_aggregate: &impl Fn(&str) -> bool) -> bool {
    struct Search<'a, F> {
        is_aggregate: &'a F,
        depth: usize,
    }

    impl<F: Fn(&str) -> bool> Visitor for Search<'_, F> {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::Function(function) = expr
                && self.depth == 0
                && (function.over.is_some()
                    || last_part(&function.name).is_some_and(|name| (self.is_aggregate)(&name)))
            {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }
    }

    expr.visit(&mut Search {
        is_aggregate,
        depth: 0,
    })
    .is_break()
}
