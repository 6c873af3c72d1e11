//! `(SELECT …)` as a value, where it is a fragment of the same source and of no
//! row outside.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::logical_plan::Subquery;

use super::{Scope, kind_of};
use crate::pushdown::outcome::Outcome;
use crate::pushdown::value::{Form, Value};
use crate::pushdown::{remote_scan, remote_sql};

pub(super) fn scalar(scope: Scope<'_>, subquery: &Subquery) -> Outcome<Value> {
    let kept = || kind_of(&Expr::ScalarSubquery(subquery.clone()));
    let remote = remote_scan::in_plan(&subquery.subquery).ok_or_else(kept)?;
    let select = remote.select();
    let ([item], true, true) = (
        select.items.as_slice(),
        subquery.outer_ref_columns.is_empty(),
        remote.source_name() == scope.source,
    ) else {
        return Err(kept());
    };
    Ok(Value {
        sql: format!("({})", remote_sql::subquery(select)),
        bare: None,
        form: Form::Computed,
        distinct: Some(1.0),
        origin: None,
        ..item.clone()
    })
}
