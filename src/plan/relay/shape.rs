//! The shape of a text: its tokens with numbers and string constants left open.
//! Texts of one shape are read alike, unless a constant decides something.

use crate::plan::lexer::{Kind, Lexer, Token};

/// Longer texts are not worth remembering.
const MAX_TEXT: usize = 16 << 10;

/// Bytes that UTF-8 does not have, so that keys are unambiguous.
const AFTER_BLANK: u8 = 0xf8;
const ADJACENT: u8 = 0xf9;
const NUMBER: u8 = 0xfa;
const TEXT: u8 = 0xfb;
const ESCAPED: u8 = 0xfc;
const DOLLAR: u8 = 0xfd;
const DECISIVE: u8 = 0xfe;

pub(super) struct Shape {
    /// Equal for texts of the same shape and epoch alone.
    pub key: Vec<u8>,
    /// Start and end of each token; bytes.
    pub tokens: Vec<(u32, u32)>,
}

impl Shape {
    /// `None`: too long, or quotes that never end.
    pub(super) fn of(text: &str, epoch: u64) -> Option<Shape> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let mut shape = Shape {
            key: Vec::with_capacity(text.len() * 3 / 2 + 8),
            tokens: Vec::with_capacity(text.len() / 4 + 4),
        };
        shape.key.extend_from_slice(&epoch.to_le_bytes());
        let mut last_end = 0;
        for token in Lexer::new(text) {
            shape.key.push(match token.start == last_end {
                true => ADJACENT,
                false => AFTER_BLANK,
            });
            match open(&token)? {
                Some(mark) => shape.key.push(mark),
                None => shape.key.extend_from_slice(token.text.as_bytes()),
            }
            last_end = token.start + token.text.len();
            shape.tokens.push((token.start as u32, last_end as u32));
        }
        Some(shape)
    }

    /// Adds the values of these tokens to the key.
    pub(super) fn decide(&mut self, text: &str, tokens: &[u32]) {
        for token in tokens {
            self.key.push(DECISIVE);
            if let Some((start, end)) = self.tokens.get(*token as usize) {
                let value = &text.as_bytes()[*start as usize..*end as usize];
                self.key.extend_from_slice(value);
            }
        }
    }

    /// The token that starts at this byte.
    pub(super) fn starting(&self, at: usize) -> Option<u32> {
        let found = self
            .tokens
            .binary_search_by_key(&at, |(start, _)| *start as usize);
        Some(found.ok()? as u32)
    }

    pub(super) fn ending(&self, at: usize) -> Option<u32> {
        let found = self
            .tokens
            .binary_search_by_key(&at, |(_, end)| *end as usize);
        Some(found.ok()? as u32)
    }
}

/// The mark of a constant whose value is left open; `None` at the end of sense.
fn open(token: &Token<'_>) -> Option<Option<u8>> {
    Some(match token.kind {
        Kind::Text => Some(TEXT),
        Kind::EscapedText => Some(ESCAPED),
        Kind::DollarText => Some(DOLLAR),
        // Others, as `1from` and `1.2.3`, are not numbers alone.
        Kind::Number if is_decimal(token.text) => Some(NUMBER),
        Kind::Unterminated => return None,
        _ => None,
    })
}

fn is_decimal(text: &str) -> bool {
    let dots = text.bytes().filter(|byte| *byte == b'.').count();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    dots <= 1 && dots + digits == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_left_open_and_nothing_else() {
        let key = |text: &str| Shape::of(text, 1).map(|shape| shape.key);
        for (a, b, same) in [
            ("select 1", "select 22.5", true),
            ("select 1", "select  /* x */ 1 -- y", true),
            ("select 'a'", "select 'it''s'", true),
            ("select 'a'", "select 1", false),
            ("select 'a'", "select E'a'", false),
            ("select $$a$$", "select $x$b$x$", true),
            ("select 1", "SELECT 1", false),
            ("select $1", "select $2", false),
            ("select 1 from t", "select 1from t", false),
            ("select 1 x", "select 1x", false),
            ("select 1.5", "select 1.5.5", false),
            ("select a.b", "select a .b", false),
            ("select a b", "select ab", false),
            ("select \"a\"", "select \"b\"", false),
            ("select 1, 2", "select 1", false),
        ] {
            assert_eq!(key(a) == key(b), same, "{a} | {b}");
        }
        assert_eq!(key("select 'a"), None);
    }
}
