//! CASE, and the functions that pick one of their arguments.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{Case, ScalarFunction};

use super::comparison::{Kind, beside, comparable};
use super::{Scope, common_collation, kind_of, predicate, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Value, no_type, type_sql};

pub(super) fn case(scope: Scope<'_>, case: &Case) -> Outcome<Value> {
    let operand = case.expr.as_deref().map(|expr| value(scope, expr));
    let operand = operand.transpose()?;
    let mut sql = String::from("CASE");
    if let Some(operand) = &operand {
        sql.push_str(&format!(" {}", operand.sql));
    }
    let mut results = Vec::new();
    for (when, then) in &case.when_then_expr {
        let when = match &operand {
            None => predicate(scope, when)?,
            Some(operand) => {
                let when = value(scope, when)?;
                comparable(operand, &when, Kind::Equality)?;
                beside(&when, operand).to_string()
            }
        };
        let then = value(scope, then)?;
        sql.push_str(&format!(" WHEN {when} THEN {}", then.sql));
        results.push(then);
    }
    if let Some(other) = &case.else_expr {
        let other = value(scope, other)?;
        sql.push_str(&format!(" ELSE {}", other.sql));
        results.push(other);
    }
    sql.push_str(" END");
    chosen(
        scope,
        &Expr::Case(case.clone()),
        format!("({sql})"),
        &results,
    )
}

/// COALESCE, GREATEST, LEAST, NULLIF.
pub(super) fn choice(scope: Scope<'_>, expr: &Expr, call: &ScalarFunction) -> Outcome<Value> {
    let args = call
        .args
        .iter()
        .map(|arg| value(scope, arg))
        .collect::<Outcome<Vec<_>>>()?;
    let name = call.name();
    let ordered = match name {
        "coalesce" => None,
        "nullif" => Some(Kind::Equality),
        _ => Some(Kind::Order),
    };
    if let (Some(kind), Some(first)) = (ordered, args.first()) {
        for other in &args {
            let order = comparable(first, other, kind)?;
            if !order.is_empty() || other.is(Class::Float) {
                return Err(kind_of(expr));
            }
        }
    }
    let sqls: Vec<&str> = args.iter().map(|arg| arg.sql.as_str()).collect();
    let sql = format!("{}({})", name.to_uppercase(), sqls.join(", "));
    chosen(scope, expr, sql, &args)
}

/// One of several values of one class.
fn chosen(scope: Scope<'_>, expr: &Expr, sql: String, results: &[Value]) -> Outcome<Value> {
    let pg_type = scope.type_of(expr)?;
    let mut class: Option<Class> = None;
    for result in results {
        match (class, result.class()?) {
            (Some(a), Some(b)) if a != b => {
                return Err(Reason::Expression {
                    kind: format!("choice between {a:?} and {b:?}"),
                });
            }
            (None, own) => class = own,
            _ => {}
        }
    }
    let collation = common_collation(results)?;
    let computed = Value::computed(sql, pg_type);
    if class.is_some() && computed.class()? != class {
        return Err(kind_of(expr));
    }
    // what Postgres takes for the common type may be wider
    let fits = results
        .iter()
        .all(|result| result.pg_type.oid == pg_type.oid);
    let computed = match (fits, type_sql(pg_type)) {
        (true, _) => computed,
        (false, Some(name)) => Value::computed(format!("({})::{name}", computed.sql), pg_type),
        (false, None) => return Err(no_type(pg_type)),
    };
    Ok(computed.with_collation(collation))
}
