//! Functions of the whole of an aggregate's values, which the planner collects
//! into an array first, and of arguments of any type. Names with spaces are the
//! planner's own.

use super::arithmetic::misfit;
use super::arrays::compare;
use super::json::{json_text, jsonb};
use super::json_model::{parse, quoted};
use super::temporal::moved_by;
use super::{ANY, ANYARRAY, ANYELEMENT, Call, Overload, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::text_out;
use crate::semantics::value::Value;
use crate::types::PgType;

const JSON: PgType = PgType::JSON;
const JSONB: PgType = PgType::JSONB;
const TEXT: PgType = PgType::TEXT;
const INT4: PgType = PgType::INT4;
const FLOAT8: PgType = PgType::FLOAT8;
const FLOAT8S: PgType = PgType {
    oid: 1022,
    typmod: -1,
};
const INT4S: PgType = PgType {
    oid: 1007,
    typmod: -1,
};
const BOOL: PgType = PgType::BOOL;
const TIME: PgType = PgType::TIME;
const TIMESTAMP: PgType = PgType::TIMESTAMP;
const TIMESTAMPTZ: PgType = PgType::TIMESTAMPTZ;
const INTERVAL: PgType = PgType::INTERVAL;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict("json of items", &[ANYARRAY], JSON, |call, row| {
        items(call, row, ", ")
    })
    .stable(),
    strict("json of rows", &[ANYARRAY], JSON, |call, row| {
        items(call, row, ", \n ")
    })
    .stable(),
    strict(
        "jsonb of items",
        &[ANYARRAY],
        JSONB,
        |call, row| match items(call, row, ", ")? {
            Value::Text(text) => Ok(jsonb(parse(&text)?)),
            _ => Err(misfit()),
        },
    )
    .stable(),
    strict("json of members", &[ANYARRAY, ANYARRAY], JSON, members).stable(),
    strict("jsonb of members", &[ANYARRAY, ANYARRAY], JSONB, members).stable(),
    strict("row as json", &[ANY], JSON, |call, row| {
        let members: Vec<String> = row
            .chunks_exact(2)
            .enumerate()
            .map(|(index, pair)| {
                let mut text = String::new();
                if let Value::Text(name) = &pair[0] {
                    quoted(name, &mut text);
                }
                let own = call.types.get(index * 2 + 1).copied().unwrap_or(TEXT);
                format!("{text}:{}", json_text(call, own, &pair[1]))
            })
            .collect();
        Ok(Value::Text(format!("{{{}}}", members.join(","))))
    })
    .nullable()
    .variadic()
    .stable(),
    strict("mode of items", &[ANYARRAY], TEXT, mode).typed(element),
    strict(
        "percentile_disc of items",
        &[FLOAT8, ANYARRAY],
        TEXT,
        |_, row| match row {
            [Value::Float8(fraction), Value::List(sorted)] => at_fraction(sorted, *fraction),
            _ => Err(misfit()),
        },
    )
    .typed(element),
    strict(
        "percentile_disc of items",
        &[FLOAT8S, ANYARRAY],
        TEXT,
        |_, row| match row {
            [Value::List(fractions), Value::List(sorted)] => fractions
                .iter()
                .map(|fraction| match fraction {
                    Value::Float8(fraction) => at_fraction(sorted, *fraction),
                    _ => Ok(Value::Null),
                })
                .collect::<Result<_>>()
                .map(Value::List),
            _ => Err(misfit()),
        },
    )
    .typed(|typing| typing.types.get(1).copied().unwrap_or(PgType::TEXT_ARRAY)),
    strict(
        "overlaps",
        &[TIMESTAMP, TIMESTAMP, TIMESTAMP, TIMESTAMP],
        BOOL,
        overlaps,
    )
    .nullable(),
    strict(
        "overlaps",
        &[TIMESTAMP, INTERVAL, TIMESTAMP, INTERVAL],
        BOOL,
        overlaps,
    )
    .nullable(),
    strict(
        "overlaps",
        &[TIMESTAMP, TIMESTAMP, TIMESTAMP, INTERVAL],
        BOOL,
        overlaps,
    )
    .nullable(),
    strict(
        "overlaps",
        &[TIMESTAMP, INTERVAL, TIMESTAMP, TIMESTAMP],
        BOOL,
        overlaps,
    )
    .nullable(),
    strict(
        "overlaps",
        &[TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ],
        BOOL,
        overlaps,
    )
    .nullable(),
    strict(
        "overlaps",
        &[TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, INTERVAL],
        BOOL,
        overlaps,
    )
    .nullable()
    .stable(),
    strict("overlaps", &[TIME, TIME, TIME, TIME], BOOL, overlaps).nullable(),
    strict(
        "width_bucket",
        &[ANYELEMENT, ANYARRAY],
        INT4,
        |_, row| match row {
            [value, Value::List(bounds)] => {
                let below = bounds
                    .iter()
                    .take_while(|bound| compare(bound, value).is_some_and(|order| order.is_le()));
                Ok(Value::Int(below.count() as i64))
            }
            _ => Err(misfit()),
        },
    ),
    strict("num_nulls", &[ANY], INT4, |_, row| {
        Ok(Value::Int(nulls(row)))
    })
    .nullable()
    .variadic(),
    strict("num_nonnulls", &[ANY], INT4, |_, row| {
        Ok(Value::Int(row.len() as i64 - nulls(row)))
    })
    .nullable()
    .variadic(),
    strict("pg_typeof", &[ANY], PgType::REGTYPE, |call, _| {
        Ok(Value::Int(
            call.types.first().map_or(705, |own| own.oid).into(),
        ))
    })
    .nullable(),
    strict(
        "array_fill",
        &[ANYELEMENT, INT4S],
        TEXT,
        |_, row| match row {
            [value, Value::List(lengths)] => match lengths.as_slice() {
                [Value::Int(length @ 0..=10_000_000)] => {
                    Ok(Value::List(vec![value.clone(); *length as usize]))
                }
                _ => Err(Error::unsupported(
                    "arrays of several dimensions are not supported here",
                )),
            },
            _ => Err(misfit()),
        },
    )
    .nullable()
    .typed(|typing| {
        typing
            .types
            .first()
            .map_or(PgType::TEXT_ARRAY, PgType::array)
    }),
];

