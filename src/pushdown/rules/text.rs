//! Text functions that look at characters as they are. lower, upper and initcap
//! stay: they depend on the source's locale.

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr};

use super::{Scope, common_collation, kind_of, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Form, Value};
use crate::sources::postgres::Collation;
use crate::types::PgType;

/// `a || b`
pub(super) fn concatenation(scope: Scope<'_>, binary: &BinaryExpr) -> Outcome<Value> {
    let sides = [value(scope, &binary.left)?, value(scope, &binary.right)?];
    if !sides.iter().all(is_text) {
        return Err(kind_of(&Expr::BinaryExpr(binary.clone())));
    }
    let [left, right] = &sides;
    let sql = format!("({} || {})", left.sql, right.sql);
    let collation = common_collation(&sides)?;
    Ok(Value::computed(sql, PgType::TEXT).with_collation(collation))
}

pub(super) fn call(expr: &Expr, call: &ScalarFunction, args: &[Value]) -> Outcome<Value> {
    let name = match call.name() {
        "character_length" => "length",
        "text_substr" => "substr",
        "trim" => "btrim",
        other => other,
    };
    let sql = |args: &[String]| format!("{name}({})", args.join(", "));
    let plain = || args.iter().map(|arg| arg.sql.clone()).collect::<Vec<_>>();
    deterministic(args)?;
    let texts = args.iter().all(is_text);
    let result = match (name, args.len()) {
        ("length" | "octet_length", 1) if texts => PgType::INT4,
        ("strpos", 2) if texts => PgType::INT4,
        ("starts_with", 2) if texts => PgType::BOOL,
        ("reverse", 1) | ("btrim" | "ltrim" | "rtrim", 1 | 2) | ("replace", 3) if texts => {
            PgType::TEXT
        }
        ("concat", 1..) if texts => PgType::TEXT,
        ("left" | "right" | "substr", 2 | 3) if is_text(&args[0]) => {
            let mut counted = vec![args[0].sql.clone()];
            for arg in &args[1..] {
                counted.push(count(arg).ok_or_else(|| kind_of(expr))?);
            }
            let collation = args[0].collation.clone();
            return Ok(Value::computed(sql(&counted), PgType::TEXT).with_collation(collation));
        }
        _ => return Err(kind_of(expr)),
    };
    let collation = match result == PgType::TEXT {
        true => common_collation(args)?,
        false => None,
    };
    Ok(Value::computed(sql(&plain()), result).with_collation(collation))
}

/// An int4, also one that the engine's function takes as a bigint.
fn count(value: &Value) -> Option<String> {
    match value.form {
        Form::Literal => {
            let bare = value.bare.as_ref()?;
            let number = bare.trim_matches(['(', ')']).parse::<i32>();
            number.is_ok().then(|| bare.clone())
        }
        _ if value.pg_type.oid == PgType::INT4.oid => Some(value.sql.clone()),
        _ => None,
    }
}

/// char(n) is no text here: functions that take any type print its padding.
fn is_text(value: &Value) -> bool {
    value.is(Class::Text) && value.pg_type.oid != PgType::BPCHAR.oid
}

pub(super) fn deterministic<'a>(values: impl IntoIterator<Item = &'a Value>) -> Outcome<()> {
    for value in values {
        if let Some(Collation::Nondeterministic(name)) = &value.collation {
            return Err(Reason::NondeterministicCollation {
                collation: name.clone(),
            });
        }
    }
    Ok(())
}
