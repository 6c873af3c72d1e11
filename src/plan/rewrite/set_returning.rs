//! Set-returning functions in the SELECT list, and fields of rows.
//! `generate_series`, `generate_subscripts` and `_pg_expandarray` (section 9.25 of the manual and
//! the information schema's own helper) are lists here, unnested in lock-step.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, FunctionArguments, Subscript, Value};

use super::{argument, call, last_part};

pub(super) fn unnest(expr: &mut Expr) {
    match expr {
        Expr::Function(function) => {
            let name = last_part(&function.name);
            if matches!(
                name.as_deref(),
                Some("generate_series" | "generate_subscripts" | "_pg_expandarray")
            ) && matches!(function.args, FunctionArguments::List(_))
            {
                *expr = call("unnest", expr.clone());
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain.as_slice() else {
                return;
            };
            let field = super::super::columns::folded(field);
            *expr = match expanded_array(root) {
                Some(array) if field == "x" => call("unnest", array),
                Some(array) if field == "n" => call("unnest", call("narrows_expandarray_n", array)),
                _ => subscript(root.as_ref().clone(), &field),
            };
        }
        _ => {}
    }
}

/// The array of `(_pg_expandarray(array))`, which has been unnested already.
fn expanded_array(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => expanded_array(inner),
        Expr::Function(function) => match last_part(&function.name)?.as_str() {
            "unnest" => expanded_array(argument(function)?),
            "_pg_expandarray" => argument(function).cloned(),
            _ => None,
        },
        _ => None,
    }
}

/// `row['field']`
fn subscript(root: Expr, field: &str) -> Expr {
    Expr::CompoundFieldAccess {
        root: Box::new(root),
        access_chain: vec![AccessExpr::Subscript(Subscript::Index {
            index: Expr::Value(Value::SingleQuotedString(field.into()).into()),
        })],
    }
}
