//! Regular expressions and SIMILAR TO (section 9.7 of the manual), on an
//! engine without back references and lookaround: patterns that need them are
//! refused, never matched otherwise.

mod translate;

use std::cell::RefCell;
use std::collections::HashMap;

use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::BinaryExpr;
use datafusion::logical_expr::{Expr, Operator};
use regex::{Captures, Regex};

use super::arithmetic::misfit;
use super::{Overload, call_of, engine, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::text_out;
use crate::semantics::value::Value;
use crate::types::PgType;
pub(in crate::semantics) use translate::similar;
use translate::translated;

const TEXT: PgType = PgType::TEXT;
const BOOL: PgType = PgType::BOOL;
const INT4: PgType = PgType::INT4;
const TEXTS: PgType = PgType::TEXT_ARRAY;

pub(super) const FUNCTIONS: &[Overload] = &[
    engine("~", &[TEXT, TEXT], BOOL, |types, args| {
        matching(types, args, Operator::RegexMatch)
    }),
    engine("~*", &[TEXT, TEXT], BOOL, |types, args| {
        matching(types, args, Operator::RegexIMatch)
    }),
    engine("!~", &[TEXT, TEXT], BOOL, |types, args| {
        matching(types, args, Operator::RegexNotMatch)
    }),
    engine("!~*", &[TEXT, TEXT], BOOL, |types, args| {
        matching(types, args, Operator::RegexNotIMatch)
    }),
    strict("textregexeq", &[TEXT, TEXT], BOOL, |_, row| {
        is_match(row, "")
    }),
    strict("texticregexeq", &[TEXT, TEXT], BOOL, |_, row| {
        is_match(row, "i")
    }),
    strict("regexp_like", &[TEXT, TEXT], BOOL, |_, row| {
        is_match(row, "")
    }),
    strict(
        "regexp_like",
        &[TEXT, TEXT, TEXT],
        BOOL,
        |_, row| match row {
            [text, pattern, Value::Text(flags)] => {
                is_match(&[text.clone(), pattern.clone()], flags)
            }
            _ => Err(misfit()),
        },
    ),
    strict("regexp_count", &[TEXT, TEXT], INT4, |_, row| match row {
        [Value::Text(text), Value::Text(pattern)] => with_regex(pattern, "", |regex| {
            Ok(Value::Int(regex.find_iter(text).count() as i64))
        }),
        _ => Err(misfit()),
    }),
    strict("regexp_replace", &[TEXT, TEXT, TEXT], TEXT, replace),
    strict("regexp_replace", &[TEXT, TEXT, TEXT, TEXT], TEXT, replace),
    strict("regexp_match", &[TEXT, TEXT], TEXTS, first_match),
    strict("regexp_match", &[TEXT, TEXT, TEXT], TEXTS, first_match),
    strict("regexp_substr", &[TEXT, TEXT], TEXT, |_, row| match row {
        [Value::Text(text), Value::Text(pattern)] => with_regex(pattern, "", |regex| {
            Ok(regex
                .find(text)
                .map_or(Value::Null, |found| Value::Text(found.as_str().into())))
        }),
        _ => Err(misfit()),
    }),
    strict("regexp_split_to_array", &[TEXT, TEXT], TEXTS, split),
    strict("regexp_split_to_array", &[TEXT, TEXT, TEXT], TEXTS, split),
    strict("substring", &[TEXT, TEXT], TEXT, |_, row| match row {
        [Value::Text(text), Value::Text(pattern)] => with_regex(pattern, "", |regex| {
            let Some(found) = regex.captures(text) else {
                return Ok(Value::Null);
            };
            // the first group if there is one
            let part = if regex.captures_len() > 1 {
                found.get(1)
            } else {
                found.get(0)
            };
            Ok(part.map_or(Value::Null, |part| Value::Text(part.as_str().into())))
        }),
        _ => Err(misfit()),
    }),
    strict("similar_to_escape", &[TEXT], TEXT, |_, row| match row {
        [Value::Text(pattern)] => Ok(Value::Text(similar(pattern, Some('\\'))?)),
        _ => Err(misfit()),
    }),
];

/// A constant pattern becomes one of the engine's own, others are matched row by row.
fn matching(types: &[PgType], args: Vec<Expr>, operator: Operator) -> EngineResult<Expr> {
    let flags = match operator {
        Operator::RegexIMatch | Operator::RegexNotIMatch => "i",
        _ => "",
    };
    let mut args = args;
    if let Some(Expr::Literal(
        ScalarValue::Utf8View(Some(pattern)) | ScalarValue::Utf8(Some(pattern)),
        _,
    )) = args.get(1)
    {
        let pattern = translated(pattern, flags)?;
        compile(&pattern)?;
        let literal = Expr::Literal(ScalarValue::Utf8View(Some(pattern)), None);
        let text = args.swap_remove(0);
        // the flag is in the pattern
        let operator = match operator {
            Operator::RegexIMatch => Operator::RegexMatch,
            Operator::RegexNotIMatch => Operator::RegexNotMatch,
            other => other,
        };
        return Ok(Expr::BinaryExpr(BinaryExpr::new(
            Box::new(text),
            operator,
            Box::new(literal),
        )));
    }
    let name = if flags.is_empty() {
        "textregexeq"
    } else {
        "texticregexeq"
    };
    let call = call_of(name, types.to_vec(), args)?;
    Ok(match operator {
        Operator::RegexNotMatch | Operator::RegexNotIMatch => Expr::Not(Box::new(call)),
        _ => call,
    })
}

fn is_match(row: &[Value], flags: &str) -> Result<Value> {
    match row {
        [Value::Text(text), Value::Text(pattern)] => with_regex(pattern, flags, |regex| {
            Ok(Value::Bool(regex.is_match(text)))
        }),
        _ => Err(misfit()),
    }
}

fn replace(_: &super::Call<'_>, row: &[Value]) -> Result<Value> {
    let (text, pattern, replacement, flags) = match row {
        [
            Value::Text(text),
            Value::Text(pattern),
            Value::Text(replacement),
        ] => (text, pattern, replacement, ""),
        [
            Value::Text(text),
            Value::Text(pattern),
            Value::Text(replacement),
            Value::Text(flags),
        ] => (text, pattern, replacement, flags.as_str()),
        _ => return Err(misfit()),
    };
    let count = if flags.contains('g') { 0 } else { 1 };
    with_regex(pattern, flags, |regex| {
        let replaced = regex.replacen(text, count, |found: &Captures<'_>| {
            substituted(found, replacement)
        });
        Ok(Value::Text(replaced.into_owned()))
    })
}

