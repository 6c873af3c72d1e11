//! format(): section 9.4.1 of the manual. Called by the overloads of `strings`.

use super::*;

/// format(): `%s`, `%I`, `%L`, `%%`, with `n$` positions, `-` and widths.
pub(super) fn format(call: &Call<'_>, row: &[Value]) -> Result<Value> {
    let (template, values) = match row {
        [Value::Text(template), values @ ..] => (template, values),
        _ => return Ok(Value::Null),
    };
    let wrong = |message: &str| Error::new(SqlState::INVALID_PARAMETER_VALUE, message);
    let mut out = String::new();
    let mut chars = template.chars().peekable();
    let mut next = 0usize;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            out.push('%');
            continue;
        }
        let mut number = digits(&mut chars);
        let mut position = None;
        if number.is_some() && chars.next_if_eq(&'$').is_some() {
            position = number.take();
            if position == Some(0) {
                return Err(wrong(
                    "format specifies argument 0, but arguments are numbered from 1",
                ));
            }
        }
        let to_left = chars.next_if_eq(&'-').is_some();
        let width = number.or_else(|| digits(&mut chars)).unwrap_or(0);
        let kind = chars
            .next()
            .ok_or_else(|| wrong("unterminated format() type specifier"))?;
        let at = position.map_or(next, |position| position - 1);
        next = at + 1;
        let value = values
            .get(at)
            .ok_or_else(|| wrong("too few arguments for format()"))?;
        // the format itself is the first argument
        let text = output(call, at + 1, value);
        let text = match (kind, text) {
            ('s', text) => text.unwrap_or_default(),
            ('I', Some(text)) => quote_identifier(&text),
            ('I', None) => {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
            ('L', Some(text)) => quote_literal(&text),
            ('L', None) => "NULL".into(),
            (other, _) => {
                return Err(wrong(&format!(
                    "unrecognized format() type specifier \"{other}\""
                )));
            }
        };
        let missing = width.saturating_sub(text.chars().count());
        let space = " ".repeat(missing.min(MAX_TEXT / 4));
        if to_left {
            out.push_str(&text);
            out.push_str(&space);
        } else {
            out.push_str(&space);
            out.push_str(&text);
        }
    }
    Ok(Value::Text(out))
}

pub(super) fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut text = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        text.push(digit);
    }
    text.parse().ok()
}