fn element(typing: &super::Typing<'_>) -> PgType {
    let array = typing.types.iter().rev().find_map(PgType::element);
    array.unwrap_or(TEXT)
}

fn items(call: &Call<'_>, row: &[Value], separator: &str) -> Result<Value> {
    let [Value::List(items)] = row else {
        return Err(misfit());
    };
    let own = call.types.first().and_then(PgType::element).unwrap_or(TEXT);
    let items: Vec<String> = items
        .iter()
        .map(|item| json_text(call, own, item))
        .collect();
    Ok(Value::Text(format!("[{}]", items.join(separator))))
}

fn members(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::List(keys), Value::List(values)] = row else {
        return Err(misfit());
    };
    let own = call.types.get(1).and_then(PgType::element).unwrap_or(TEXT);
    let mut members = Vec::with_capacity(keys.len());
    for (key, value) in keys.iter().zip(values) {
        let Some(key) = text_out::text(key, call.context.zone) else {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "field name must not be null",
            ));
        };
        let mut member = String::new();
        quoted(&key, &mut member);
        member.push_str(" : ");
        member.push_str(&json_text(call, own, value));
        members.push(member);
    }
    let text = format!("{{ {} }}", members.join(", "));
    match call.returns.oid == JSONB.oid {
        true => Ok(jsonb(parse(&text)?)),
        false => Ok(Value::Text(text)),
    }
}

/// Of values in order, the first of those that come most often.
fn mode(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::List(sorted)] = row else {
        return Err(misfit());
    };
    let mut best: (usize, &Value) = (0, &Value::Null);
    let mut at = 0;
    while let Some(value) = sorted.get(at) {
        let equal = |other: &&Value| compare(other, value).is_some_and(|order| order.is_eq());
        let count = sorted[at..].iter().take_while(equal).count().max(1);
        if count > best.0 {
            best = (count, value);
        }
        at += count;
    }
    Ok(best.1.clone())
}

fn at_fraction(sorted: &[Value], fraction: f64) -> Result<Value> {
    if !(0.0..=1.0).contains(&fraction) {
        return Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("percentile value {fraction} is not between 0 and 1"),
        ));
    }
    let row = (fraction * sorted.len() as f64).ceil() as usize;
    Ok(sorted.get(row.max(1) - 1).cloned().unwrap_or(Value::Null))
}

fn nulls(row: &[Value]) -> i64 {
    row.iter().filter(|value| value.is_null()).count() as i64
}

fn overlaps(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [a, b, c, d] = row else {
        return Err(misfit());
    };
    let (Some(first), Some(second)) = (period(call, a, b)?, period(call, c, d)?) else {
        return Ok(Value::Null);
    };
    let (earlier, later) = match first.0 <= second.0 {
        true => (first, second),
        false => (second, first),
    };
    let answer = match (earlier.1, later.1) {
        (None, _) => None,
        (Some(_), None) if earlier.0 == later.0 => None,
        (Some(_), Some(_)) if earlier.0 == later.0 => Some(true),
        (Some(end), _) if later.0 < end => Some(true),
        (Some(_), None) => None,
        _ => Some(false),
    };
    Ok(answer.map_or(Value::Null, Value::Bool))
}

/// Start and end in order; a missing start is the end, and no end is known then.
fn period(call: &Call<'_>, start: &Value, end: &Value) -> Result<Option<(i64, Option<i64>)>> {
    let end = match (start, end) {
        (Value::Null, Value::Interval(_)) => Value::Null,
        (start, Value::Interval(length)) => moved_by(call, start, *length)?,
        (_, end) => end.clone(),
    };
    Ok(match (micros(start), micros(&end)) {
        (None, None) => None,
        (Some(start), None) => Some((start, None)),
        (None, Some(end)) => Some((end, None)),
        (Some(start), Some(end)) => Some((start.min(end), Some(start.max(end)))),
    })
}

fn micros(value: &Value) -> Option<i64> {
    match value {
        Value::Timestamp(at) | Value::TimestampTz(at) | Value::Time(at) => Some(*at),
        _ => None,
    }
}
