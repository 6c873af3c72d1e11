//! Array functions and subscripts (sections 8.15 and 9.19 of the manual) on
//! arrays of one dimension whose first subscript is 1.

use std::cmp::Ordering;

use super::arithmetic::misfit;
use super::{ANYARRAY, ANYELEMENT, Call, Overload, Typing, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::text_out;
use crate::semantics::value::Value;
use crate::types::PgType;

const TEXT: PgType = PgType::TEXT;
const INT4: PgType = PgType::INT4;
const BOOL: PgType = PgType::BOOL;

pub(super) const FUNCTIONS: &[Overload] = &[
    strict(
        "array_subscript",
        &[ANYARRAY, INT4],
        TEXT,
        |call, row| match row {
            [Value::List(items), Value::Int(at)] => Ok(item(items, *at + 1 - lowest(call))),
            _ => Err(misfit()),
        },
    )
    .typed(element),
    strict(
        "array_subscript_range",
        &[ANYARRAY, INT4, INT4],
        TEXT,
        |call, row| match row {
            [Value::List(items), Value::Int(from), Value::Int(to)] => {
                let (from, to) = (from + 1 - lowest(call), to + 1 - lowest(call));
                let from = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
                let to = usize::try_from(to).unwrap_or(0).min(items.len());
                Ok(Value::List(
                    items.get(from..to.max(from)).unwrap_or_default().to_vec(),
                ))
            }
            _ => Err(misfit()),
        },
    )
    .typed(same),
    strict(
        "array_length",
        &[ANYARRAY, INT4],
        INT4,
        |_, row| match row {
            [Value::List(items), Value::Int(1)] if !items.is_empty() => {
                Ok(Value::Int(items.len() as i64))
            }
            [Value::List(_), Value::Int(_)] => Ok(Value::Null),
            _ => Err(misfit()),
        },
    ),
    strict(
        "array_upper",
        &[ANYARRAY, INT4],
        INT4,
        |call, row| match row {
            [Value::List(items), Value::Int(1)] if !items.is_empty() => {
                Ok(Value::Int(items.len() as i64 - 1 + lowest(call)))
            }
            [Value::List(_), Value::Int(_)] => Ok(Value::Null),
            _ => Err(misfit()),
        },
    ),
    strict(
        "array_lower",
        &[ANYARRAY, INT4],
        INT4,
        |call, row| match row {
            [Value::List(items), Value::Int(1)] if !items.is_empty() => {
                Ok(Value::Int(lowest(call)))
            }
            [Value::List(_), Value::Int(_)] => Ok(Value::Null),
            _ => Err(misfit()),
        },
    ),
    strict("array_ndims", &[ANYARRAY], INT4, |_, row| match row {
        [Value::List(items)] if items.is_empty() => Ok(Value::Null),
        [Value::List(_)] => Ok(Value::Int(1)),
        _ => Err(misfit()),
    }),
    strict("cardinality", &[ANYARRAY], INT4, |_, row| match row {
        [Value::List(items)] => Ok(Value::Int(items.len() as i64)),
        _ => Err(misfit()),
    }),
    strict(
        "array_position",
        &[ANYARRAY, ANYELEMENT],
        INT4,
        |_, row| match row {
            [Value::List(items), wanted] => Ok(items
                .iter()
                .position(|item| same_value(item, wanted))
                .map_or(Value::Null, |at| Value::Int(at as i64 + 1))),
            _ => Ok(Value::Null),
        },
    )
    .nullable(),
    strict(
        "array_positions",
        &[ANYARRAY, ANYELEMENT],
        PgType {
            oid: 1007,
            typmod: -1,
        },
        |_, row| match row {
            [Value::List(items), wanted] => Ok(Value::List(
                items
                    .iter()
                    .enumerate()
                    .filter(|(_, item)| same_value(item, wanted))
                    .map(|(at, _)| Value::Int(at as i64 + 1))
                    .collect(),
            )),
            _ => Ok(Value::Null),
        },
    )
    .nullable(),
    strict(
        "array_append",
        &[ANYARRAY, ANYELEMENT],
        TEXT,
        |_, row| match row {
            [array, item] => Ok(Value::List([list(array), vec![item.clone()]].concat())),
            _ => Err(misfit()),
        },
    )
    .nullable()
    .typed(same),
    strict(
        "array_prepend",
        &[ANYELEMENT, ANYARRAY],
        TEXT,
        |_, row| match row {
            [item, array] => Ok(Value::List([vec![item.clone()], list(array)].concat())),
            _ => Err(misfit()),
        },
    )
    .nullable()
    .typed(|typing| typing.types.get(1).copied().unwrap_or(PgType::TEXT_ARRAY)),
    strict(
        "array_cat",
        &[ANYARRAY, ANYARRAY],
        TEXT,
        |_, row| match row {
            [Value::Null, Value::Null] => Ok(Value::Null),
            [a, b] => Ok(Value::List([list(a), list(b)].concat())),
            _ => Err(misfit()),
        },
    )
    .nullable()
    .typed(same),
    strict(
        "array_remove",
        &[ANYARRAY, ANYELEMENT],
        TEXT,
        |_, row| match row {
            [Value::List(items), unwanted] => Ok(Value::List(
                items
                    .iter()
                    .filter(|item| !same_value(item, unwanted))
                    .cloned()
                    .collect(),
            )),
            _ => Ok(Value::Null),
        },
    )
    .nullable()
    .typed(same),
    strict(
        "array_replace",
        &[ANYARRAY, ANYELEMENT, ANYELEMENT],
        TEXT,
        |_, row| match row {
            [Value::List(items), from, to] => Ok(Value::List(
                items
                    .iter()
                    .map(|item| {
                        if same_value(item, from) {
                            to.clone()
                        } else {
                            item.clone()
                        }
                    })
                    .collect(),
            )),
            _ => Ok(Value::Null),
        },
    )
    .nullable()
    .typed(same),
    strict("array_to_string", &[ANYARRAY, TEXT], TEXT, joined).nullable(),
    strict("array_to_string", &[ANYARRAY, TEXT, TEXT], TEXT, joined).nullable(),
    strict("string_to_array", &[TEXT, TEXT], PgType::TEXT_ARRAY, split).nullable(),
    strict(
        "string_to_array",
        &[TEXT, TEXT, TEXT],
        PgType::TEXT_ARRAY,
        split,
    )
    .nullable(),
    strict("= any", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        any(row, Ordering::is_eq)
    })
    .nullable(),
    strict("<> any", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        any(row, Ordering::is_ne)
    })
    .nullable(),
    strict("< any", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        any(row, Ordering::is_lt)
    })
    .nullable(),
    strict("<= any", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        any(row, Ordering::is_le)
    })
    .nullable(),
    strict("> any", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        any(row, Ordering::is_gt)
    })
    .nullable(),
    strict(">= any", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        any(row, Ordering::is_ge)
    })
    .nullable(),
    strict("= all", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        all(row, Ordering::is_eq)
    })
    .nullable(),
    strict("<> all", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        all(row, Ordering::is_ne)
    })
    .nullable(),
    strict("< all", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        all(row, Ordering::is_lt)
    })
    .nullable(),
    strict("<= all", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        all(row, Ordering::is_le)
    })
    .nullable(),
    strict("> all", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        all(row, Ordering::is_gt)
    })
    .nullable(),
    strict(">= all", &[ANYELEMENT, ANYARRAY], BOOL, |_, row| {
        all(row, Ordering::is_ge)
    })
    .nullable(),
    strict("@>", &[ANYARRAY, ANYARRAY], BOOL, |_, row| match row {
        [Value::List(a), Value::List(b)] => Ok(Value::Bool(holds(a, b))),
        _ => Err(misfit()),
    }),
    strict("<@", &[ANYARRAY, ANYARRAY], BOOL, |_, row| match row {
        [Value::List(a), Value::List(b)] => Ok(Value::Bool(holds(b, a))),
        _ => Err(misfit()),
    }),
    strict("&&", &[ANYARRAY, ANYARRAY], BOOL, |_, row| match row {
        [Value::List(a), Value::List(b)] => {
            Ok(Value::Bool(a.iter().any(|x| {
                b.iter().any(|y| compare(x, y) == Some(Ordering::Equal))
            })))
        }
        _ => Err(misfit()),
    }),
];

