//! Functions that return sets (section 9.25 of the manual, and those of JSON
//! and text), as functions that return the list of their rows: the planner
//! unnests what they give. Their names are the planner's own, so that a
//! statement reaches them only where a set may stand.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ArrowPrimitiveType, ListArray, PrimitiveArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::logical_expr::ColumnarValue;

use super::arithmetic::misfit;
use super::arrays::{lowest, split};
use super::call::integers;
use super::json;
use super::json_model::{Json, Raw, parse, raw};
use super::regex;
use super::temporal::moved_by;
use super::{ANY, ANYARRAY, Call, Overload, strict, vector};
use crate::error::{Error, Result, SqlState};
use crate::semantics::numeric::Numeric;
use crate::semantics::typed::field_of;
use crate::semantics::value::{self, Interval, Value};
use crate::types::PgType;

const INT4: PgType = PgType::INT4;
const INT8: PgType = PgType::INT8;
const NUMERIC: PgType = PgType::NUMERIC;
const TIMESTAMP: PgType = PgType::TIMESTAMP;
const TIMESTAMPTZ: PgType = PgType::TIMESTAMPTZ;
const INTERVAL: PgType = PgType::INTERVAL;
const JSON: PgType = PgType::JSON;
const JSONB: PgType = PgType::JSONB;
const TEXT: PgType = PgType::TEXT;
const TEXTS: PgType = PgType::TEXT_ARRAY;
const INT4S: PgType = array(1007);
const JSONS: PgType = array(199);
const JSONBS: PgType = array(3807);

const fn array(oid: u32) -> PgType {
    PgType { oid, typmod: -1 }
}

/// The longest series: its rows are in memory at once.
const MOST_ROWS: i128 = 100_000_000;

pub(super) const FUNCTIONS: &[Overload] = &[
    vector(
        "rows of generate_series",
        &[INT4, INT4],
        INT4S,
        series::<Int32Type>,
    ),
    vector(
        "rows of generate_series",
        &[INT4, INT4, INT4],
        INT4S,
        series::<Int32Type>,
    ),
    vector(
        "rows of generate_series",
        &[INT8, INT8],
        PgType::INT8_ARRAY,
        series::<Int64Type>,
    ),
    vector(
        "rows of generate_series",
        &[INT8, INT8, INT8],
        PgType::INT8_ARRAY,
        series::<Int64Type>,
    ),
    strict(
        "rows of generate_series",
        &[NUMERIC, NUMERIC],
        array(1231),
        numerics,
    )
    .typed(numerics_type),
    strict(
        "rows of generate_series",
        &[NUMERIC, NUMERIC, NUMERIC],
        array(1231),
        numerics,
    )
    .typed(numerics_type),
    strict(
        "rows of generate_series",
        &[TIMESTAMP, TIMESTAMP, INTERVAL],
        array(1115),
        moments,
    ),
    strict(
        "rows of generate_series",
        &[TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL],
        array(1185),
        moments,
    )
    .stable(),
    strict("rows of string_to_table", &[TEXT, TEXT], TEXTS, split).nullable(),
    strict("rows of string_to_table", &[TEXT, TEXT, TEXT], TEXTS, split).nullable(),
    strict(
        "rows of regexp_split_to_table",
        &[TEXT, TEXT],
        TEXTS,
        regex::split,
    ),
    strict(
        "rows of regexp_split_to_table",
        &[TEXT, TEXT, TEXT],
        TEXTS,
        regex::split,
    ),
    // the rows are arrays: as their text, which the planner casts back
    strict(
        "rows of regexp_matches",
        &[TEXT, TEXT],
        TEXTS,
        regex::all_matches,
    ),
    strict(
        "rows of regexp_matches",
        &[TEXT, TEXT, TEXT],
        TEXTS,
        regex::all_matches,
    ),
    strict(
        "rows of generate_subscripts",
        &[ANYARRAY, INT4],
        INT4S,
        subscripts,
    ),
    strict(
        "rows of generate_subscripts",
        &[ANYARRAY, INT4, PgType::BOOL],
        INT4S,
        subscripts,
    ),
    // 1, 2 … for the rows of the longest list
    strict(
        "rows of ordinality",
        &[ANY],
        PgType::INT8_ARRAY,
        |_, row| {
            let longest = row.iter().map(|value| match value {
                Value::List(items) => items.len() as i64,
                _ => 0,
            });
            let ordinals = 1..=longest.max().unwrap_or(0);
            Ok(Value::List(ordinals.map(Value::Int).collect()))
        },
    )
    .nullable()
    .variadic(),
    strict("rows of json_array_elements", &[JSON], JSONS, elements),
    strict("rows of jsonb_array_elements", &[JSONB], JSONBS, elements),
    strict("rows of json_array_elements_text", &[JSON], TEXTS, elements),
    strict(
        "rows of jsonb_array_elements_text",
        &[JSONB],
        TEXTS,
        elements,
    ),
    strict("rows of json_object_keys", &[JSON], TEXTS, keys),
    strict("rows of jsonb_object_keys", &[JSONB], TEXTS, keys),
    strict("rows of json_each", &[JSON], JSONS, values),
    strict("rows of jsonb_each", &[JSONB], JSONBS, values),
    strict("rows of json_each_text", &[JSON], TEXTS, values),
    strict("rows of jsonb_each_text", &[JSONB], TEXTS, values),
];

