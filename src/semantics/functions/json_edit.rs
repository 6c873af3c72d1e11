//! JSON functions that change values and build them from rows and arrays
//! (section 9.16 of the manual).

use super::arithmetic::misfit;
use super::json::jsonb;
use super::json_model::{Json, parse, quoted};
use super::{Call, Overload, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::value::Value;
use crate::types::PgType;

const JSON: PgType = PgType::JSON;
const JSONB: PgType = PgType::JSONB;
const TEXT: PgType = PgType::TEXT;
const TEXTS: PgType = PgType::TEXT_ARRAY;
const BOOL: PgType = PgType::BOOL;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict("#-", &[JSONB, TEXTS], JSONB, |_, row| match row {
        [Value::Text(json), Value::List(path)] => edited(json, path, &mut Edit::Delete),
        _ => Err(misfit()),
    }),
    strict("jsonb_set", &[JSONB, TEXTS, JSONB], JSONB, set),
    strict("jsonb_set", &[JSONB, TEXTS, JSONB, BOOL], JSONB, set),
    strict("jsonb_insert", &[JSONB, TEXTS, JSONB], JSONB, insert),
    strict("jsonb_insert", &[JSONB, TEXTS, JSONB, BOOL], JSONB, insert),
    strict("jsonb_pretty", &[JSONB], TEXT, |_, row| match row {
        [Value::Text(json)] => {
            let mut out = String::new();
            pretty(&parse(json)?, 0, &mut out);
            Ok(Value::Text(out))
        }
        _ => Err(misfit()),
    }),
    strict("json_object", &[TEXTS], JSON, object),
    strict("json_object", &[TEXTS, TEXTS], JSON, object),
    strict("jsonb_object", &[TEXTS], JSONB, object),
    strict("jsonb_object", &[TEXTS, TEXTS], JSONB, object),
];

enum Edit {
    Delete,
    /// What a member or item becomes, and whether one that is missing is added.
    Set(Json, bool),
    /// After the item instead of before it?
    Insert(Json, bool),
}

fn set(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (json, path, new, missing) = arguments(row)?;
    edited(
        json,
        path,
        &mut Edit::Set(parse(new)?, missing.unwrap_or(true)),
    )
}

fn insert(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (json, path, new, after) = arguments(row)?;
    edited(
        json,
        path,
        &mut Edit::Insert(parse(new)?, after.unwrap_or(false)),
    )
}

type Arguments<'a> = (&'a str, &'a [Value], &'a str, Option<bool>);

fn arguments(row: &[Value]) -> Result<Arguments<'_>> {
    match row {
        [Value::Text(json), Value::List(path), Value::Text(new)] => Ok((json, path, new, None)),
        [
            Value::Text(json),
            Value::List(path),
            Value::Text(new),
            Value::Bool(flag),
        ] => Ok((json, path, new, Some(*flag))),
        _ => Err(misfit()),
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn edited(json: &str, path: &[Value], edit: &mut Edit) -> Result<Value> {
    let mut json = parse(json)?;
    if !matches!(json, Json::Array(_) | Json::Object(_)) {
        return Err(wrong(match edit {
            Edit::Delete => "cannot delete path in scalar",
            _ => "cannot set path in scalar",
        }));
    }
    let mut steps = Vec::with_capacity(path.len());
    for (at, step) in path.iter().enumerate() {
        match step {
            Value::Text(step) => steps.push(step.as_str()),
            _ => {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    format!("path element at position {} is null", at + 1),
                ));
            }
        }
    }
    if !steps.is_empty() {
        change(&mut json, &steps, 1, edit)?;
    }
    Ok(jsonb(json))
}

fn change(json: &mut Json, path: &[&str], depth: usize, edit: &mut Edit) -> Result<()> {
    let Some((step, rest)) = path.split_first() else {
        return Ok(());
    };
    match json {
        Json::Object(members) => {
            let at = members.iter().position(|(key, _)| key == step);
            match (at, rest.is_empty(), edit) {
                (Some(at), false, edit) => change(&mut members[at].1, rest, depth + 1, edit),
                (Some(at), true, Edit::Delete) => {
                    members.remove(at);
                    Ok(())
                }
                (Some(at), true, Edit::Set(new, _)) => {
                    members[at].1 = new.clone();
                    Ok(())
                }
                (Some(_), true, Edit::Insert(..)) => Err(wrong("cannot replace existing key")
                    .with_hint("Try using the function jsonb_set to replace key value.")),
                (None, true, Edit::Set(new, true) | Edit::Insert(new, _)) => {
                    members.push((step.to_string(), new.clone()));
                    Ok(())
                }
                _ => Ok(()),
            }
        }
        Json::Array(items) => {
            let index: i64 = step.parse().map_err(|_| {
                Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("path element at position {depth} is not an integer: \"{step}\""),
                )
            })?;
            let length = items.len() as i64;
            let from_start = if index < 0 { length + index } else { index };
            let found = usize::try_from(from_start)
                .ok()
                .filter(|at| *at < items.len());
            match (found, rest.is_empty(), edit) {
                (Some(at), false, edit) => change(&mut items[at], rest, depth + 1, edit)?,
                (Some(at), true, Edit::Delete) => {
                    items.remove(at);
                }
                (Some(at), true, Edit::Set(new, _)) => items[at] = new.clone(),
                (Some(at), true, Edit::Insert(new, after)) => {
                    items.insert(at + usize::from(*after), new.clone());
                }
                // past either end it is added there
                (None, true, Edit::Set(new, true) | Edit::Insert(new, _)) => match index < 0 {
                    true => items.insert(0, new.clone()),
                    false => items.push(new.clone()),
                },
                _ => {}
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn pretty(json: &Json, depth: usize, out: &mut String) {
    let indent = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"    ".repeat(depth));
    };
    match json {
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                indent(out, depth + 1);
                pretty(item, depth + 1, out);
            }
            indent(out, depth);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                indent(out, depth + 1);
                quoted(key, out);
                out.push_str(": ");
                pretty(value, depth + 1, out);
            }
            indent(out, depth);
            out.push('}');
        }
        other => out.push_str(&other.text()),
    }
}

/// Of keys and values in turn, or of two lists.
fn object(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let pairs: Vec<(&Value, &Value)> = match row {
        [Value::List(all)] if all.len() % 2 == 0 => all
            .chunks_exact(2)
            .map(|pair| (&pair[0], &pair[1]))
            .collect(),
        [Value::List(_)] => {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "array must have even number of elements",
            ));
        }
        [Value::List(keys), Value::List(values)] if keys.len() == values.len() => {
            keys.iter().zip(values).collect()
        }
        [Value::List(_), Value::List(_)] => {
            return Err(Error::new(
                SqlState::ARRAY_SUBSCRIPT_ERROR,
                "mismatched array dimensions",
            ));
        }
        _ => return Err(misfit()),
    };
    let mut members = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let Value::Text(key) = key else {
            return Err(Error::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "null value not allowed for object key",
            ));
        };
        members.push((
            key.clone(),
            match value {
                Value::Text(text) => Json::Text(text.clone()),
                _ => Json::Null,
            },
        ));
    }
    if call.returns.oid == JSONB.oid {
        return Ok(jsonb(Json::Object(members)));
    }
    let members: Vec<String> = members
        .iter()
        .map(|(key, value)| {
            let mut text = String::new();
            quoted(key, &mut text);
            format!("{text} : {}", value.text())
        })
        .collect();
    Ok(Value::Text(format!("{{{}}}", members.join(", "))))
}
