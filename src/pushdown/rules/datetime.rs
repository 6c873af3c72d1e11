//! Dates, timestamps and intervals (section 9.9 of the manual). What depends on
//! a time zone stays: the session's is not the source's.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;

use super::arithmetic::infix;
use super::kind_of;
use crate::pushdown::outcome::Outcome;
use crate::pushdown::value::{Class, Value};
use crate::types::PgType;

/// Fields that are whole numbers.
const WHOLE: &[&str] = &[
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "dow",
    "isodow",
    "doy",
    "hour",
    "minute",
    "isoyear",
    "decade",
    "century",
    "millennium",
];

/// What date_trunc cuts to.
const UNITS: &[&str] = &[
    "year", "quarter", "month", "week", "day", "hour", "minute", "second",
];

pub(super) fn call(expr: &Expr, call: &ScalarFunction, args: &[Value]) -> Outcome<Value> {
    let [a, b] = args else {
        return Err(kind_of(expr));
    };
    let (Some(left), Some(right)) = (a.class()?, b.class()?) else {
        return Err(kind_of(expr));
    };
    let whole = |value: &Value| value.pg_type.oid == PgType::INT4.oid;
    let result = match (call.name(), left, right) {
        ("+" | "-", Class::Date, Class::Number) if whole(b) => PgType::DATE,
        ("+", Class::Number, Class::Date) if whole(a) => PgType::DATE,
        ("-", Class::Date, Class::Date) => PgType::INT4,
        ("+" | "-", Class::Date | Class::Timestamp, Class::Interval) => PgType::TIMESTAMP,
        ("+", Class::Interval, Class::Date | Class::Timestamp) => PgType::TIMESTAMP,
        ("-", Class::Timestamp, Class::Timestamp)
        | ("-", Class::TimestampTz, Class::TimestampTz) => PgType::INTERVAL,
        ("extract", Class::Text, Class::Date | Class::Timestamp) => {
            let field = word(a, WHOLE).ok_or_else(|| kind_of(expr))?;
            // double precision before Postgres 14
            let sql = format!("EXTRACT({field} FROM {})::numeric", b.sql);
            return Ok(Value::computed(sql, PgType::NUMERIC));
        }
        ("date_part", Class::Text, Class::Date | Class::Timestamp) => {
            let field = word(a, WHOLE).ok_or_else(|| kind_of(expr))?;
            let sql = format!("date_part('{field}', {})", b.sql);
            return Ok(Value::computed(sql, PgType::FLOAT8));
        }
        ("date_trunc", Class::Text, Class::Timestamp) => {
            let unit = word(a, UNITS).ok_or_else(|| kind_of(expr))?;
            let sql = format!("date_trunc('{unit}', {})", b.sql);
            return Ok(Value::computed(sql, PgType::TIMESTAMP));
        }
        _ => return Err(kind_of(expr)),
    };
    Ok(infix(a, call.name(), b, result))
}

/// A literal that is one of these words.
fn word(value: &Value, words: &[&'static str]) -> Option<&'static str> {
    let text = value.bare.as_ref()?.trim_matches('\'').to_ascii_lowercase();
    words.iter().find(|word| **word == text).copied()
}
