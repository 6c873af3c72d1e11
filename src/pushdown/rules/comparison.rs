//! `=`, `<>`, `<`, `<=`, `>`, `>=`, BETWEEN, IS [NOT] DISTINCT FROM.

use datafusion::logical_expr::expr::Between;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::operand::{Class, Operand, operand};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::sources::postgres::{Collation, PostgresTable};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Equality,
    Order,
}

pub(super) fn comparison(table: &PostgresTable, binary: &BinaryExpr) -> Outcome<String> {
    let (symbol, kind) = match binary.op {
        Operator::Eq => ("=", Kind::Equality),
        Operator::NotEq => ("<>", Kind::Equality),
        Operator::IsDistinctFrom => ("IS DISTINCT FROM", Kind::Equality),
        Operator::IsNotDistinctFrom => ("IS NOT DISTINCT FROM", Kind::Equality),
        Operator::Lt => ("<", Kind::Order),
        Operator::LtEq => ("<=", Kind::Order),
        Operator::Gt => (">", Kind::Order),
        Operator::GtEq => (">=", Kind::Order),
        other => {
            return Outcome::Kept(Reason::Expression {
                kind: format!("operator {other}"),
            });
        }
    };
    match sides(table, &binary.left, &binary.right, kind) {
        Outcome::Pushed((left, right)) => Outcome::Pushed(format!("({left} {symbol} {right})")),
        Outcome::Kept(reason) => Outcome::Kept(reason),
    }
}

pub(super) fn between(table: &PostgresTable, between: &Between) -> Outcome<String> {
    let low = sides(table, &between.expr, &between.low, Kind::Order);
    let high = sides(table, &between.expr, &between.high, Kind::Order);
    match (low, high) {
        (Outcome::Pushed((expr, low)), Outcome::Pushed((_, high))) => {
            let not = if between.negated { "NOT " } else { "" };
            Outcome::Pushed(format!("({expr} {not}BETWEEN {low} AND {high})"))
        }
        (Outcome::Kept(reason), _) | (_, Outcome::Kept(reason)) => Outcome::Kept(reason),
    }
}

fn sides(
    table: &PostgresTable,
    left: &Expr,
    right: &Expr,
    kind: Kind,
) -> Outcome<(String, String)> {
    let left = match operand(table, left) {
        Outcome::Pushed(operand) => operand,
        Outcome::Kept(reason) => return Outcome::Kept(reason),
    };
    let right = match operand(table, right) {
        Outcome::Pushed(operand) => operand,
        Outcome::Kept(reason) => return Outcome::Kept(reason),
    };
    match comparable(&left, &right, kind) {
        Some(reason) => Outcome::Kept(reason),
        None => Outcome::Pushed((left.sql, right.sql)),
    }
}

/// Why two operands do not compare there as they compare here.
pub(super) fn comparable(left: &Operand, right: &Operand, kind: Kind) -> Option<Reason> {
    if let (Some(a), Some(b)) = (left.class, right.class)
        && a != b
    {
        return Some(Reason::Expression {
            kind: format!("comparison of {a:?} with {b:?}"),
        });
    }
    if left.class.or(right.class) != Some(Class::Text) {
        return None;
    }
    let collations = [&left.collation, &right.collation];
    for collation in collations.into_iter().flatten() {
        match (collation, kind) {
            (Collation::Nondeterministic(name), _) => {
                return Some(Reason::NondeterministicCollation {
                    collation: name.clone(),
                });
            }
            (Collation::Deterministic(name), Kind::Order) => {
                return Some(Reason::TextRange {
                    collation: name.clone(),
                });
            }
            (Collation::Deterministic(_), Kind::Equality) | (Collation::C | Collation::None, _) => {
            }
        }
    }
    match collations {
        [Some(a), Some(b)] if a != b => Some(Reason::MixedCollations),
        _ => None,
    }
}
