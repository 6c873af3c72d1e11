//! JSON functions and operators (section 9.16 of the manual) on values that
//! are carried as text.

use super::arithmetic::misfit;
use super::json_model::{Json, Raw, parse, quoted, raw};
use super::{ANY, Call, Overload, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::text_out;
use crate::semantics::typed::{Category, category};
use crate::semantics::value::Value;
use crate::types::PgType;

const JSON: PgType = PgType::JSON;
const JSONB: PgType = PgType::JSONB;
const TEXT: PgType = PgType::TEXT;
const TEXTS: PgType = PgType::TEXT_ARRAY;
const INT4: PgType = PgType::INT4;
const BOOL: PgType = PgType::BOOL;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict("->", &[JSON, TEXT], JSON, member),
    strict("->", &[JSON, INT4], JSON, member),
    strict("->", &[JSONB, TEXT], JSONB, member),
    strict("->", &[JSONB, INT4], JSONB, member),
    strict("->>", &[JSON, TEXT], TEXT, member_text),
    strict("->>", &[JSON, INT4], TEXT, member_text),
    strict("->>", &[JSONB, TEXT], TEXT, member_text),
    strict("->>", &[JSONB, INT4], TEXT, member_text),
    strict("#>", &[JSON, TEXTS], JSON, path),
    strict("#>", &[JSONB, TEXTS], JSONB, path),
    strict("#>>", &[JSON, TEXTS], TEXT, path_text),
    strict("#>>", &[JSONB, TEXTS], TEXT, path_text),
    strict("json_extract_path", &[JSON, TEXT], JSON, path).variadic(),
    strict("jsonb_extract_path", &[JSONB, TEXT], JSONB, path).variadic(),
    strict("json_extract_path_text", &[JSON, TEXT], TEXT, path_text).variadic(),
    strict("jsonb_extract_path_text", &[JSONB, TEXT], TEXT, path_text).variadic(),
    strict("@>", &[JSONB, JSONB], BOOL, |_, row| match row {
        [Value::Text(a), Value::Text(b)] => Ok(Value::Bool(contains(&parse(a)?, &parse(b)?, true))),
        _ => Err(misfit()),
    }),
    strict("<@", &[JSONB, JSONB], BOOL, |_, row| match row {
        [Value::Text(a), Value::Text(b)] => Ok(Value::Bool(contains(&parse(b)?, &parse(a)?, true))),
        _ => Err(misfit()),
    }),
    strict("?", &[JSONB, TEXT], BOOL, |_, row| match row {
        [Value::Text(json), Value::Text(key)] => Ok(Value::Bool(has_key(&parse(json)?, key))),
        _ => Err(misfit()),
    }),
    strict("?|", &[JSONB, TEXTS], BOOL, |_, row| {
        has_keys(row, |found| found.contains(&true))
    }),
    strict("?&", &[JSONB, TEXTS], BOOL, |_, row| {
        has_keys(row, |found| !found.contains(&false))
    }),
    strict("||", &[JSONB, JSONB], JSONB, |_, row| match row {
        [Value::Text(a), Value::Text(b)] => Ok(jsonb(joined(parse(a)?, parse(b)?))),
        _ => Err(misfit()),
    }),
    strict("-", &[JSONB, TEXT], JSONB, |_, row| match row {
        [Value::Text(json), Value::Text(key)] => without_key(parse(json)?, key),
        _ => Err(misfit()),
    }),
    strict("-", &[JSONB, TEXTS], JSONB, |_, row| match row {
        [Value::Text(json), Value::List(keys)] => {
            keys.iter()
                .try_fold(Value::Text(json.clone()), |left, key| match (left, key) {
                    (Value::Text(left), Value::Text(key)) => without_key(parse(&left)?, key),
                    (left, _) => Ok(left),
                })
        }
        _ => Err(misfit()),
    }),
    strict("-", &[JSONB, INT4], JSONB, |_, row| match row {
        [Value::Text(json), Value::Int(at)] => without_item(parse(json)?, *at),
        _ => Err(misfit()),
    }),
    strict("json_typeof", &[JSON], TEXT, kind),
    strict("jsonb_typeof", &[JSONB], TEXT, kind),
    strict("json_array_length", &[JSON], INT4, array_length),
    strict("jsonb_array_length", &[JSONB], INT4, array_length),
    strict("json_build_object", &[ANY], JSON, build_object)
        .nullable()
        .variadic()
        .stable(),
    strict("jsonb_build_object", &[ANY], JSONB, build_object)
        .nullable()
        .variadic()
        .stable(),
    strict("json_build_array", &[ANY], JSON, build_array)
        .nullable()
        .variadic()
        .stable(),
    strict("jsonb_build_array", &[ANY], JSONB, build_array)
        .nullable()
        .variadic()
        .stable(),
    strict("to_json", &[ANY], JSON, |call, row| match row {
        [value] => Ok(Value::Text(json_of(call, 0, value))),
        _ => Err(misfit()),
    })
    .stable(),
    strict("to_jsonb", &[ANY], JSONB, |call, row| match row {
        [value] => Ok(jsonb(parse(&json_of(call, 0, value))?)),
        _ => Err(misfit()),
    })
    .stable(),
    strict("jsonb_strip_nulls", &[JSONB], JSONB, |_, row| match row {
        [Value::Text(json)] => Ok(jsonb(stripped(parse(json)?))),
        _ => Err(misfit()),
    }),
];

