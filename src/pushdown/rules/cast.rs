//! Casts whose values are Postgres's own, and the widening ones that comparisons
//! do without: Postgres compares integers and numerics of any width exactly.

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};

use super::{Scope, kind_of, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Value, type_sql};
use crate::types::PgType;

/// The operand of casts that change no number and no text.
pub(super) fn without_widening<'a>(scope: Scope<'_>, expr: &'a Expr) -> &'a Expr {
    let Expr::Cast(cast) = expr else {
        return expr;
    };
    let (Ok(from), Ok(own)) = (scope.arrow_type(&cast.expr), scope.type_of(&cast.expr)) else {
        return expr;
    };
    // char(n) compares otherwise than text
    let padded = own.oid == PgType::BPCHAR.oid;
    match keeps_value(&from, cast.field.data_type()) && !padded {
        true => without_widening(scope, &cast.expr),
        false => expr,
    }
}

/// The engine's own cast.
pub(super) fn cast(scope: Scope<'_>, cast: &Cast) -> Outcome<Value> {
    let expr = Expr::Cast(cast.clone());
    let to = scope.type_of(&expr)?;
    let (from, target) = (scope.arrow_type(&cast.expr)?, cast.field.data_type());
    let inner = value(scope, &cast.expr)?;
    let kept = || {
        Err(Reason::Expression {
            kind: format!("cast to {target}"),
        })
    };
    let Ok(class) = inner.class() else {
        // the same value, whose type is written down
        return match from == *target && inner.pg_type.oid == to.oid {
            true => Ok(inner),
            false => kept(),
        };
    };
    let Some(class) = class else {
        return typed_null(to);
    };
    match class {
        Class::Text if is_text(&from) && is_text(target) => match (inner.pg_type.oid, to.oid) {
            (1042, 25 | 1043) => {
                let collation = inner.collation.clone();
                Ok(inner.cast(PgType::TEXT)?.with_collation(collation))
            }
            (a, b) if (a == 1042) == (b == 1042) => Ok(inner),
            _ => kept(),
        },
        Class::Number if to.oid == PgType::NUMERIC.oid && keeps_value(&from, target) => {
            inner.cast(PgType::NUMERIC)
        }
        Class::Number if keeps_value(&from, target) => inner.cast(to),
        Class::Number if matches!((inner.pg_type.oid, to.oid), (21, 700 | 701) | (23, 701)) => {
            inner.cast(to)
        }
        Class::Float if matches!((inner.pg_type.oid, to.oid), (700, 701)) => inner.cast(to),
        Class::Date if to.oid == PgType::TIMESTAMP.oid => inner.cast(to),
        _ if from == *target && inner.pg_type.oid == to.oid => Ok(inner),
        _ => kept(),
    }
}

/// Casts that the engine's own would do otherwise, and ours does as Postgres.
pub(super) fn function(scope: Scope<'_>, expr: &Expr, call: &ScalarFunction) -> Outcome<Value> {
    let [argument] = call.args.as_slice() else {
        return Err(kind_of(expr));
    };
    let to = scope.type_of(expr)?;
    let inner = value(scope, argument)?;
    if inner.class()?.is_none() {
        return typed_null(to);
    }
    let declared = scope.type_of(argument)?.numeric_precision().is_some();
    let same = match (inner.pg_type.oid, to.oid) {
        (20 | 21 | 23, 20 | 21 | 23 | 700 | 701 | 1700) => true,
        (700 | 701 | 1700, 20 | 21 | 23 | 700 | 701) => true,
        (1700, 1700) => true,
        (16, 23) | (23, 16) | (1114, 1082) | (1082, 1114) => true,
        (20 | 21 | 23 | 16 | 2950, 25) => true,
        // without a scale of its own its text is not known here
        (1700, 25) => declared,
        _ => false,
    };
    if !same {
        return Err(Reason::Expression {
            kind: format!("cast to {}", type_sql(to).unwrap_or("that type")),
        });
    }
    match to.numeric_precision() {
        Some((precision, scale)) => {
            let sql = format!("({})::numeric({precision},{scale})", inner.sql);
            Ok(Value::computed(sql, to))
        }
        None => inner.cast(to),
    }
}

fn typed_null(to: PgType) -> Outcome<Value> {
    let name = type_sql(to).ok_or_else(|| super::super::value::no_type(to))?;
    let sql = format!("NULL::{name}");
    Ok(Value::literal(sql, "NULL".into(), to, None))
}

/// Does every value of `from` stay the same number or text in `to`?
pub(super) fn keeps_value(from: &DataType, to: &DataType) -> bool {
    if from == to {
        return true;
    }
    if is_text(from) && is_text(to) {
        return true;
    }
    match (digits(from), digits(to)) {
        // too many digits before the point are the engine's error, never another value
        (Some((_, fraction)), Some((_, to_fraction))) if is_decimal(to) => to_fraction >= fraction,
        (Some((whole, fraction)), Some((to_whole, to_fraction))) => {
            to_whole >= whole && to_fraction >= fraction
        }
        _ => false,
    }
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    )
}

/// Decimal digits before and after the point that a type holds in full.
fn digits(data_type: &DataType) -> Option<(i32, i32)> {
    Some(match data_type {
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            (i32::from(*precision) - i32::from(*scale), i32::from(*scale))
        }
        _ => return None,
    })
}
