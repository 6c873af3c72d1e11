//! regclass and its kin (section 8.19 "Object Identifier Types" of the manual):
//! OIDs that are written and read as names. Names are resolved by functions of
//! `pg_catalog`: `narrows_to_regclass(text)` gives the OID and
//! `narrows_regclass_out(oid)` the name, likewise for the other types.

use datafusion::sql::sqlparser::ast::{self, DataType, Expr, Query, SelectItem, SetExpr, Value};

use super::{call, last_part};

const OBJECT_TYPES: &[&str] = &[
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regnamespace",
    "regrole",
];

fn object_type(data_type: &DataType) -> Option<&'static str> {
    let name = match data_type {
        DataType::Regclass => "regclass".to_string(),
        DataType::Custom(name, _) => last_part(name)?,
        _ => return None,
    };
    OBJECT_TYPES.iter().find(|known| **known == name).copied()
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Text | DataType::Varchar(_) => true,
        DataType::Custom(name, _) => {
            matches!(
                last_part(name).as_deref(),
                Some("text" | "name" | "varchar")
            )
        }
        _ => false,
    }
}

/// `'shop.orders'::regclass` → its OID; `oid::regclass::text` → the name.
pub(super) fn resolve_names(expr: &mut Expr) {
    let Expr::Cast {
        expr: inner,
        data_type,
        ..
    } = expr
    else {
        return;
    };
    if let Some(kind) = object_type(data_type) {
        if gives_text(inner) {
            *expr = call(&format!("narrows_to_{kind}"), inner.as_ref().clone());
        }
        return;
    }
    if !is_text(data_type) {
        return;
    }
    if let Some(kind) = object_kind(inner) {
        *expr = call(&format!("narrows_{kind}_out"), inner.as_ref().clone());
    }
}

/// At the top of a query, where a client reads the value, names are printed.
pub(super) fn print_at_top(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            continue;
        };
        if let Expr::Cast { data_type, .. } = expr
            && object_type(data_type).is_some()
        {
            *expr = Expr::Cast {
                kind: ast::CastKind::DoubleColon,
                expr: Box::new(expr.clone()),
                data_type: DataType::Text,
                array: false,
                format: None,
            };
        }
    }
}

/// The object type that an expression has by its own form.
fn object_kind(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Nested(inner) => object_kind(inner),
        Expr::Cast { data_type, .. } => object_type(data_type),
        Expr::Function(function) => {
            let name = last_part(&function.name)?;
            let kind = name.strip_prefix("narrows_to_")?;
            OBJECT_TYPES.iter().find(|known| **known == kind).copied()
        }
        _ => None,
    }
}

/// Does the expression certainly give text? A column may be an OID.
fn gives_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => gives_text(inner),
        Expr::Value(value) => !matches!(value.value, Value::Number(..) | Value::Null),
        Expr::Cast { data_type, .. } => is_text(data_type),
        Expr::BinaryOp { op, .. } => *op == ast::BinaryOperator::StringConcat,
        Expr::Function(function) => matches!(
            last_part(&function.name).as_deref(),
            Some("format" | "quote_ident" | "concat" | "concat_ws" | "lower" | "upper" | "replace")
        ),
        _ => false,
    }
}
