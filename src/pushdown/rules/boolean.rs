//! AND, OR, NOT, IS [NOT] TRUE / FALSE / UNKNOWN.
//! Three-valued logic is the same on both sides.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::{Scope, kind_of, predicate};
use crate::pushdown::outcome::Outcome;
use crate::pushdown::value::Value;

pub(super) fn connective(scope: Scope<'_>, binary: &BinaryExpr) -> Outcome<Value> {
    let word = match binary.op {
        Operator::And => "AND",
        _ => "OR",
    };
    let left = predicate(scope, &binary.left)?;
    let right = predicate(scope, &binary.right)?;
    Ok(Value::condition(format!("({left} {word} {right})")))
}

pub(super) fn test(scope: Scope<'_>, expr: &Expr) -> Outcome<Value> {
    let (inner, before, after) = match expr {
        Expr::Not(inner) => (inner, "NOT ", ""),
        Expr::IsTrue(inner) => (inner, "", " IS TRUE"),
        Expr::IsNotTrue(inner) => (inner, "", " IS NOT TRUE"),
        Expr::IsFalse(inner) => (inner, "", " IS FALSE"),
        Expr::IsNotFalse(inner) => (inner, "", " IS NOT FALSE"),
        Expr::IsUnknown(inner) => (inner, "", " IS UNKNOWN"),
        Expr::IsNotUnknown(inner) => (inner, "", " IS NOT UNKNOWN"),
        other => return Err(kind_of(other)),
    };
    let inner = predicate(scope, inner)?;
    Ok(Value::condition(format!("({before}{inner}{after})")))
}
