//! `x [NOT] LIKE 'pattern'`, which under a deterministic collation matches
//! characters as they are. ILIKE stays: what is a lower-case letter depends on
//! the source's locale.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::Like;

use super::text::deterministic;
use super::{Scope, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Form, Value};
use crate::types::PgType;

pub(super) fn like(scope: Scope<'_>, like: &Like) -> Outcome<Value> {
    if like.case_insensitive {
        return Err(Reason::Expression {
            kind: "ILIKE".into(),
        });
    }
    if like.escape_char.is_some_and(|escape| escape != '\\') {
        return Err(Reason::Expression {
            kind: "LIKE … ESCAPE".into(),
        });
    }
    let pattern = value(scope, without_cast(&like.pattern))?;
    if pattern.form != Form::Literal || !complete(&pattern) {
        return Err(Reason::Expression {
            kind: "LIKE with such a pattern".into(),
        });
    }
    let text = value(scope, &like.expr)?;
    if text.class()? != Some(Class::Text) {
        return Err(Reason::Expression {
            kind: "LIKE of no text".into(),
        });
    }
    deterministic([&text])?;
    // char(n) is carried without its padding
    let text = match text.pg_type.oid == PgType::BPCHAR.oid {
        true => text.cast(PgType::TEXT)?,
        false => text,
    };
    let not = if like.negated { "NOT " } else { "" };
    let pattern = pattern.bare.as_ref().unwrap_or(&pattern.sql);
    Ok(Value::condition(format!(
        "({} {not}LIKE {pattern})",
        text.sql
    )))
}

fn without_cast(pattern: &Expr) -> &Expr {
    match pattern {
        Expr::Cast(cast) if matches!(*cast.expr, Expr::Literal(..)) => &cast.expr,
        other => other,
    }
}

/// Postgres refuses a pattern that ends with an escape character.
fn complete(pattern: &Value) -> bool {
    let Some(bare) = &pattern.bare else {
        return false;
    };
    if pattern.class() != Ok(Some(Class::Text)) {
        return false;
    }
    // the literal doubles backslashes
    let body = bare.trim_end_matches('\'');
    let backslashes = body.len() - body.trim_end_matches('\\').len();
    backslashes % 4 == 0
}
