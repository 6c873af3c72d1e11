//! `x [NOT] IN (a, b, …)` over literals. Long lists go as one array literal,
//! which Postgres reads faster than as many expressions.

use datafusion::logical_expr::expr::InList;

use super::cast::without_widening;
use super::comparison::{Kind, beside, comparable};
use super::{Scope, value};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::value::{Class, Form, Value};

/// Longer lists go as an array.
const INLINE: usize = 200;
/// Longer lists cost more to send and plan than they save.
const LONGEST: usize = 100_000;

pub(super) fn in_list(scope: Scope<'_>, list: &InList) -> Outcome<Value> {
    if list.list.is_empty() || list.list.len() > LONGEST {
        return Err(Reason::LongList {
            length: list.list.len(),
        });
    }
    let tested = value(scope, without_widening(scope, &list.expr))?;
    let mut items = Vec::with_capacity(list.list.len());
    for item in &list.list {
        let item = value(scope, without_widening(scope, item))?;
        comparable(&tested, &item, Kind::Equality)?;
        items.push(item);
    }
    if items.len() > INLINE
        && let Some(array) = array(&tested, &items)
    {
        let operator = if list.negated { "<> ALL" } else { "= ANY" };
        let tested = &tested.sql;
        return Ok(Value::condition(format!("({tested} {operator} ({array}))")));
    }
    let not = if list.negated { "NOT " } else { "" };
    let items: Vec<&str> = items.iter().map(|item| beside(item, &tested)).collect();
    let (tested, items) = (&tested.sql, items.join(", "));
    Ok(Value::condition(format!("({tested} {not}IN ({items}))")))
}

/// The literals as one; `None`: as they are.
fn array(tested: &Value, items: &[Value]) -> Option<String> {
    let element = match tested.class().ok()?? {
        Class::Number if tested.is_integer() && items.iter().all(whole) => "int8",
        Class::Number => "numeric",
        Class::Text if tested.pg_type.oid == 1042 => "bpchar",
        Class::Text => "text",
        _ => return None,
    };
    let mut elements = Vec::with_capacity(items.len());
    for item in items {
        let bare = item.bare.as_ref()?;
        if item.form != Form::Literal {
            return None;
        }
        elements.push(match item.class().ok()? {
            None => "NULL".to_string(),
            Some(Class::Number) => bare.trim_matches(['(', ')']).to_string(),
            // quoted within the quotes of the whole
            Some(_) => {
                let text = bare.strip_prefix('\'')?.strip_suffix('\'')?;
                format!("\"{}\"", text.replace('"', "\\\""))
            }
        });
    }
    let elements = elements.join(",");
    Some(match elements.contains('\\') {
        true => format!("E'{{{}}}'::{element}[]", elements.replace('\\', "\\\\")),
        false => format!("'{{{elements}}}'::{element}[]"),
    })
}

fn whole(item: &Value) -> bool {
    let number = |bare: &String| bare.trim_matches(['(', ')']).parse::<i64>().is_ok();
    item.class() == Ok(None) || item.bare.as_ref().is_some_and(number)
}