fn element(typing: &Typing<'_>) -> PgType {
    typing
        .types
        .first()
        .and_then(|array| array.element())
        .unwrap_or(TEXT)
}

fn same(typing: &Typing<'_>) -> PgType {
    typing.types.first().copied().unwrap_or(PgType::TEXT_ARRAY)
}

fn item(items: &[Value], at: i64) -> Value {
    usize::try_from(at - 1)
        .ok()
        .and_then(|at| items.get(at))
        .cloned()
        .unwrap_or(Value::Null)
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) => items.clone(),
        _ => vec![],
    }
}

/// IS NOT DISTINCT FROM.
fn same_value(a: &Value, b: &Value) -> bool {
    match (a.is_null(), b.is_null()) {
        (true, true) => true,
        (false, false) => compare(a, b) == Some(Ordering::Equal),
        _ => false,
    }
}

/// Values of one type in its order; `None` for NULL and for types without one.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    let float = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (true, true) => Some(Ordering::Equal),
        (true, false) => Some(Ordering::Greater),
        (false, true) => Some(Ordering::Less),
        _ => a.partial_cmp(&b),
    };
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float4(a), Value::Float4(b)) => float((*a).into(), (*b).into()),
        (Value::Float8(a), Value::Float8(b)) => float(*a, *b),
        (Value::Numeric(a), Value::Numeric(b)) => Some(a.compare(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::TimestampTz(a), Value::TimestampTz(b)) => Some(a.cmp(b)),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// The first subscript: int2vector and oidvector count from 0.
pub(super) fn lowest(call: &Call<'_>) -> i64 {
    let own = call.types.first().map(|own| own.oid);
    i64::from(own != Some(PgType::INT2VECTOR.oid) && own != Some(PgType::OIDVECTOR.oid))
}

fn holds(outer: &[Value], inner: &[Value]) -> bool {
    inner.iter().all(|wanted| {
        outer
            .iter()
            .any(|item| compare(item, wanted) == Some(Ordering::Equal))
    })
}

/// NULL if nothing matches but something might.
fn any(row: &[Value], test: fn(Ordering) -> bool) -> Result<Value> {
    let [wanted, Value::List(items)] = row else {
        return Ok(Value::Null);
    };
    let mut unknown = false;
    for item in items {
        match compare(wanted, item) {
            Some(order) if test(order) => return Ok(Value::Bool(true)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown {
        Value::Null
    } else {
        Value::Bool(false)
    })
}

fn all(row: &[Value], test: fn(Ordering) -> bool) -> Result<Value> {
    let [wanted, Value::List(items)] = row else {
        return Ok(Value::Null);
    };
    let mut unknown = false;
    for item in items {
        match compare(wanted, item) {
            Some(order) if !test(order) => return Ok(Value::Bool(false)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown {
        Value::Null
    } else {
        Value::Bool(true)
    })
}

fn joined(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (items, separator, for_null) = match row {
        [Value::List(items), Value::Text(separator)] => (items, separator, None),
        [
            Value::List(items),
            Value::Text(separator),
            Value::Text(text),
        ] => (items, separator, Some(text)),
        [Value::List(items), Value::Text(separator), Value::Null] => (items, separator, None),
        _ => return Ok(Value::Null),
    };
    let parts: Vec<String> = items
        .iter()
        .filter_map(|item| match item {
            Value::Bool(value) => Some(if *value { "t" } else { "f" }.to_string()),
            other => text_out::text(other, call.context.zone).or_else(|| for_null.cloned()),
        })
        .collect();
    Ok(Value::Text(parts.join(separator)))
}

pub(super) fn split(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (text, separator, null) = match row {
        [Value::Text(text), separator] => (text, separator, None),
        [Value::Text(text), separator, Value::Text(null)] => (text, separator, Some(null)),
        [Value::Text(text), separator, Value::Null] => (text, separator, None),
        _ => return Ok(Value::Null),
    };
    let parts: Vec<String> = match separator {
        _ if text.is_empty() => vec![],
        Value::Text(separator) if separator.is_empty() => vec![text.clone()],
        Value::Text(separator) => text.split(separator.as_str()).map(str::to_string).collect(),
        Value::Null => text.chars().map(String::from).collect(),
        _ => return Err(misfit()),
    };
    let parts = parts
        .into_iter()
        .map(|part| match null {
            Some(null) if *null == part => Value::Null,
            _ => Value::Text(part),
        })
        .collect();
    Ok(Value::List(parts))
}

/// What `= ANY` and `< ALL` say where the right side is no array.
pub(in crate::semantics) fn needs_array() -> Error {
    Error::new(
        SqlState::WRONG_OBJECT_TYPE,
        "op ANY/ALL (array) requires array on right side",
    )
}
