//! The engine names a cast after what is cast: `sum(x::int)` and `sum(x::float8)`
//! are one column to it, and so are `x::date` and `x::time` in GROUP BY. Where a
//! statement has such a pair, its casts are told apart by a second argument of
//! the call that the analysis takes off again. Called by `normalize`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, Value, Visit, VisitMut, Visitor,
    VisitorMut,
};

use super::cell::CELL;
use super::normalize::call;

/// Rewrites a query's own SELECT, not its subqueries.
pub(super) fn tell_apart(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return;
    };
    if !has_pair(select) {
        return;
    }
    if let Some(order) = &mut query.order_by {
        let _ = VisitMut::visit(order, &mut Marker { depth: 0 });
    }
    if let SetExpr::Select(select) = query.body.as_mut() {
        let mut marker = Marker { depth: 0 };
        let _ = VisitMut::visit(&mut select.projection, &mut marker);
        let _ = VisitMut::visit(&mut select.group_by, &mut marker);
        let _ = VisitMut::visit(&mut select.having, &mut marker);
    }
}

/// Calls and keys that differ by their casts alone.
fn has_pair(select: &Select) -> bool {
    let mut calls = Calls(Vec::new());
    let _ = select.projection.visit(&mut calls);
    let _ = select.having.visit(&mut calls);
    let mut all = calls.0;
    if let GroupByExpr::Expressions(keys, _) = &select.group_by {
        all.extend(keys.iter().map(|key| key_of(key, select)));
    }
    if !all.iter().any(|expr| expr.to_string().contains("::")) && !all.iter().any(has_cast) {
        return false;
    }
    let mut known: HashMap<String, String> = HashMap::new();
    all.iter().any(|expr| {
        let full = expr.to_string();
        let mut bare = expr.clone();
        let _ = VisitMut::visit(&mut bare, &mut Stripper);
        match known.insert(bare.to_string(), full.clone()) {
            Some(other) => other != full,
            None => false,
        }
    })
}

/// A number in GROUP BY is a place in the list.
fn key_of(key: &Expr, select: &Select) -> Expr {
    let place = match key {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    let item = place.and_then(|place| select.projection.get(place.checked_sub(1)?));
    match item {
        Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
            expr.clone()
        }
        _ => key.clone(),
    }
}

fn has_cast(expr: &Expr) -> bool {
    struct Search;
    impl Visitor for Search {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Cast { .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Search).is_break()
}

struct Calls(Vec<Expr>);

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(_)) {
            self.0.push(expr.clone());
        }
        ControlFlow::Continue(())
    }
}

struct Stripper;

impl VisitorMut for Stripper {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: inner, .. } = expr {
            *expr = inner.as_ref().clone();
        }
        ControlFlow::Continue(())
    }
}

struct Marker {
    depth: usize,
}

impl VisitorMut for Marker {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { data_type, .. } = expr
            && self.depth == 0
        {
            let name = ast::Value::SingleQuotedString(data_type.to_string());
            *expr = call(CELL, vec![expr.clone(), Expr::value(name)]);
        }
        ControlFlow::Continue(())
    }
}
