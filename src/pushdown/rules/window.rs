//! Window functions: ranks, neighbours, and aggregates over frames. Among rows
//! that the window's order does not tell apart, any one may come first.

use datafusion::logical_expr::expr::{NullTreatment, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use datafusion::scalar::ScalarValue;

use super::order::{group_key, sort_key};
use super::{Scope, aggregate, predicate, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::Value;
use crate::types::PgType;

/// The call with its window, of type `to`.
pub(in crate::pushdown) fn window(
    scope: Scope<'_>,
    call: &WindowFunction,
    to: PgType,
) -> Outcome<Value> {
    let params = &call.params;
    let kept = || Reason::Function {
        name: call.fun.name().to_string(),
    };
    let nulls_count = matches!(
        params.null_treatment,
        None | Some(NullTreatment::RespectNulls)
    );
    if params.distinct || !nulls_count {
        return Err(kept());
    }
    let function = match &call.fun {
        WindowFunctionDefinition::AggregateUDF(function) => {
            aggregate::call(scope, function.name(), &params.args)?
        }
        WindowFunctionDefinition::WindowUDF(function) => {
            own(scope, function.name(), &params.args)?.ok_or_else(kept)?
        }
    };
    let filter = match &params.filter {
        Some(filter) => format!(" FILTER (WHERE {})", predicate(scope, filter)?),
        None => String::new(),
    };
    let over = over(scope, params)?.ok_or_else(kept)?;
    let sql = format!("{}{filter} OVER ({over})", function.sql);
    let collation = function.collation;
    Value::computed(sql, function.pg_type)
        .with_collation(collation)
        .cast(to)
}

/// `None`: not one of those that answer as Postgres's do.
fn own(scope: Scope<'_>, name: &str, args: &[Expr]) -> Outcome<Option<Value>> {
    let ranking = |pg_type| Value::computed(format!("{name}()"), pg_type);
    Ok(Some(match (name, args) {
        ("row_number" | "rank" | "dense_rank", []) => ranking(PgType::INT8),
        ("percent_rank" | "cume_dist", []) => ranking(PgType::FLOAT8),
        ("ntile", [buckets]) => match whole(buckets) {
            Some(buckets) if buckets > 0 => {
                Value::computed(format!("ntile({buckets})"), PgType::INT4)
            }
            _ => return Ok(None),
        },
        ("first_value" | "last_value", [argument]) => {
            let argument = value(scope, argument)?;
            of_argument(format!("{name}({})", argument.sql), &argument)
        }
        ("nth_value", [argument, nth]) => {
            let argument = value(scope, argument)?;
            match whole(nth) {
                Some(nth) if nth > 0 => {
                    of_argument(format!("nth_value({}, {nth})", argument.sql), &argument)
                }
                _ => return Ok(None),
            }
        }
        ("lag" | "lead", [argument, rest @ ..]) => {
            let argument = value(scope, argument)?;
            let mut sql = format!("{name}({}", argument.sql);
            match rest.first().map(whole) {
                None => {}
                Some(Some(offset)) => sql.push_str(&format!(", {offset}")),
                Some(None) => return Ok(None),
            }
            if let Some(default) = rest.get(1) {
                let default = value(scope, default)?.cast(argument.pg_type)?;
                if default.collation.is_some() && default.collation != argument.collation {
                    return Err(Reason::MixedCollations);
                }
                sql.push_str(&format!(", {}", default.sql));
            }
            sql.push(')');
            of_argument(sql, &argument)
        }
        _ => return Ok(None),
    }))
}

fn of_argument(sql: String, argument: &Value) -> Value {
    Value {
        class: argument.class(),
        ..Value::computed(sql, argument.pg_type).with_collation(argument.collation.clone())
    }
}

fn over(scope: Scope<'_>, params: &WindowFunctionParams) -> Outcome<Option<String>> {
    let Some(frame) = frame(&params.window_frame, params.order_by.is_empty()) else {
        return Ok(None);
    };
    let mut parts = Vec::new();
    if !params.partition_by.is_empty() {
        let keys = params.partition_by.iter();
        let keys: Vec<String> = keys
            .map(|key| group_key(scope, key).map(|key| key.sql))
            .collect::<Outcome<_>>()?;
        parts.push(format!("PARTITION BY {}", keys.join(", ")));
    }
    if !params.order_by.is_empty() {
        let keys = params.order_by.iter();
        let keys: Vec<String> = keys
            .map(|key| sort_key(scope, key))
            .collect::<Outcome<_>>()?;
        parts.push(format!("ORDER BY {}", keys.join(", ")));
    }
    parts.push(frame);
    Ok(Some(parts.join(" ")))
}

/// As SQL: section 4.2.8 "Window Function Calls".
fn frame(frame: &WindowFrame, unordered: bool) -> Option<String> {
    let units = match frame.units {
        WindowFrameUnits::Rows => "ROWS",
        WindowFrameUnits::Range => "RANGE",
        // it counts groups of equal rows, which takes an order
        WindowFrameUnits::Groups if unordered => return None,
        WindowFrameUnits::Groups => "GROUPS",
    };
    let start = bound(&frame.start_bound, frame.units)?;
    let end = bound(&frame.end_bound, frame.units)?;
    Some(format!("{units} BETWEEN {start} AND {end}"))
}

fn bound(bound: &WindowFrameBound, units: WindowFrameUnits) -> Option<String> {
    let (offset, direction) = match bound {
        WindowFrameBound::CurrentRow => return Some("CURRENT ROW".into()),
        WindowFrameBound::Preceding(offset) => (offset, "PRECEDING"),
        WindowFrameBound::Following(offset) => (offset, "FOLLOWING"),
    };
    if offset.is_null() {
        return Some(format!("UNBOUNDED {direction}"));
    }
    match (units, integer(offset)?) {
        // in units of the ordering column's type
        (WindowFrameUnits::Range, _) => None,
        (_, rows) if rows < 0 => None,
        (_, rows) => Some(format!("{rows} {direction}")),
    }
}

/// The integer that a literal is.
fn whole(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value, _) => integer(value).filter(|value| i32::try_from(*value).is_ok()),
        Expr::Alias(alias) => whole(&alias.expr),
        _ => None,
    }
}

fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int16(Some(value)) => Some(i64::from(*value)),
        ScalarValue::Int32(Some(value)) => Some(i64::from(*value)),
        ScalarValue::Int64(Some(value)) => Some(*value),
        ScalarValue::UInt64(Some(value)) => i64::try_from(*value).ok(),
        _ => None,
    }
}
