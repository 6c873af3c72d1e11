//! `OPERATOR(pg_catalog.~)` and COLLATE.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

use super::last_part;
use crate::error::{Error, Result};

/// A qualified operator is the operator itself: all of them live in pg_catalog.
pub(super) fn name_operator(expr: &mut Expr) {
    let Expr::BinaryOp { op, .. } = expr else {
        return;
    };
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else {
        return;
    };
    let plain = match parts.last().map(String::as_str) {
        Some("~") => BinaryOperator::PGRegexMatch,
        Some("~*") => BinaryOperator::PGRegexIMatch,
        Some("!~") => BinaryOperator::PGRegexNotMatch,
        Some("!~*") => BinaryOperator::PGRegexNotIMatch,
        Some("~~") => BinaryOperator::PGLikeMatch,
        Some("~~*") => BinaryOperator::PGILikeMatch,
        Some("!~~") => BinaryOperator::PGNotLikeMatch,
        Some("!~~*") => BinaryOperator::PGNotILikeMatch,
        Some("=") => BinaryOperator::Eq,
        Some("<>" | "!=") => BinaryOperator::NotEq,
        Some("<") => BinaryOperator::Lt,
        Some("<=") => BinaryOperator::LtEq,
        Some(">") => BinaryOperator::Gt,
        Some(">=") => BinaryOperator::GtEq,
        Some("+") => BinaryOperator::Plus,
        Some("-") => BinaryOperator::Minus,
        Some("*") => BinaryOperator::Multiply,
        Some("/") => BinaryOperator::Divide,
        Some("||") => BinaryOperator::StringConcat,
        _ => return,
    };
    *op = plain;
}

/// Text is compared by its bytes here, which is what these collations mean or,
/// for the database's default, what this server declares.
pub(super) fn drop_collation(expr: &mut Expr) -> Result<()> {
    let Expr::Collate {
        expr: inner,
        collation,
    } = expr
    else {
        return Ok(());
    };
    match last_part(collation).as_deref() {
        Some("C" | "POSIX" | "default" | "ucs_basic") => {
            *expr = inner.as_ref().clone();
            Ok(())
        }
        _ => Err(Error::unsupported(format!(
            "collation {collation} is not supported over federated tables"
        ))
        .with_hint("Use COLLATE \"C\", or query one Postgres source alone.")),
    }
}

/// The parser takes everything after IS DISTINCT FROM as its right side; AND and
/// OR bind less than it does (table 4.2 of the manual).
pub(super) fn rebind(expr: &mut Expr) {
    match expr {
        Expr::IsDistinctFrom(left, right) => {
            if let Some(whole) = rotated(right, &|operand| {
                Expr::IsDistinctFrom(left.clone(), Box::new(operand))
            }) {
                *expr = whole;
            }
        }
        Expr::IsNotDistinctFrom(left, right) => {
            if let Some(whole) = rotated(right, &|operand| {
                Expr::IsNotDistinctFrom(left.clone(), Box::new(operand))
            }) {
                *expr = whole;
            }
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: inner,
        } => {
            if let Some(whole) = rotated(inner, &|operand| Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: Box::new(operand),
            }) {
                *expr = whole;
            }
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            if let Expr::BinaryOp {
                left: first,
                op: BinaryOperator::Or,
                right: second,
            } = right.as_ref()
            {
                *expr = Expr::BinaryOp {
                    left: Box::new(Expr::BinaryOp {
                        left: left.clone(),
                        op: BinaryOperator::And,
                        right: first.clone(),
                    }),
                    op: BinaryOperator::Or,
                    right: second.clone(),
                };
            }
        }
        _ => {}
    }
}

/// `a AND b OR c` with `a` replaced by `wrap(a)`; `None` where nothing is to be rotated.
fn rotated(expr: &Expr, wrap: &dyn Fn(Expr) -> Expr) -> Option<Expr> {
    let Expr::BinaryOp {
        left,
        op: op @ (BinaryOperator::And | BinaryOperator::Or),
        right,
    } = expr
    else {
        return None;
    };
    let left = rotated(left, wrap).unwrap_or_else(|| wrap(left.as_ref().clone()));
    Some(Expr::BinaryOp {
        left: Box::new(left),
        op: op.clone(),
        right: right.clone(),
    })
}