/// The text of a jsonb value: canonical.
pub(in crate::semantics) fn jsonb_text(text: &str) -> Result<String> {
    Ok(parse(text)?.canonical().text())
}

/// 22P02 where a text is no JSON.
pub(in crate::semantics) fn check(text: &str) -> Result<()> {
    parse(text).map(|_| ())
}

pub(super) fn jsonb(value: Json) -> Value {
    Value::Text(value.canonical().text())
}

/// json keeps the text of what it holds; jsonb has one text for each value.
fn shown(call: &Call<'_>, value: &Json) -> Value {
    match call.returns.oid == TEXT.oid {
        true => match value {
            Json::Null => Value::Null,
            Json::Text(text) => Value::Text(text.clone()),
            other => Value::Text(other.text()),
        },
        false => Value::Text(value.text()),
    }
}

fn member(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::Text(json), key] = row else {
        return Err(misfit());
    };
    if is_json(call) {
        let found = raw_step(json, key)?;
        return found.map_or(Ok(Value::Null), |found| shown_raw(call, found));
    }
    let json = parse(json)?;
    let found = match key {
        Value::Text(key) => by_key(&json, key),
        Value::Int(at) => by_index(&json, *at),
        _ => return Err(misfit()),
    };
    Ok(found.map_or(Value::Null, |found| shown(call, found)))
}

/// Of the two types, json keeps the text of its parts.
fn is_json(call: &Call<'_>) -> bool {
    call.types.first().is_some_and(|own| own.oid == JSON.oid)
}

fn raw_step<'a>(json: &'a str, key: &Value) -> Result<Option<&'a str>> {
    Ok(match (raw(json)?, key) {
        (Raw::Object(members), Value::Text(key)) => members
            .into_iter()
            .rev()
            .find(|(known, _)| known == key)
            .map(|(_, part)| part),
        (Raw::Array(items), Value::Int(at)) => {
            let at = if *at < 0 {
                items.len() as i64 + at
            } else {
                *at
            };
            usize::try_from(at)
                .ok()
                .and_then(|at| items.get(at).copied())
        }
        _ => None,
    })
}

/// A part of a json value as the call returns it.
pub(super) fn shown_raw(call: &Call<'_>, part: &str) -> Result<Value> {
    let as_json = matches!(call.returns.oid, 114 | 199);
    Ok(match as_json || !part.starts_with(['"', 'n']) {
        true => Value::Text(part.to_string()),
        false => match parse(part)? {
            Json::Text(text) => Value::Text(text),
            _ => Value::Null,
        },
    })
}