/// `\1` to `\9` are groups, `\&` the whole match, `\\` a backslash.
fn substituted(found: &Captures<'_>, replacement: &str) -> String {
    let mut out = String::new();
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('&') => out.push_str(found.get(0).map_or("", |part| part.as_str())),
            Some(digit @ '1'..='9') => {
                let group = digit.to_digit(10).unwrap_or(0) as usize;
                out.push_str(found.get(group).map_or("", |part| part.as_str()));
            }
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

fn first_match(_: &super::Call<'_>, row: &[Value]) -> Result<Value> {
    let (text, pattern, flags) = text_pattern_flags(row)?;
    if flags.contains('g') {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "regexp_match() does not support the \"global\" option",
        )
        .with_hint("Use the regexp_matches function instead."));
    }
    with_regex(pattern, flags, |regex| {
        Ok(regex
            .captures(text)
            .map_or(Value::Null, |found| groups(&found)))
    })
}

/// Every match with the flag `g`, else the first, each an array in its text form.
pub(super) fn all_matches(call: &super::Call<'_>, row: &[Value]) -> Result<Value> {
    let (text, pattern, flags) = text_pattern_flags(row)?;
    let most = if flags.contains('g') { usize::MAX } else { 1 };
    with_regex(pattern, flags, |regex| {
        let rows = regex.captures_iter(text).take(most).map(|found| {
            text_out::text(&groups(&found), call.context.zone).map_or(Value::Null, Value::Text)
        });
        Ok(Value::List(rows.collect()))
    })
}

fn groups(found: &Captures<'_>) -> Value {
    let text = |part: Option<regex::Match<'_>>| {
        part.map_or(Value::Null, |part| Value::Text(part.as_str().into()))
    };
    Value::List(match found.len() {
        1 => vec![text(found.get(0))],
        _ => found.iter().skip(1).map(text).collect(),
    })
}

pub(super) fn split(_: &super::Call<'_>, row: &[Value]) -> Result<Value> {
    let (text, pattern, flags) = text_pattern_flags(row)?;
    with_regex(pattern, flags, |regex| {
        let mut parts = Vec::new();
        let mut last = 0;
        for found in regex.find_iter(text) {
            // an empty match at either end splits nothing
            if found.is_empty() && (found.start() == 0 || found.start() >= text.len()) {
                continue;
            }
            parts.push(Value::Text(text[last..found.start()].into()));
            last = found.end();
        }
        parts.push(Value::Text(text[last..].into()));
        Ok(Value::List(parts))
    })
}

fn text_pattern_flags(row: &[Value]) -> Result<(&str, &str, &str)> {
    match row {
        [Value::Text(text), Value::Text(pattern)] => Ok((text, pattern, "")),
        [Value::Text(text), Value::Text(pattern), Value::Text(flags)] => Ok((text, pattern, flags)),
        _ => Err(misfit()),
    }
}

thread_local! {
    /// Compiled patterns of this thread; dropped together when there are many.
    static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
}

const MANY: usize = 100;

fn with_regex<T>(pattern: &str, flags: &str, run: impl FnOnce(&Regex) -> Result<T>) -> Result<T> {
    let translated = translated(pattern, flags)?;
    let known = COMPILED.with_borrow(|compiled| compiled.get(&translated).cloned());
    let regex = match known {
        Some(regex) => regex,
        None => {
            let regex = compile(&translated)?;
            COMPILED.with_borrow_mut(|compiled| {
                if compiled.len() >= MANY {
                    compiled.clear();
                }
                compiled.insert(translated, regex.clone());
            });
            regex
        }
    };
    run(&regex)
}

fn compile(translated: &str) -> Result<Regex> {
    Regex::new(translated).map_err(|error| {
        let text = error.to_string();
        let what = text
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        invalid(match what {
            "unclosed group" | "unopened group" => "parentheses () not balanced",
            "unclosed character class" => "brackets [] not balanced",
            "unclosed counted repetition" => "braces {} not balanced",
            "repetition operator missing expression" => "quantifier operand invalid",
            what if what.contains("repetition") => "invalid repetition count(s)",
            what if what.contains("class range") => "invalid character range",
            what => what,
        })
    })
}

fn invalid(what: &str) -> Error {
    Error::new(
        SqlState::INVALID_REGULAR_EXPRESSION,
        format!("invalid regular expression: {what}"),
    )
}

fn unsupported(what: &str) -> Error {
    Error::unsupported(format!(
        "regular expressions with {what} are not supported here"
    ))
}
