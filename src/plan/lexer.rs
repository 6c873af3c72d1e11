//! Postgres's lexical rules over the client's text, without allocation: splits
//! a message into statements, shows the session the words of its own statements
//! and the relay the shape of a text. Knows nothing of grammar.
//!
//! Section 4.1 "Lexical Structure" of the Postgres manual.

use std::borrow::Cow;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword, not quoted.
    Word,
    /// `"…"`
    QuotedName,
    /// `'…'`, standard_conforming_strings on.
    Text,
    /// `E'…'`, or what continues it on the next line: `'…'` by the same rules.
    EscapedText,
    /// `$tag$…$tag$`
    DollarText,
    Number,
    /// `$1`
    Parameter,
    /// One character of anything else, or `::`.
    Symbol,
    /// A string or comment that never ends.
    Unterminated,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Byte offset of `text` in the message.
    pub start: usize,
}

impl<'a> Token<'a> {
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The name that a word or quoted name stands for.
    pub fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_ascii_lowercase()),
            Kind::QuotedName => Some(unquote(self.text, '"').into_owned()),
            _ => None,
        }
    }

    /// The value of a string constant.
    pub fn string(&self) -> Option<String> {
        match self.kind {
            Kind::Text => Some(unquote(self.text, '\'').into_owned()),
            Kind::EscapedText => {
                let quoted = self.text.trim_start_matches(['e', 'E']);
                Some(unescape(&unquote(quoted, '\'')))
            }
            Kind::DollarText => {
                let tag = self.text[1..].find('$')? + 2;
                Some(self.text[tag..self.text.len() - tag].to_string())
            }
            _ => None,
        }
    }
}

/// The statements of a message as byte ranges, comments and blanks around them
/// left out; semicolons inside parentheses do not separate.
pub fn split(sql: &str) -> Vec<Range<usize>> {
    let ended = without_end(sql);
    if is_one_piece(ended) {
        let piece = 0..ended.len();
        return vec![piece];
    }
    let mut pieces = Vec::new();
    let mut current: Option<Range<usize>> = None;
    let mut depth = 0usize;
    for token in Lexer::new(sql) {
        if token.is_symbol(";") && depth == 0 {
            pieces.extend(current.take());
            continue;
        }
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        }
        let end = token.start + token.text.len();
        match &mut current {
            Some(range) => range.end = end,
            None => current = Some(token.start..end),
        }
    }
    pieces.extend(current);
    pieces
}

/// Without the semicolon at its end: a statement that is whole without it is the
/// same with it.
pub fn without_end(sql: &str) -> &str {
    let text = sql.trim_ascii_end();
    text.strip_suffix(';').unwrap_or(text)
}

/// Nothing in it separates, comments or surrounds, and every quote is closed.
fn is_one_piece(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let bare = |byte: Option<&u8>| byte.is_some_and(|byte| !byte.is_ascii_whitespace());
    let (mut single, mut double) = (0usize, 0usize);
    for byte in bytes {
        match byte {
            // 0x0b is blank to the lexer alone
            b';' | b'-' | b'/' | 0x0b => return false,
            b'\'' => single += 1,
            b'"' => double += 1,
            _ => {}
        }
    }
    bare(bytes.first()) && bare(bytes.last()) && single % 2 == 0 && double % 2 == 0
}

#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    /// The last token was `E'…'`: a string on the next line continues it.
    escaped: bool,
}

impl<'a> Lexer<'a> {
    pub fn new(sql: &'a str) -> Self {
        Lexer {
            sql,
            at: 0,
            escaped: false,
        }
    }

    #[inline]
    fn byte(&self, ahead: usize) -> u8 {
        self.sql
            .as_bytes()
            .get(self.at + ahead)
            .copied()
            .unwrap_or(0)
    }

    /// Skips blanks and comments; false at a comment that never ends.
    fn skip_blanks(&mut self) -> bool {
        loop {
            let first = self.byte(0);
            if is(BLANK, first) {
                self.at += 1;
                continue;
            }
            if first != b'-' && first != b'/' {
                return true;
            }
            match (first, self.byte(1)) {
                (b'-', b'-') => {
                    let rest = &self.sql.as_bytes()[self.at..];
                    self.at += rest
                        .iter()
                        .position(|b| matches!(b, b'\n' | b'\r'))
                        .unwrap_or(rest.len());
                }
                (b'/', b'*') => {
                    if !self.skip_comment() {
                        return false;
                    }
                }
                _ => return true,
            }
        }
    }