fn subscripts(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (items, reversed) = match row {
        [Value::List(items), Value::Int(1)] => (items.len() as i64, false),
        [Value::List(items), Value::Int(1), Value::Bool(reversed)] => {
            (items.len() as i64, *reversed)
        }
        _ => return Ok(Value::List(Vec::new())),
    };
    let first = lowest(call);
    let mut all: Vec<Value> = (first..first + items).map(Value::Int).collect();
    if reversed {
        all.reverse();
    }
    Ok(Value::List(all))
}

fn zero_step() -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        "step size cannot equal zero",
    )
}

fn too_long() -> Error {
    Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("a series of more than {MOST_ROWS} rows is not supported here"),
    )
}

/// Rows of an integer series, a batch of series at a time.
fn series<T>(call: &Call<'_>, args: &[ColumnarValue], rows: usize) -> Result<ColumnarValue>
where
    T: ArrowPrimitiveType<Native: TryFrom<i128>>,
{
    let scalar = args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if scalar { 1 } else { rows };
    let columns = args
        .iter()
        .map(|arg| integers(arg, rows))
        .collect::<Result<Vec<_>>>()?;
    let mut items: Vec<T::Native> = Vec::new();
    let mut lengths = Vec::with_capacity(rows);
    let mut valid = Vec::with_capacity(rows);
    for row in 0..rows {
        let cells: Option<Vec<i128>> = columns.iter().map(|column| column[row]).collect();
        let before = items.len();
        if let Some(cells) = &cells {
            let (start, stop, step) = match cells.as_slice() {
                [start, stop] => (*start, *stop, 1),
                [start, stop, step] => (*start, *stop, *step),
                _ => return Err(misfit()),
            };
            if step == 0 {
                return Err(zero_step());
            }
            let count = ((stop - start) / step + 1).max(0);
            let count = if (stop - start).signum() * step.signum() < 0 {
                0
            } else {
                count
            };
            if count > MOST_ROWS - before as i128 {
                return Err(too_long());
            }
            items.extend((0..count).filter_map(|at| T::Native::try_from(start + at * step).ok()));
        }
        valid.push(cells.is_some());
        lengths.push(items.len() - before);
    }
    let carrier = field_of(call.returns, "");
    let DataType::List(item) = carrier.data_type() else {
        return Err(misfit());
    };
    let list: ArrayRef = Arc::new(ListArray::try_new(
        item.clone(),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(PrimitiveArray::<T>::from_iter_values(items)),
        Some(NullBuffer::from(valid)),
    )?);
    Ok(match scalar {
        true => ColumnarValue::Scalar(value::scalar(&list)?),
        false => ColumnarValue::Array(list),
    })
}

/// As many decimals as the argument that has most.
fn numerics_type(typing: &super::Typing<'_>) -> PgType {
    let scales: Option<Vec<(i32, i32)>> =
        typing.types.iter().map(PgType::numeric_precision).collect();
    let scale = scales.and_then(|all| all.iter().map(|(_, scale)| *scale).max());
    match scale.and_then(|scale| i8::try_from(scale).ok()) {
        Some(scale @ 0..=36) => PgType::numeric(38, scale).array(),
        _ => array(1231),
    }
}

fn numerics(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let one = Numeric::from(1);
    let (start, stop, step) = match row {
        [Value::Numeric(start), Value::Numeric(stop)] => (start, stop, &one),
        [
            Value::Numeric(start),
            Value::Numeric(stop),
            Value::Numeric(step),
        ] => (start, stop, step),
        _ => return Err(misfit()),
    };
    if step.is_zero() {
        return Err(zero_step());
    }
    let mut items = Vec::new();
    let mut at = start.clone();
    let within = |at: &Numeric| match step.is_negative() {
        true => at.compare(stop).is_ge(),
        false => at.compare(stop).is_le(),
    };
    while within(&at) {
        if items.len() as i128 >= MOST_ROWS {
            return Err(too_long());
        }
        let next = at.add(step);
        items.push(Value::Numeric(at));
        at = next;
    }
    Ok(Value::List(items))
}

fn moments(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [start, stop, Value::Interval(step)] = row else {
        return Err(misfit());
    };
    let (Some(last), Some(mut micros)) = (instant(stop), instant(start)) else {
        return Err(misfit());
    };
    let size = i128::from(step.months) * 30 + i128::from(step.days);
    let size = size * 86_400_000_000 + i128::from(step.micros);
    if *step == Interval::default() || size == 0 {
        return Err(zero_step());
    }
    let mut items = Vec::new();
    let mut at = start.clone();
    while (size > 0 && micros <= last) || (size < 0 && micros >= last) {
        if items.len() as i128 >= MOST_ROWS {
            return Err(too_long());
        }
        let next = moved_by(call, &at, *step)?;
        items.push(at);
        micros = instant(&next).ok_or_else(misfit)?;
        at = next;
    }
    Ok(Value::List(items))
}

fn instant(value: &Value) -> Option<i64> {
    match value {
        Value::Timestamp(micros) | Value::TimestampTz(micros) => Some(*micros),
        _ => None,
    }
}

/// The parts of a value, and their keys if it is an object.
enum Parts {
    Items(Vec<Value>),
    Members(Vec<(String, Value)>),
    Scalar,
}

fn parts(call: &Call<'_>, json: &str) -> Result<Parts> {
    if call.types.first().is_some_and(|own| own.oid == JSON.oid) {
        let shown = |part: &str| json::shown_raw(call, part);
        return Ok(match raw(json)? {
            Raw::Array(items) => Parts::Items(items.into_iter().map(shown).collect::<Result<_>>()?),
            Raw::Object(members) => Parts::Members(
                members
                    .into_iter()
                    .map(|(key, part)| Ok((key, shown(part)?)))
                    .collect::<Result<_>>()?,
            ),
            Raw::Scalar => Parts::Scalar,
        });
    }
    let shown = |value: &Json| match (call.returns.oid == TEXTS.oid, value) {
        (true, Json::Null) => Value::Null,
        (true, Json::Text(text)) => Value::Text(text.clone()),
        (_, other) => Value::Text(other.text()),
    };
    Ok(match parse(json)? {
        Json::Array(items) => Parts::Items(items.iter().map(shown).collect()),
        Json::Object(members) => Parts::Members(
            members
                .into_iter()
                .map(|(key, value)| (key, shown(&value)))
                .collect(),
        ),
        _ => Parts::Scalar,
    })
}

fn wrong_kind(text: String) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, text)
}

fn elements(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::Text(json)] = row else {
        return Err(misfit());
    };
    match parts(call, json)? {
        Parts::Items(items) => Ok(Value::List(items)),
        Parts::Members(_) => Err(wrong_kind("cannot extract elements from an object".into())),
        Parts::Scalar => Err(wrong_kind("cannot extract elements from a scalar".into())),
    }
}

fn members(call: &Call<'_>, row: &[Value], what: &str) -> Result<Vec<(String, Value)>> {
    let [Value::Text(json)] = row else {
        return Err(misfit());
    };
    match parts(call, json)? {
        Parts::Members(members) => Ok(members),
        Parts::Items(_) => Err(wrong_kind(format!("cannot {what} an array"))),
        Parts::Scalar => Err(wrong_kind(format!("cannot {what} a scalar"))),
    }
}

fn keys(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let members = members(call, row, "call json_object_keys on")?;
    let keys = members.into_iter().map(|(key, _)| Value::Text(key));
    Ok(Value::List(keys.collect()))
}

fn values(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let members = members(call, row, "deconstruct")?;
    Ok(Value::List(
        members.into_iter().map(|(_, value)| value).collect(),
    ))
}