fn raw_path(call: &Call<'_>, json: &str, steps: &[Value]) -> Result<Value> {
    let mut at = json.trim();
    for step in steps {
        let Value::Text(step) = step else {
            return Ok(Value::Null);
        };
        let next = match step.parse() {
            Ok(index) if at.starts_with('[') => raw_step(at, &Value::Int(index))?,
            _ => raw_step(at, &Value::Text(step.clone()))?,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(Value::Null),
        }
    }
    shown_raw(call, at)
}

fn member_text(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    member(call, row)
}

fn by_key<'a>(json: &'a Json, key: &str) -> Option<&'a Json> {
    match json {
        // of equal keys the last counts
        Json::Object(members) => members
            .iter()
            .rev()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value),
        _ => None,
    }
}

fn by_index(json: &Json, at: i64) -> Option<&Json> {
    let Json::Array(items) = json else {
        return None;
    };
    let at = match at {
        0.. => at,
        _ => items.len() as i64 + at,
    };
    items.get(usize::try_from(at).ok()?)
}

fn path(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (json, steps) = match row {
        [Value::Text(json), Value::List(steps)] => (json, steps.as_slice()),
        [Value::Text(json), steps @ ..] => (json, steps),
        _ => return Err(misfit()),
    };
    if is_json(call) {
        return raw_path(call, json, steps);
    }
    let json = parse(json)?;
    let mut at = &json;
    for step in steps {
        let Value::Text(step) = step else {
            return Ok(Value::Null);
        };
        let next = match at {
            Json::Object(_) => by_key(at, step),
            Json::Array(_) => step.parse().ok().and_then(|index| by_index(at, index)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(Value::Null),
        }
    }
    Ok(shown(call, at))
}

fn path_text(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    path(call, row)
}

/// An array also contains a primitive that it holds, at the top level alone.
fn contains(outer: &Json, inner: &Json, top: bool) -> bool {
    match (outer, inner) {
        (Json::Object(members), Json::Object(wanted)) => wanted.iter().all(|(key, value)| {
            members
                .iter()
                .any(|(known, found)| known == key && contains(found, value, false))
        }),
        (Json::Array(items), Json::Array(wanted)) => wanted
            .iter()
            .all(|value| items.iter().any(|item| contains(item, value, false))),
        (Json::Array(items), Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_))
            if top =>
        {
            items.iter().any(|item| item.equals(inner))
        }
        (a, b) => a.equals(b),
    }
}

fn has_key(json: &Json, key: &str) -> bool {
    match json {
        Json::Object(members) => members.iter().any(|(known, _)| known == key),
        Json::Array(items) => items
            .iter()
            .any(|item| matches!(item, Json::Text(text) if text == key)),
        Json::Text(text) => text == key,
        _ => false,
    }
}

fn has_keys(row: &[Value], test: fn(&[bool]) -> bool) -> Result<Value> {
    let [Value::Text(json), Value::List(keys)] = row else {
        return Err(misfit());
    };
    let json = parse(json)?;
    let found: Vec<bool> = keys
        .iter()
        .filter_map(|key| match key {
            Value::Text(key) => Some(has_key(&json, key)),
            _ => None,
        })
        .collect();
    Ok(Value::Bool(test(&found)))
}

fn joined(a: Json, b: Json) -> Json {
    match (a, b) {
        (Json::Object(mut a), Json::Object(b)) => {
            a.extend(b);
            Json::Object(a)
        }
        (a, b) => {
            let items = |json| match json {
                Json::Array(items) => items,
                other => vec![other],
            };
            let mut all = items(a);
            all.extend(items(b));
            Json::Array(all)
        }
    }
}

fn cannot_delete(what: &str) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("cannot delete from {what}"),
    )
}

fn without_key(json: Json, key: &str) -> Result<Value> {
    Ok(jsonb(match json {
        Json::Object(mut members) => {
            members.retain(|(known, _)| known != key);
            Json::Object(members)
        }
        Json::Array(mut items) => {
            items.retain(|item| !matches!(item, Json::Text(text) if text == key));
            Json::Array(items)
        }
        _ => return Err(cannot_delete("scalar")),
    }))
}

