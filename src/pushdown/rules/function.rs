//! Calls of scalar functions, which by now are of one overload: its name and the
//! types of its arguments say which.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;

use super::{Scope, arithmetic, case, cast, datetime, kind_of, text, value};
use crate::pushdown::outcome::Outcome;
use crate::pushdown::value::{Class, Form, Value};
use crate::sources::postgres::Collation;
use crate::types::PgType;

pub(super) fn call(scope: Scope<'_>, expr: &Expr, call: &ScalarFunction) -> Outcome<Value> {
    let name = call.name();
    match name {
        "coalesce" | "nullif" | "greatest" | "least" => return case::choice(scope, expr, call),
        _ if name.starts_with("cast_to_") => return cast::function(scope, expr, call),
        _ => {}
    }
    let args = call
        .args
        .iter()
        .map(|arg| value(scope, arg))
        .collect::<Outcome<Vec<_>>>()?;
    if let ("->" | "->>", [document, key]) = (name, args.as_slice()) {
        return member(expr, name, document, key);
    }
    let classes = args.iter().map(Value::class).collect::<Outcome<Vec<_>>>()?;
    let dated = classes.iter().flatten().any(|class| {
        matches!(
            class,
            Class::Date | Class::Timestamp | Class::TimestampTz | Class::Interval
        )
    });
    if dated {
        return datetime::call(expr, call, &args);
    }
    match classes.first() {
        Some(Some(Class::Number | Class::Float)) => arithmetic::numbers(expr, call, &args),
        Some(Some(Class::Text)) => text::call(expr, call, &args),
        _ => Err(kind_of(expr)),
    }
}

/// A field or an element of a jsonb.
fn member(expr: &Expr, symbol: &str, document: &Value, key: &Value) -> Outcome<Value> {
    let json = document.pg_type.oid == PgType::JSONB.oid && key.form == Form::Literal;
    let keyed = key.is(Class::Text) || key.pg_type.oid == PgType::INT4.oid;
    if !json || !keyed {
        return Err(kind_of(expr));
    }
    let sql = format!("({} {symbol} {})", document.sql, key.sql);
    Ok(match symbol {
        "->" => Value::computed(sql, PgType::JSONB),
        _ => Value::computed(sql, PgType::TEXT)
            .with_collation(Some(Collation::Deterministic("default".into()))),
    })
}
