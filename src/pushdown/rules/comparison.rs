//! `=`, `<>`, `<`, `<=`, `>`, `>=`, BETWEEN, IS [NOT] DISTINCT FROM. Ranges of
//! text are asked for in the order that the engine has, by bytes.

use datafusion::logical_expr::expr::Between;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::cast::without_widening;
use super::{Scope, kind_of, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Form, Value};
use crate::sources::postgres::Collation;
use crate::types::PgType;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Equality,
    Order,
}

pub(super) fn comparison(scope: Scope<'_>, binary: &BinaryExpr) -> Outcome<Value> {
    let (symbol, kind) = match binary.op {
        Operator::Eq => ("=", Kind::Equality),
        Operator::NotEq => ("<>", Kind::Equality),
        Operator::IsDistinctFrom => ("IS DISTINCT FROM", Kind::Equality),
        Operator::IsNotDistinctFrom => ("IS NOT DISTINCT FROM", Kind::Equality),
        Operator::Lt => ("<", Kind::Order),
        Operator::LtEq => ("<=", Kind::Order),
        Operator::Gt => (">", Kind::Order),
        Operator::GtEq => (">=", Kind::Order),
        _ => return Err(kind_of(&Expr::BinaryExpr(binary.clone()))),
    };
    let left = value(scope, without_widening(scope, &binary.left))?;
    let right = value(scope, without_widening(scope, &binary.right))?;
    compare(&left, symbol, &right, kind)
}

pub(super) fn between(scope: Scope<'_>, between: &Between) -> Outcome<Value> {
    let tested = value(scope, without_widening(scope, &between.expr))?;
    let low = value(scope, without_widening(scope, &between.low))?;
    let high = value(scope, without_widening(scope, &between.high))?;
    let (above, below, word) = match between.negated {
        false => (">=", "<=", "AND"),
        true => ("<", ">", "OR"),
    };
    let low = compare(&tested, above, &low, Kind::Order)?;
    let high = compare(&tested, below, &high, Kind::Order)?;
    Ok(Value::condition(format!(
        "({} {word} {})",
        low.sql, high.sql
    )))
}

/// The condition of an equijoin.
pub(in crate::pushdown) fn equality(
    left: (Scope<'_>, &Expr),
    symbol: &str,
    right: (Scope<'_>, &Expr),
) -> Outcome<(Value, Value, String)> {
    let left = value(left.0, without_widening(left.0, left.1))?;
    let right = value(right.0, without_widening(right.0, right.1))?;
    let condition = compare(&left, symbol, &right, Kind::Equality)?.sql;
    Ok((left, right, condition))
}

fn compare(left: &Value, symbol: &str, right: &Value, kind: Kind) -> Outcome<Value> {
    let order = comparable(left, right, kind)?;
    let (a, b) = (beside(left, right), beside(right, left));
    Ok(Value::condition(format!("({a}{order} {symbol} {b})")))
}

/// A literal takes the type of what it is compared with.
pub(super) fn beside<'a>(value: &'a Value, other: &Value) -> &'a str {
    match &value.bare {
        Some(bare) if other.form != Form::Literal && !other.is(Class::Float) => bare,
        _ => &value.sql,
    }
}

/// Do two values compare there as they compare here, and under which collation?
pub(super) fn comparable(left: &Value, right: &Value, kind: Kind) -> Outcome<&'static str> {
    let (a, b) = (left.class()?, right.class()?);
    if let (Some(a), Some(b)) = (a, b)
        && a != b
    {
        return Err(Reason::Expression {
            kind: format!("comparison of {a:?} with {b:?}"),
        });
    }
    match a.or(b) {
        Some(Class::Float) if left.form == Form::Literal || right.form == Form::Literal => Ok(""),
        Some(Class::Float) => Err(Reason::Float),
        Some(Class::Interval) => Err(Reason::Type {
            name: "interval".into(),
        }),
        Some(Class::Text) if padding_counts(left, right) || padding_counts(right, left) => {
            Err(Reason::Literal {
                why: "ends with spaces, which char(n) ignores".into(),
            })
        }
        Some(Class::Text) => text_collation([left, right], kind),
        _ => Ok(""),
    }
}

/// A literal beside char(n) would be of that type there, which the text that the
/// engine compares may not have been.
fn padding_counts(padded: &Value, literal: &Value) -> bool {
    let spaces = |bare: &String| bare.ends_with(" '");
    padded.pg_type.oid == PgType::BPCHAR.oid && literal.bare.as_ref().is_some_and(spaces)
}

/// What makes texts compare by their bytes.
fn text_collation(sides: [&Value; 2], kind: Kind) -> Outcome<&'static str> {
    let collations = || sides.iter().filter_map(|side| side.collation.as_ref());
    let mut order = "";
    for collation in collations() {
        match (collation, kind) {
            (Collation::Nondeterministic(name), _) => {
                return Err(Reason::NondeterministicCollation {
                    collation: name.clone(),
                });
            }
            (Collation::OtherEncoding(name), Kind::Order) => {
                return Err(Reason::TextRange {
                    collation: name.clone(),
                });
            }
            (Collation::Deterministic(_), Kind::Order) => order = " COLLATE \"C\"",
            _ => {}
        }
    }
    let mut all = collations();
    match (kind, all.next(), all.next()) {
        (Kind::Equality, Some(a), Some(b)) if a != b => Err(Reason::MixedCollations),
        (Kind::Order, None, _) => Ok(" COLLATE \"C\""),
        _ => Ok(order),
    }
}