    fn skip_comment(&mut self) -> bool {
        let mut depth = 0usize;
        let start = self.at;
        while self.at < self.sql.len() {
            match (self.byte(0), self.byte(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return true;
                    }
                }
                _ => self.at += 1,
            }
        }
        self.at = start;
        false
    }

    fn token(&mut self, kind: Kind, end: usize) -> Token<'a> {
        let start = self.at;
        self.at = end;
        Token {
            kind,
            text: &self.sql[start..end],
            start,
        }
    }

    /// A token that ends at `quote`, doubled quotes inside; `escapes`: backslash too.
    fn quoted(&mut self, kind: Kind, open: usize, quote: u8, escapes: bool) -> Token<'a> {
        let bytes = self.sql.as_bytes();
        let mut at = self.at + open;
        while let Some(&byte) = bytes.get(at) {
            if byte == b'\\' && escapes {
                at += 2;
            } else if byte == quote {
                if bytes.get(at + 1) == Some(&quote) {
                    at += 2;
                } else {
                    return self.token(kind, at + 1);
                }
            } else {
                at += 1;
            }
        }
        self.token(Kind::Unterminated, bytes.len())
    }

    fn dollar(&mut self) -> Token<'a> {
        let rest = &self.sql[self.at..];
        let bytes = rest.as_bytes();
        let digits = bytes[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            return self.token(Kind::Parameter, self.at + 1 + digits);
        }
        let tag = 1 + bytes[1..].iter().take_while(|b| is_name_byte(**b)).count();
        if bytes.get(tag) != Some(&b'$') {
            return self.token(Kind::Symbol, self.at + 1);
        }
        let delimiter = &rest[..=tag];
        match rest[tag + 1..].find(delimiter) {
            Some(length) => self.token(Kind::DollarText, self.at + delimiter.len() * 2 + length),
            None => self.token(Kind::Unterminated, self.sql.len()),
        }
    }

    fn word(&mut self) -> Token<'a> {
        let bytes = self.sql.as_bytes();
        let mut end = self.at + 1;
        while bytes.get(end).is_some_and(|byte| is(WITHIN_NAME, *byte)) {
            end += 1;
        }
        self.token(Kind::Word, end)
    }

    fn number(&mut self) -> Token<'a> {
        let bytes = &self.sql.as_bytes()[self.at..];
        let mut length = 0;
        while let Some(&byte) = bytes.get(length) {
            let exponent_sign = matches!(byte, b'+' | b'-')
                && matches!(bytes[length - 1], b'e' | b'E')
                && !bytes.starts_with(b"0x");
            if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' || exponent_sign {
                length += 1;
            } else {
                break;
            }
        }
        self.token(Kind::Number, self.at + length)
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let before = self.at;
        if !self.skip_blanks() {
            return Some(self.token(Kind::Unterminated, self.sql.len()));
        }
        if self.at >= self.sql.len() {
            return None;
        }
        let continues = self.escaped && self.sql[before..self.at].contains(['\n', '\r']);
        let first = self.byte(0);
        if is(NAME, first)
            && !is(DIGIT, first)
            && !(matches!(first, b'e' | b'E') && self.byte(1) == b'\'')
        {
            self.escaped = false;
            return Some(self.word());
        }
        let token = match (first, self.byte(1)) {
            (b'\'', _) if continues => self.quoted(Kind::EscapedText, 1, b'\'', true),
            (b'\'', _) => self.quoted(Kind::Text, 1, b'\'', false),
            (b'e' | b'E', b'\'') => self.quoted(Kind::EscapedText, 2, b'\'', true),
            (b'"', _) => self.quoted(Kind::QuotedName, 1, b'"', false),
            (b'$', _) => self.dollar(),
            (b'0'..=b'9', _) | (b'.', b'0'..=b'9') => self.number(),
            (b':', b':') => self.token(Kind::Symbol, self.at + 2),
            _ => self.token(Kind::Symbol, self.at + 1),
        };
        self.escaped = token.kind == Kind::EscapedText;
        Some(token)
    }
}

const BLANK: u8 = 1;
const DIGIT: u8 = 2;
const NAME: u8 = 4;
const WITHIN_NAME: u8 = 8;

