//! What rows are grouped and sorted by. Text sorts by its bytes, as it does here;
//! floats stay, because of the two zeros.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Sort;

use super::{Scope, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Form, Value};
use crate::sources::postgres::Collation;

/// An expression to group by, whose equal values are the same here and there.
pub(in crate::pushdown) fn group_key(scope: Scope<'_>, expr: &Expr) -> Outcome<Value> {
    let key = value(scope, expr)?;
    equal(&key)?;
    // a literal would be a column's number, a subquery might not be found again
    if key.form == Form::Literal || key.sql.contains("(SELECT ") {
        return Err(Reason::Expression {
            kind: "such a group".into(),
        });
    }
    Ok(key)
}

/// Is equality that of the source?
pub(super) fn equal(value: &Value) -> Outcome<()> {
    match (value.class()?, &value.collation) {
        (Some(Class::Float), _) => Err(Reason::Float),
        (Some(Class::Interval), _) => Err(Reason::Type {
            name: "interval".into(),
        }),
        (_, Some(Collation::Nondeterministic(name))) => Err(Reason::NondeterministicCollation {
            collation: name.clone(),
        }),
        _ => Ok(()),
    }
}

/// `expr ASC NULLS LAST`
pub(in crate::pushdown) fn sort_key(scope: Scope<'_>, sort: &Sort) -> Outcome<String> {
    let key = value(scope, &sort.expr)?;
    let collate = in_byte_order(&key)?;
    if key.form == Form::Literal {
        return Err(Reason::Expression {
            kind: "order by a literal".into(),
        });
    }
    let direction = if sort.asc { "ASC" } else { "DESC" };
    let nulls = if sort.nulls_first { "FIRST" } else { "LAST" };
    Ok(format!("{}{collate} {direction} NULLS {nulls}", key.sql))
}

/// What makes the source order values as they are ordered here.
pub(super) fn in_byte_order(value: &Value) -> Outcome<&'static str> {
    equal(value)?;
    match (value.class()?, &value.collation) {
        (Some(Class::Text), Some(Collation::C)) => Ok(""),
        (Some(Class::Text), Some(Collation::OtherEncoding(name))) => Err(Reason::TextRange {
            collation: name.clone(),
        }),
        (Some(Class::Text), _) => Ok(" COLLATE \"C\""),
        _ => Ok(""),
    }
}
