//! Subqueries as parts of expressions, where they are fragments of the same source.
//! What they say of the rows around them they say of those rows' own columns.

use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::logical_plan::Subquery;

use super::cast::without_widening;
use super::comparison::{Kind, comparable};
use super::{Scope, Within, kind_of, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::value::{Form, Value};
use crate::pushdown::{nodes, remote_sql};

/// `(SELECT x …)` as a value.
pub(super) fn scalar(scope: Scope<'_>, subquery: &Subquery) -> Outcome<Value> {
    let kept = || kind_of(&Expr::ScalarSubquery(subquery.clone()));
    let remote = fragment(scope, subquery).ok_or_else(kept)?;
    let [item] = remote.select().items.as_slice() else {
        return Err(kept());
    };
    Ok(Value {
        sql: format!("({})", remote_sql::subquery(remote.select())),
        bare: None,
        form: Form::Computed,
        distinct: Some(1.0),
        origin: None,
        ..item.clone()
    })
}

pub(super) fn exists(scope: Scope<'_>, exists: &Exists) -> Outcome<Value> {
    let kept = || kind_of(&Expr::Exists(exists.clone()));
    let remote = fragment(scope, &exists.subquery).ok_or_else(kept)?;
    let not = if exists.negated { "NOT " } else { "" };
    let rows = remote_sql::existing(remote.select());
    Ok(Value::condition(format!("({not}EXISTS ({rows}))")))
}

pub(super) fn in_subquery(scope: Scope<'_>, list: &InSubquery) -> Outcome<Value> {
    let kept = || kind_of(&Expr::InSubquery(list.clone()));
    let tested = value(scope, without_widening(scope, &list.expr))?;
    let remote = fragment(scope, &list.subquery).ok_or_else(kept)?;
    let [item] = remote.select().items.as_slice() else {
        return Err(kept());
    };
    comparable(&tested, item, Kind::Equality)?;
    let not = if list.negated { "NOT " } else { "" };
    let (tested, rows) = (&tested.sql, remote_sql::subquery(remote.select()));
    Ok(Value::condition(format!("({tested} {not}IN ({rows}))")))
}

/// A column of the rows around a subquery: of the nearest that have it.
pub(super) fn outer(scope: Scope<'_>, column: &Column) -> Outcome<Value> {
    let mut around = scope.within.outer;
    while let Some(scope) = around {
        if let Some(value) = scope.column(column) {
            match value.form {
                Form::Column => return Ok(value.clone()),
                // an aggregate there would be the subquery's own here
                _ => break,
            }
        }
        around = scope.within.outer;
    }
    Err(Reason::Expression {
        kind: format!("outer column {}", column.name),
    })
}

fn fragment(scope: Scope<'_>, subquery: &Subquery) -> Option<RemoteScan> {
    let plan = subquery.subquery.as_ref();
    let remote = match remote_scan::in_plan(plan) {
        Some(remote) => remote.clone(),
        None => {
            let within = Within {
                outer: Some(&scope),
                ..scope.within
            };
            let pushed = nodes::push_within(plan.clone(), within).ok()?;
            remote_scan::in_plan(&pushed)?.clone()
        }
    };
    (remote.source_name() == scope.source).then_some(remote)
}
