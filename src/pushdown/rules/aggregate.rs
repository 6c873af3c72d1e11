//! count, sum, avg, min, max, bool_and, bool_or, the deviations, with DISTINCT
//! and FILTER. Sums come in the type that the engine gives them.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::scalar::ScalarValue;

use super::cast::without_widening;
use super::order::{equal, in_byte_order};
use super::{Scope, predicate, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Value};
use crate::types::PgType;

/// The aggregate's own text, and the value made of it, of type `to`.
pub(in crate::pushdown) fn aggregate(
    scope: Scope<'_>,
    call: &AggregateFunction,
    to: PgType,
) -> Outcome<(String, Value)> {
    let params = &call.params;
    let kept = || Reason::Function {
        name: call.func.name().to_string(),
    };
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(kept());
    }
    let item = applied(scope, call.func.name(), &params.args, params.distinct)?;
    let mut sql = item.sql.clone();
    if let Some(filter) = &params.filter {
        sql.push_str(&format!(" FILTER (WHERE {})", predicate(scope, filter)?));
    }
    let item = Value {
        sql: sql.clone(),
        ..item
    };
    Ok((sql, item.cast(to)?))
}

/// The aggregate applied to its arguments, of the source's own type.
pub(super) fn call(scope: Scope<'_>, name: &str, args: &[Expr]) -> Outcome<Value> {
    applied(scope, name, args, false)
}

fn applied(scope: Scope<'_>, name: &str, args: &[Expr], distinct: bool) -> Outcome<Value> {
    let kept = || Reason::Function {
        name: name.to_string(),
    };
    let [argument] = args else {
        return Err(kept());
    };
    if name == "count" && !distinct && is_constant(argument) {
        return Ok(Value::computed("count(*)".to_string(), PgType::INT8));
    }
    let argument = value(scope, without_widening(scope, argument))?;
    let (function, collate, result) = own(name, &argument).ok_or_else(kept)??;
    if distinct {
        equal(&argument)?;
    }
    let distinct = if distinct { "DISTINCT " } else { "" };
    let sql = format!("{function}({distinct}{}{collate})", argument.sql);
    let collation = argument.collation;
    let collation = collation.filter(|_| result.oid != PgType::INT8.oid);
    Ok(Value::computed(sql, result).with_collation(collation))
}

/// The source's function, the order it needs, and its type.
fn own(name: &str, argument: &Value) -> Option<Outcome<(&'static str, &'static str, PgType)>> {
    let oid = argument.pg_type.oid;
    if name == "count" {
        return Some(Ok(("count", "", PgType::INT8)));
    }
    let class = match argument.class() {
        Ok(class) => class?,
        Err(reason) => return Some(Err(reason)),
    };
    let plain = |function, pg_type| Some(Ok((function, "", pg_type)));
    match (name, class) {
        ("sum", Class::Number) => plain(
            "sum",
            match oid {
                21 | 23 => PgType::INT8,
                _ => PgType::NUMERIC,
            },
        ),
        ("sum", Class::Float) => plain("sum", argument.pg_type),
        ("avg", Class::Float) => plain("avg", PgType::FLOAT8),
        ("stddev" | "stddev_samp", Class::Float) => plain("stddev_samp", PgType::FLOAT8),
        ("stddev_pop", Class::Float) => plain("stddev_pop", PgType::FLOAT8),
        ("var" | "var_samp", Class::Float) => plain("var_samp", PgType::FLOAT8),
        ("var_pop" | "var_population", Class::Float) => plain("var_pop", PgType::FLOAT8),
        ("bool_and", Class::Bool) => plain("bool_and", PgType::BOOL),
        ("bool_or", Class::Bool) => plain("bool_or", PgType::BOOL),
        (
            "min" | "max",
            Class::Number
            | Class::Date
            | Class::Time
            | Class::Timestamp
            | Class::TimestampTz
            | Class::Text,
        ) => {
            let function = if name == "min" { "min" } else { "max" };
            let result = match oid {
                1043 => PgType::TEXT,
                _ => PgType::new(oid, -1),
            };
            Some(in_byte_order(argument).map(|collate| (function, collate, result)))
        }
        _ => None,
    }
}

/// `count(1)` counts rows.
fn is_constant(argument: &Expr) -> bool {
    matches!(argument, Expr::Literal(value, _)
        if !value.is_null() && !matches!(value, ScalarValue::Null))
}
