//! IS NULL and IS NOT NULL, of values of every type. A composite of NULLs IS
//! NULL without being NULL; its text form, which is what is sent, is not.

use datafusion::logical_expr::Expr;

use super::{Scope, value};
use crate::pushdown::outcome::Outcome;
use crate::pushdown::value::Value;

pub(super) fn null_test(scope: Scope<'_>, inner: &Expr, test: &str) -> Outcome<Value> {
    let inner = value(scope, inner)?;
    let tested = inner.as_plain().unwrap_or(inner);
    Ok(Value::condition(format!("({} {test})", tested.sql)))
}
