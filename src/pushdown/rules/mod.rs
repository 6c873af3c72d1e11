//! The rules, one kind of expression a file. Each takes an expression of the
//! optimized plan and answers with SQL that gives the same value for every row,
//! NULL included, or with the reason why it stays here. Unknown means kept.

mod boolean;
mod comparison;
mod in_list;
mod null_test;
mod operand;

use datafusion::logical_expr::{Expr, Operator};

use super::outcome::{Outcome, Reason};
use crate::sources::postgres::PostgresTable;

pub(super) use operand::Class;

/// A condition as SQL, in parentheses where its surroundings could split it.
pub(super) fn predicate(table: &PostgresTable, expr: &Expr) -> Outcome<String> {
    match expr {
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or) => {
            boolean::connective(table, binary)
        }
        Expr::BinaryExpr(binary) => comparison::comparison(table, binary),
        Expr::Between(between) => comparison::between(table, between),
        Expr::InList(list) => in_list::in_list(table, list),
        Expr::Not(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_) => boolean::test(table, expr),
        Expr::IsNull(inner) => null_test::null_test(table, inner, "IS NULL"),
        Expr::IsNotNull(inner) => null_test::null_test(table, inner, "IS NOT NULL"),
        Expr::Column(_) | Expr::Literal(..) => boolean::plain(table, expr),
        other => Outcome::Kept(kind_of(other)),
    }
}

/// The reason for an expression that has no rule.
fn kind_of(expr: &Expr) -> Reason {
    match expr {
        Expr::ScalarFunction(function) => Reason::Function {
            name: function.name().to_string(),
        },
        other => Reason::Expression {
            kind: other.variant_name().to_string(),
        },
    }
}
