//! Integer literals take the narrowest of int4, int8 and numeric that holds
//! them (section 4.1.2.6 of the manual); the engine makes all of them int8.
//! Where a bare number has a meaning of its own (positions in GROUP BY and
//! ORDER BY, LIMIT, window frames) it stays bare.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArguments, GroupByExpr, LimitClause, OrderByKind, Query,
    Select, Value, WindowFrameBound, WindowType,
};

/// `7` → `7::int4`
pub(super) fn narrow(expr: &mut Expr) {
    if let Expr::Value(value) = expr
        && let Value::Number(digits, false) = &value.value
        && digits.parse::<i32>().is_ok()
    {
        *expr = Expr::Cast {
            kind: CastKind::DoubleColon,
            expr: Box::new(expr.clone()),
            data_type: DataType::Int4(None),
            array: false,
            format: None,
        };
    }
}

fn widen(expr: &mut Expr) {
    if let Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: inner,
        data_type: DataType::Int4(None),
        ..
    } = expr
        && let Expr::Value(value) = inner.as_ref()
        && matches!(value.value, Value::Number(..))
    {
        *expr = inner.as_ref().clone();
    }
}

/// `GROUP BY 1`
pub(super) fn keep_positions_of_select(select: &mut Select) {
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        keys.iter_mut().for_each(widen);
    }
}

/// `ORDER BY 1 LIMIT 10 OFFSET 5`, `FETCH FIRST 3 ROWS`
pub(super) fn keep_positions_of_query(query: &mut Query) {
    if let Some(order) = &mut query.order_by
        && let OrderByKind::Expressions(keys) = &mut order.kind
    {
        keys.iter_mut().for_each(|key| widen(&mut key.expr));
    }
    if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
        limit.iter_mut().for_each(widen);
        offset
            .iter_mut()
            .for_each(|offset| widen(&mut offset.value));
    }
    if let Some(fetch) = &mut query.fetch {
        fetch.quantity.iter_mut().for_each(widen);
    }
}

/// `ROWS BETWEEN 3 PRECEDING AND CURRENT ROW`; the engine wants bare arguments
/// of some functions too, which coerce them themselves.
pub(super) fn keep_bare_in_function(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    if let Some(WindowType::WindowSpec(window)) = &mut function.over
        && let Some(frame) = &mut window.window_frame
    {
        bound(&mut frame.start_bound);
        frame.end_bound.iter_mut().for_each(bound);
    }
    if let FunctionArguments::List(list) = &mut function.args
        && function.over.is_some()
    {
        for argument in &mut list.args {
            if let datafusion::sql::sqlparser::ast::FunctionArg::Unnamed(
                datafusion::sql::sqlparser::ast::FunctionArgExpr::Expr(argument),
            ) = argument
            {
                widen(argument);
            }
        }
    }
}

fn bound(bound: &mut WindowFrameBound) {
    if let WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) = bound
    {
        widen(rows);
    }
}