fn without_item(json: Json, at: i64) -> Result<Value> {
    Ok(jsonb(match json {
        Json::Array(mut items) => {
            let at = if at < 0 { items.len() as i64 + at } else { at };
            if let Ok(at) = usize::try_from(at)
                && at < items.len()
            {
                items.remove(at);
            }
            Json::Array(items)
        }
        Json::Object(_) => return Err(cannot_delete("object using integer index")),
        _ => return Err(cannot_delete("scalar")),
    }))
}

fn kind(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [Value::Text(json)] => Ok(Value::Text(parse(json)?.kind().into())),
        _ => Err(misfit()),
    }
}

fn array_length(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::Text(json)] = row else {
        return Err(misfit());
    };
    let what = match parse(json)? {
        Json::Array(items) => return Ok(Value::Int(items.len() as i64)),
        Json::Object(_) => "a non-array",
        _ => "a scalar",
    };
    Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("cannot get array length of {what}"),
    ))
}

fn stripped(json: Json) -> Json {
    match json {
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .filter(|(_, value)| *value != Json::Null)
                .map(|(key, value)| (key, stripped(value)))
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(stripped).collect()),
        other => other,
    }
}

fn build_object(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    if !row.len().is_multiple_of(2) {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "argument list must have even number of elements",
        )
        .with_hint(
            "The arguments of json_build_object() must consist of alternating keys and values.",
        ));
    }
    let mut members = Vec::new();
    for (index, pair) in row.chunks_exact(2).enumerate() {
        let [key, value] = pair else {
            return Err(misfit());
        };
        let Some(key) = text_out::text(key, call.context.zone) else {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("argument {} cannot be null", index * 2 + 1),
            ));
        };
        let mut member = String::new();
        quoted(&key, &mut member);
        member.push_str(" : ");
        member.push_str(&json_of(call, index * 2 + 1, value));
        members.push(member);
    }
    let text = format!("{{{}}}", members.join(", "));
    match call.returns.oid == JSONB.oid {
        true => Ok(jsonb(parse(&text)?)),
        false => Ok(Value::Text(text)),
    }
}

fn build_array(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let items: Vec<String> = row
        .iter()
        .enumerate()
        .map(|(index, value)| json_of(call, index, value))
        .collect();
    let text = format!("[{}]", items.join(", "));
    match call.returns.oid == JSONB.oid {
        true => Ok(jsonb(parse(&text)?)),
        false => Ok(Value::Text(text)),
    }
}

/// A value as JSON: numbers and booleans as they are, timestamps in ISO 8601, the rest as strings.
fn json_of(call: &Call<'_>, index: usize, value: &Value) -> String {
    let own = call
        .types
        .get(index.min(call.types.len().saturating_sub(1)))
        .copied();
    json_text(call, own.unwrap_or(TEXT), value)
}

pub(super) fn json_text(call: &Call<'_>, own: PgType, value: &Value) -> String {
    if let (Value::Text(text), 114 | 3802) = (value, own.oid) {
        return text.clone();
    }
    if let Value::List(items) = value {
        let element = own.element().unwrap_or(TEXT);
        let items: Vec<String> = items
            .iter()
            .map(|item| json_text(call, element, item))
            .collect();
        return format!("[{}]", items.join(","));
    }
    let Some(mut text) = text_out::text(value, call.context.zone) else {
        return "null".into();
    };
    let plain_number = matches!(category(own), Category::Numeric)
        && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && !text.ends_with("Infinity");
    if plain_number || matches!(value, Value::Bool(_)) {
        return text;
    }
    if matches!(value, Value::Timestamp(_) | Value::TimestampTz(_)) {
        text = iso_8601(&text);
    }
    let mut out = String::new();
    quoted(&text, &mut out);
    out
}

/// `2024-01-01 10:00:00+02` with a T, and minutes in the offset.
fn iso_8601(text: &str) -> String {
    let with_t = text.replacen(' ', "T", 1);
    match with_t.rfind(['+', '-']).filter(|at| *at > 10) {
        Some(at) if with_t.len() - at == 3 => format!("{with_t}:00"),
        _ => with_t,
    }
}
