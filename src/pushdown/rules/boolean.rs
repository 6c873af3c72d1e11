//! AND, OR, NOT, IS [NOT] TRUE / FALSE / UNKNOWN, and plain boolean columns.
//! Three-valued logic is the same on both sides.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::operand::{Class, operand};
use super::{kind_of, predicate};
use crate::pushdown::outcome::Outcome;
use crate::sources::postgres::PostgresTable;

pub(super) fn connective(table: &PostgresTable, binary: &BinaryExpr) -> Outcome<String> {
    let word = match binary.op {
        Operator::And => "AND",
        _ => "OR",
    };
    match (
        predicate(table, &binary.left),
        predicate(table, &binary.right),
    ) {
        (Outcome::Pushed(left), Outcome::Pushed(right)) => {
            Outcome::Pushed(format!("({left} {word} {right})"))
        }
        (Outcome::Kept(reason), _) | (_, Outcome::Kept(reason)) => Outcome::Kept(reason),
    }
}

pub(super) fn test(table: &PostgresTable, expr: &Expr) -> Outcome<String> {
    let (inner, before, after) = match expr {
        Expr::Not(inner) => (inner, "NOT ", ""),
        Expr::IsTrue(inner) => (inner, "", " IS TRUE"),
        Expr::IsNotTrue(inner) => (inner, "", " IS NOT TRUE"),
        Expr::IsFalse(inner) => (inner, "", " IS FALSE"),
        Expr::IsNotFalse(inner) => (inner, "", " IS NOT FALSE"),
        Expr::IsUnknown(inner) => (inner, "", " IS UNKNOWN"),
        Expr::IsNotUnknown(inner) => (inner, "", " IS NOT UNKNOWN"),
        other => return Outcome::Kept(kind_of(other)),
    };
    match predicate(table, inner) {
        Outcome::Pushed(sql) => Outcome::Pushed(format!("({before}{sql}{after})")),
        Outcome::Kept(reason) => Outcome::Kept(reason),
    }
}

/// A column or literal that stands as a condition.
pub(super) fn plain(table: &PostgresTable, expr: &Expr) -> Outcome<String> {
    match operand(table, expr) {
        Outcome::Pushed(operand) => match operand.class {
            Some(Class::Bool) => Outcome::Pushed(operand.sql),
            None => Outcome::Pushed(format!("{}::bool", operand.sql)),
            Some(_) => Outcome::Kept(kind_of(expr)),
        },
        Outcome::Kept(reason) => Outcome::Kept(reason),
    }
}