/// What each byte may be: every statement's every byte is asked about.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => BLANK,
            b'0'..=b'9' => DIGIT | NAME | WITHIN_NAME,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => NAME | WITHIN_NAME,
            b'$' => WITHIN_NAME,
            _ => 0,
        };
        byte += 1;
    }
    classes
}

#[inline]
fn is(class: u8, byte: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

fn is_name_byte(byte: u8) -> bool {
    is(NAME, byte)
}

fn unquote(text: &str, quote: char) -> Cow<'_, str> {
    let inner = &text[1..text.len() - 1];
    if inner.contains(quote) {
        let doubled: String = [quote, quote].iter().collect();
        Cow::Owned(inner.replace(&doubled, &quote.to_string()))
    } else {
        Cow::Borrowed(inner)
    }
}

/// `E'…'` escapes: section 4.1.2.2.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            break;
        };
        let (value, used) = match c {
            'n' => ('\n', 1),
            't' => ('\t', 1),
            'r' => ('\r', 1),
            'b' => ('\u{8}', 1),
            'f' => ('\u{c}', 1),
            'x' => coded(rest, 1, 16, 2).unwrap_or((c, 1)),
            'u' => coded(rest, 1, 16, 4).unwrap_or((c, 1)),
            'U' => coded(rest, 1, 16, 8).unwrap_or((c, 1)),
            '0'..='7' => coded(rest, 0, 8, 3).unwrap_or((c, 1)),
            other => (other, other.len_utf8()),
        };
        out.push(value);
        rest = &rest[used..];
    }
    out.push_str(rest);
    out
}

/// A character by its number: up to `most` digits after `skip` bytes.
fn coded(text: &str, skip: usize, radix: u32, most: usize) -> Option<(char, usize)> {
    let digits = text[skip..]
        .bytes()
        .take(most)
        .take_while(|b| char::from(*b).is_digit(radix))
        .count();
    let number = u32::from_str_radix(text.get(skip..skip + digits)?, radix).ok()?;
    Some((char::from_u32(number)?, skip + digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(sql: &str) -> Vec<&str> {
        split(sql).into_iter().map(|range| &sql[range]).collect()
    }

    #[test]
    fn messages_split_where_postgres_splits_them() {
        for (sql, expected) in [
            ("", vec![]),
            (" ; ;-- x\n;", vec![]),
            ("select 1", vec!["select 1"]),
            ("select 1; ", vec!["select 1"]),
            ("select 1 ;", vec!["select 1"]),
            ("select ';", vec!["select ';"]),
            ("select '''; ';", vec!["select '''; '"]),
            ("select ';'; select 2;", vec!["select ';'", "select 2"]),
            ("select E'\\';'; b", vec!["select E'\\';'", "b"]),
            ("select $a$;$a$; b", vec!["select $a$;$a$", "b"]),
            (
                "select $$;$$;/* ; /* ; */ ; */ b",
                vec!["select $$;$$", "b"],
            ),
            ("a \";\" b;c", vec!["a \";\" b", "c"]),
            ("create rule (a;b);c", vec!["create rule (a;b)", "c"]),
            ("select 'é;';x", vec!["select 'é;'", "x"]),
            ("select 'abc", vec!["select 'abc"]),
            ("select $1;x", vec!["select $1", "x"]),
            ("select E'a'\n'\\';';x", vec!["select E'a'\n'\\';'", "x"]),
            ("select E'a' '\\';x", vec!["select E'a' '\\'", "x"]),
        ] {
            assert_eq!(pieces(sql), expected, "{sql}");
        }
    }

    #[test]
    fn constants_and_names_have_values() {
        let value = |sql: &str| Lexer::new(sql).next().and_then(|token| token.string());
        assert_eq!(value("'it''s'").as_deref(), Some("it's"));
        assert_eq!(value("E'a\\nb'").as_deref(), Some("a\nb"));
        assert_eq!(value("$x$a'b$x$").as_deref(), Some("a'b"));
        let name = |sql: &str| Lexer::new(sql).next().and_then(|token| token.name());
        assert_eq!(name("DateStyle").as_deref(), Some("datestyle"));
        assert_eq!(name("\"A\"\"b\"").as_deref(), Some("A\"b"));
    }
}
