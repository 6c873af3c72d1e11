//! `OPERATOR(pg_catalog.~)` and COLLATE.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};

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
