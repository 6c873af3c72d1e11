//! `+ - * / %` and the functions on numbers. The engine's are Postgres's own:
//! of the same type, with the same errors on overflow (section 9.3 of the manual).

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr};

use super::{Scope, kind_of, value};
use crate::pushdown::outcome::Outcome;
use crate::pushdown::value::{Class, Value};
use crate::types::PgType;

/// An operator that stays the engine's own: of decimals, which are exact.
pub(super) fn decimal(scope: Scope<'_>, binary: &BinaryExpr) -> Outcome<Value> {
    let expr = Expr::BinaryExpr(binary.clone());
    let left = value(scope, &binary.left)?;
    let right = value(scope, &binary.right)?;
    let numeric = |value: &Value| value.pg_type.oid == PgType::NUMERIC.oid;
    let exact = scope.arrow_type(&expr)?.is_decimal()
        && left.is_number()
        && right.is_number()
        && (numeric(&left) || numeric(&right));
    match exact {
        true => Ok(infix(
            &left,
            &binary.op.to_string(),
            &right,
            PgType::NUMERIC,
        )),
        false => Err(kind_of(&expr)),
    }
}

pub(super) fn negative(scope: Scope<'_>, inner: &Expr) -> Outcome<Value> {
    let inner_value = value(scope, inner)?;
    let numeric = inner_value.pg_type.oid == PgType::NUMERIC.oid;
    match numeric || inner_value.is(Class::Float) {
        true => Ok(Value::computed(
            format!("(- {})", inner_value.sql),
            inner_value.pg_type,
        )),
        false => Err(kind_of(&Expr::Negative(Box::new(inner.clone())))),
    }
}

/// Operators and functions of our own on numbers.
pub(super) fn numbers(expr: &Expr, call: &ScalarFunction, args: &[Value]) -> Outcome<Value> {
    let name = call.name();
    let same = args
        .first()
        .is_some_and(|first| args.iter().all(|arg| arg.pg_type.oid == first.pg_type.oid));
    let integers = same && args.iter().all(Value::is_integer);
    let floats = same && args.iter().all(|arg| arg.is(Class::Float));
    match (name, args) {
        ("+" | "-" | "*" | "/" | "%" | "&" | "|" | "#", [a, b]) if integers => {
            Ok(infix(a, name, b, a.pg_type))
        }
        ("mod", [a, b]) if integers => Ok(infix(a, "%", b, a.pg_type)),
        ("+" | "-" | "*" | "/", [a, b]) if floats => Ok(infix(a, name, b, a.pg_type)),
        ("abs", [a]) if integers || is_numeric(a) => {
            Ok(Value::computed(format!("abs({})", a.sql), a.pg_type))
        }
        ("ceil" | "ceiling" | "floor" | "sign" | "round" | "trunc", [a]) if is_numeric(a) => Ok(
            Value::computed(format!("{name}({})", a.sql), PgType::NUMERIC),
        ),
        ("round" | "trunc", [a, digits]) if is_numeric(a) && digits.pg_type.oid == 23 => {
            let sql = format!("{name}({}, {})", a.sql, digits.sql);
            Ok(Value::computed(sql, PgType::NUMERIC))
        }
        (_, [a, b]) if a.is_number() && b.is_number() && (is_numeric(a) || is_numeric(b)) => {
            let symbol = match name {
                "numeric_add" => "+",
                "numeric_sub" => "-",
                "numeric_mul" => "*",
                "numeric_div" => "/",
                "numeric_mod" => "%",
                _ => return Err(kind_of(expr)),
            };
            Ok(infix(a, symbol, b, PgType::NUMERIC))
        }
        _ => Err(kind_of(expr)),
    }
}

fn is_numeric(value: &Value) -> bool {
    value.is_number() && value.pg_type.oid == PgType::NUMERIC.oid
}

pub(super) fn infix(left: &Value, symbol: &str, right: &Value, pg_type: PgType) -> Value {
    Value::computed(format!("({} {symbol} {})", left.sql, right.sql), pg_type)
}
