//! JSON as a tree that keeps numbers as they were written, its reader and its
//! two printed forms (section 8.14 of the manual).

use crate::error::{Error, Result, SqlState};
use crate::semantics::numeric::Numeric;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Deeper values than this are refused, as Postgres refuses them by its stack.
const MAX_DEPTH: usize = 2_000;

/// 22P02 with Postgres's words for what is no JSON.
pub(super) fn parse(text: &str) -> Result<Json> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let value = reader.value()?;
    reader.space();
    match reader.at == text.len() {
        true => Ok(value),
        false => Err(reader.unexpected("Expected end of input, but found")),
    }
}

/// The parts of a json value as they were written: json keeps its text.
pub(super) enum Raw<'a> {
    Array(Vec<&'a str>),
    Object(Vec<(String, &'a str)>),
    Scalar,
}

/// The first level of a json value.
pub(super) fn raw(text: &str) -> Result<Raw<'_>> {
    let whole = parse(text)?;
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    reader.space();
    reader.at += 1;
    Ok(match whole {
        Json::Array(items) => {
            let parts = items.iter().map(|_| reader.part());
            Raw::Array(parts.collect::<Result<_>>()?)
        }
        Json::Object(members) => {
            let parts = members.into_iter().map(|(key, _)| {
                reader.space();
                reader.string()?;
                reader.space();
                reader.at += 1;
                Ok((key, reader.part()?))
            });
            Raw::Object(parts.collect::<Result<_>>()?)
        }
        _ => Raw::Scalar,
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// The text of a value, past the comma or bracket after it.
    fn part(&mut self) -> Result<&'a str> {
        self.space();
        let start = self.at;
        self.value()?;
        let part = &self.text[start..self.at];
        self.space();
        self.at += 1;
        Ok(part)
    }
}

impl Reader<'_> {
    fn space(&mut self) {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.at += rest.len() - trimmed.len();
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, detail: String) -> Error {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type json",
        )
        .with_detail(detail)
    }

    fn unexpected(&self, expected: &str) -> Error {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return self.error("The input string ended unexpectedly.".into());
        }
        let end = rest
            .char_indices()
            .find(|(at, c)| *at > 0 && !c.is_alphanumeric())
            .map_or(rest.len(), |(at, _)| at);
        self.error(format!("{expected} \"{}\".", &rest[..end]))
    }

    fn value(&mut self) -> Result<Json> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in [
                    ("true", Json::Bool(true)),
                    ("false", Json::Bool(false)),
                    ("null", Json::Null),
                ] {
                    let rest = &self.text[self.at..];
                    let ends = !rest[word.len().min(rest.len())..]
                        .starts_with(|c: char| c.is_alphanumeric() || c == '_');
                    if rest.starts_with(word) && ends {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                let rest = &self.text[self.at..];
                if rest.starts_with(|c: char| c.is_alphabetic()) {
                    let end = rest
                        .find(|c: char| !c.is_alphanumeric())
                        .unwrap_or(rest.len());
                    return Err(self.error(format!("Token \"{}\" is invalid.", &rest[..end])));
                }
                Err(self.unexpected("Expected JSON value, but found"))
            }
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json>) -> Result<Json> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(
                SqlState::STATEMENT_TOO_COMPLEX,
                "stack depth limit exceeded",
            ));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json> {
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.unexpected("Expected \",\" or \"]\", but found")),
            }
        }
    }

    fn object(&mut self) -> Result<Json> {
        let mut members = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("Expected string, but found"));
            }
            let key = self.string()?;
            if self.peek() != Some(b':') {
                return Err(self.unexpected("Expected \":\", but found"));
            }
            self.at += 1;
            members.push((key, self.value()?));
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(members));
                }
                _ => return Err(self.unexpected("Expected \",\" or \"}\", but found")),
            }
        }
    }

    fn number(&mut self) -> Result<Json> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let token = &rest[..end];
        let digits = token.strip_prefix('-').unwrap_or(token);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let point_alone = digits.starts_with('.') || digits.contains(".e") || digits.ends_with('.');
        let valid = digits.starts_with(|c: char| c.is_ascii_digit())
            && !leading_zero
            && !point_alone
            && Numeric::parse(token).is_some();
        if !valid {
            return Err(self.error(format!("Token \"{token}\" is invalid.")));
        }
        self.at += end;
        Ok(Json::Number(token.to_string()))
    }

    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let mut chars = rest.chars();
            let Some(c) = chars.next() else {
                return Err(self.error("The input string ended unexpectedly.".into()));
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if u32::from(c) < 0x20 => {
                    return Err(self.error(format!(
                        "Character with value 0x{:02x} must be escaped.",
                        u32::from(c)
                    )));
                }
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let Some(c) = self.text[self.at..].chars().next() else {
            return Err(self.error("The input string ended unexpectedly.".into()));
        };
        self.at += c.len_utf8();
        Ok(match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            other => return Err(self.error(format!("Escape sequence \"\\{other}\" is invalid."))),
        })
    }

    fn unicode(&mut self) -> Result<char> {
        let high = self.hex4()?;
        if high == 0 {
            return Err(Error::new(
                SqlState::UNTRANSLATABLE_CHARACTER,
                "unsupported Unicode escape sequence",
            )
            .with_detail("\\u0000 cannot be converted to text."));
        }
        let code = match high {
            0xd800..=0xdbff if self.text[self.at..].starts_with("\\u") => {
                self.at += 2;
                let low = self.hex4()?;
                0x10000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00)
            }
            other => other,
        };
        char::from_u32(code)
            .ok_or_else(|| self.error("Unicode low surrogate must follow a high surrogate.".into()))
    }

    fn hex4(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| {
            self.at = self.at.min(self.text.len());
            self.error("\"\\u\" must be followed by four hexadecimal digits.".into())
        })
    }
}

impl Json {
    /// As jsonb holds it: keys by length, then bytes, the last of equal ones;
    /// numbers as numeric prints them.
    pub(super) fn canonical(self) -> Json {
        match self {
            Json::Number(text) => {
                let number = Numeric::parse(&text).map(|number| number.to_string());
                Json::Number(number.unwrap_or(text))
            }
            Json::Array(items) => Json::Array(items.into_iter().map(Json::canonical).collect()),
            Json::Object(members) => {
                let mut kept: Vec<(String, Json)> = Vec::with_capacity(members.len());
                for (key, value) in members {
                    kept.retain(|(known, _)| *known != key);
                    kept.push((key, value.canonical()));
                }
                kept.sort_by(|(a, _), (b, _)| {
                    (a.len(), a.as_bytes()).cmp(&(b.len(), b.as_bytes()))
                });
                Json::Object(kept)
            }
            other => other,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// Equal as jsonb compares: numbers by value.
    pub(super) fn equals(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Number(a), Json::Number(b)) => match (Numeric::parse(a), Numeric::parse(b)) {
                (Some(a), Some(b)) => a.compare(&b).is_eq(),
                _ => a == b,
            },
            (Json::Array(a), Json::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Json::Object(a), Json::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, value)| {
                        b.iter()
                            .any(|(other, found)| other == key && found.equals(value))
                    })
            }
            (a, b) => a == b,
        }
    }

    /// As jsonb prints: a space after `:` and `,`.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(text),
            Json::Text(text) => quoted(text, out),
            Json::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    quoted(key, out);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

pub(super) fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
