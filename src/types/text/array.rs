//! Arrays in text, `{1,NULL,"a b"}`: section 8.15.6 of the Postgres manual.

/// An element after it was written unquoted from `start` on: quoted where it must
/// be. `delimiter` separates elements of its type: a comma but for box.
pub fn quote_from(out: &mut Vec<u8>, start: usize, delimiter: u8) {
    if !needs_quotes(&out[start..], delimiter) {
        return;
    }
    let plain = out.split_off(start);
    out.push(b'"');
    for byte in plain {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn needs_quotes(element: &[u8], delimiter: u8) -> bool {
    element.is_empty()
        || element.eq_ignore_ascii_case(b"null")
        || element.iter().any(|byte| {
            *byte == delimiter || matches!(byte, b'"' | b'\\' | b'{' | b'}' | b' ' | 0x09..=0x0d)
        })
}

/// Why a text is no array.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    Syntax(&'static str),
    /// More than one dimension, or lower bounds.
    Unsupported,
}

/// The elements of a one-dimensional array; `None` is NULL.
pub fn parse(text: &str) -> Result<Vec<Option<String>>, Malformed> {
    let text = text.trim();
    if text.starts_with('[') {
        return Err(Malformed::Unsupported);
    }
    let Some(inner) = text.strip_prefix('{') else {
        return Err(Malformed::Syntax(
            "Array value must start with \"{\" or dimension information.",
        ));
    };
    let mut elements = Vec::new();
    let mut chars = inner.chars().peekable();
    let skip = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
    };
    skip(&mut chars);
    if chars.next_if_eq(&'}').is_some() {
        skip(&mut chars);
        return finish(chars.next(), elements);
    }
    loop {
        skip(&mut chars);
        elements.push(element(&mut chars)?);
        skip(&mut chars);
        match chars.next() {
            Some(',') => {}
            Some('}') => {
                skip(&mut chars);
                return finish(chars.next(), elements);
            }
            Some(_) => return Err(Malformed::Syntax("Incorrectly quoted array element.")),
            None => return Err(Malformed::Syntax("Unexpected end of input.")),
        }
    }
}

fn finish(
    after: Option<char>,
    elements: Vec<Option<String>>,
) -> Result<Vec<Option<String>>, Malformed> {
    match after {
        None => Ok(elements),
        Some(_) => Err(Malformed::Syntax("Junk after closing right brace.")),
    }
}

fn element(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<Option<String>, Malformed> {
    let mut value = String::new();
    if chars.next_if_eq(&'"').is_some() {
        loop {
            match chars.next() {
                Some('"') => return Ok(Some(value)),
                Some('\\') => value.extend(chars.next()),
                Some(c) => value.push(c),
                None => return Err(Malformed::Syntax("Unexpected end of input.")),
            }
        }
    }
    let mut escaped = false;
    while let Some(&c) = chars.peek() {
        match c {
            ',' | '}' => break,
            '{' => return Err(Malformed::Unsupported),
            '"' => return Err(Malformed::Syntax("Incorrectly quoted array element.")),
            '\\' => {
                chars.next();
                value.extend(chars.next());
                escaped = true;
            }
            _ => {
                value.push(c);
                chars.next();
            }
        }
    }
    let trimmed = value.trim_end();
    if trimmed.is_empty() {
        return Err(Malformed::Syntax("Unexpected \",\" or \"}\" character."));
    }
    if !escaped && trimmed.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    Ok(Some(trimmed.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_quoted_where_postgres_quotes() {
        for (plain, quoted) in [
            ("a", "a"),
            ("", "\"\""),
            ("null", "\"null\""),
            ("a b", "\"a b\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("{", "\"{\""),
            ("a,b", "\"a,b\""),
            ("nulls", "nulls"),
        ] {
            let mut out = plain.as_bytes().to_vec();
            quote_from(&mut out, 0, b',');
            assert_eq!(String::from_utf8_lossy(&out), quoted);
        }
    }

    #[test]
    fn arrays_are_read() {
        let some = |text: &str| Some(text.to_string());
        assert_eq!(parse("{}"), Ok(vec![]));
        assert_eq!(
            parse(" { 1 , NULL,\"a,b\\\"\", x y } "),
            Ok(vec![some("1"), None, some("a,b\""), some("x y")])
        );
        assert_eq!(parse("{\"NULL\"}"), Ok(vec![some("NULL")]));
        assert_eq!(parse("{{1}}"), Err(Malformed::Unsupported));
        for text in ["1", "{1", "{1,}", "{1}x", "{\"a\"b}"] {
            assert!(matches!(parse(text), Err(Malformed::Syntax(_))), "{text}");
        }
    }
}
