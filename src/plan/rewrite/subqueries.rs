//! Subqueries as values. The engine decorrelates them only when they aggregate,
//! so one that does not is made to: `narrows_only((SELECT narrows_collect(x) …))`
//! gives x of the one row, NULL for no row, and 21000 for more than one, as
//! Postgres does (section 4.2.11 of the manual).

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, GroupByExpr, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax,
    LimitClause, OneOrManyWithParens, OrderByKind, Query, SelectItem, SetExpr, TableFactor, Value,
    Visit, Visitor,
};

use super::super::columns::folded;
use super::{call, call_count, call_with, correlation, last_part, same_names, set_returning};
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
    let mut order = match query.order_by.take().map(|order| order.kind) {
        None => Vec::new(),
        Some(OrderByKind::Expressions(keys)) => keys,
        Some(OrderByKind::All(_)) => return Err(unsupported()),
    };
    if !is_plain(&query) {
        query = collected(*query, &mut order)
            .ok_or_else(unsupported)?
            .into();
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(unsupported());
    };
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
    // the aggregate of no rows is NULL, the array of no rows is empty
    *expr = call_with(
        "coalesce",
        vec![Expr::Subquery(query), call_with("make_array", Vec::new())],
    );
    Ok(())
}

/// May its one column be aggregated where it stands?
fn is_plain(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.with.is_none()
        && select.distinct.is_none()
        && !is_grouped(select)
        && !select
            .projection
            .iter()
            .any(|item| value_of(item).is_some_and(|value| set_returning::has_set(&value)))
}

/// `SELECT item FROM (query) AS items (item)`, in the order of its one column;
/// `None` where it is ordered otherwise.
fn collected(mut query: Query, order: &mut [ast::OrderByExpr]) -> Option<Query> {
    let column = Ident::with_quote('"', "item");
    if !order.is_empty() {
        query.order_by = Some(ast::OrderBy {
            kind: OrderByKind::Expressions(order.to_vec()),
            interpolate: None,
        });
    }
    if let SetExpr::Select(select) = query.body.as_mut() {
        let [item] = select.projection.as_mut_slice() else {
            return None;
        };
        let value = value_of(item)?;
        let own = match item {
            SelectItem::ExprWithAlias { alias, .. } => folded(alias),
            _ => String::new(),
        };
        for key in order.iter_mut() {
            let first = matches!(&key.expr, Expr::Value(one) if one.to_string() == "1");
            let named = matches!(&key.expr, Expr::Identifier(name) if folded(name) == own);
            if !first && !named && key.expr != value {
                return None;
            }
            key.expr = Expr::Identifier(column.clone());
        }
    } else if !order.is_empty() {
        return None;
    }
    let rows = TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(ast::TableAlias {
            explicit: true,
            name: Ident::new("items"),
            columns: vec![ast::TableAliasColumnDef::from_name("item")],
            at: None,
        }),
        sample: None,
    };
    let item = SelectItem::UnnamedExpr(Expr::Identifier(column));
    Some(set_returning::query_of(vec![item], Some(rows)))
}

/// Rewrites such an array before its FROM is.
pub(super) fn array_of_elements(expr: &mut Expr) {
    if let Expr::Function(function) = expr
        && last_part(&function.name).as_deref() == Some("array")
        && let FunctionArguments::Subquery(query) = &function.args
        && let Some(transformed) = transformed_array(query)
    {
        *expr = transformed;
    }
}

/// `ARRAY(SELECT f(x) FROM unnest(a) x)` is `a` with `f` applied to each element,
/// which needs no subquery over the outer row.
fn transformed_array(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let ([item], [from]) = (select.projection.as_slice(), select.from.as_slice()) else {
        return None;
    };
    let plain = select.selection.is_none()
        && select.distinct.is_none()
        && !is_grouped(select)
        && from.joins.is_empty()
        && query.order_by.is_none()
        && query.limit_clause.is_none();
    let TableFactor::Table {
        name,
        args: Some(arguments),
        alias: Some(alias),
        ..
    } = &from.relation
    else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] = arguments.args.as_slice() else {
        return None;
    };
    if !plain || last_part(name).as_deref() != Some("unnest") || !alias.columns.is_empty() {
        return None;
    }
    let element = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter {
            name: alias.name.clone(),
            data_type: None,
        }),
        body: Box::new(value_of(item)?),
        syntax: LambdaSyntax::Arrow,
    });
    let elements = call_with("array_transform", vec![array.clone(), element]);
    Some(call_with(
        "coalesce",
        vec![elements, call_with("make_array", Vec::new())],
    ))
}

/// `EXISTS (SELECT …)` as a value → `(SELECT count(*) FROM …) > 0`.
pub(super) fn count_existing(expr: &mut Expr) {
    let Expr::Exists { subquery, negated } = expr else {
        return;
    };
    let mut query = subquery.clone();
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    if is_grouped(select) || query.limit_clause.is_some() || query.fetch.is_some() {
        return;
    }
    select.distinct = None;
    select.projection = vec![SelectItem::UnnamedExpr(call_count())];
    query.order_by = None;
    *expr = Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(Expr::Subquery(query)),
        op: if *negated {
            BinaryOperator::Eq
        } else {
            BinaryOperator::Gt
        },
        right: Box::new(Expr::Value(Value::Number("0".into(), false).into())),
    }));
}

/// `(SELECT x … ORDER BY o LIMIT 1)` → `(SELECT first_value(x ORDER BY o) …)`
pub(super) fn first_row(expr: &mut Expr, is_aggregate: impl Fn(&str) -> bool) {
    let Expr::Subquery(query) = expr else {
        return;
    };
    let one = matches!(
        &query.limit_clause,
        Some(LimitClause::LimitOffset { limit: Some(Expr::Value(limit)), offset: None, .. })
            if matches!(&limit.value, Value::Number(digits, _) if digits == "1")
    );
    if !one || query.with.is_some() || query.fetch.is_some() {
        return;
    }
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        None => Vec::new(),
        Some(OrderByKind::Expressions(keys)) => keys.clone(),
        Some(OrderByKind::All(_)) => return,
    };
    let positional = order.iter().any(|key| matches!(key.expr, Expr::Value(_)));
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    if positional || select.distinct.is_some() || is_grouped(select) || select.from.is_empty() {
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
    let mut first = call("first_value", value);
    if let Expr::Function(function) = &mut first
        && let FunctionArguments::List(list) = &mut function.args
        && !order.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    *item = SelectItem::UnnamedExpr(first);
    query.order_by = None;
    query.limit_clause = None;
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
    *item = SelectItem::UnnamedExpr(call("narrows_collect", value));
    query.order_by = None;
    same_names::separate(query);
    let mut subquery = Expr::Subquery(query.clone());
    correlation::simplify(&mut subquery);
    *expr = call("narrows_only", subquery);
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
