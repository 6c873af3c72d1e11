//! What texts that came lately were read as: a dashboard or a driver sends the same
//! ones again and again, and a text is the same statements for everyone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::parse::{Statement, parse};
use crate::error::Result;

/// Of all sessions together.
const MOST: usize = 128;
/// Longer texts are not kept; bytes.
const LONGEST: usize = 4 << 10;

#[derive(Debug, Default)]
pub struct Texts(Mutex<HashMap<Box<str>, Vec<Statement>>>);

impl Texts {
    /// What `parse` gives.
    pub fn find_or_parse(&self, text: &str) -> Result<Vec<Statement>> {
        if text.len() > LONGEST {
            return parse(text);
        }
        // a panic elsewhere cannot have left the map half changed
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statements) = known().get(text) {
            return Ok(statements.clone());
        }
        let statements = parse(text)?;
        let mut known = known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(text.into(), statements.clone());
        Ok(statements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_once_and_few_are_kept() {
        let texts = Texts::default();
        let read = |text: &str| texts.find_or_parse(text).expect(text).remove(0).ast;
        let first = read("SELECT 1");
        assert!(std::sync::Arc::ptr_eq(&first, &read("SELECT 1")));
        assert!(texts.find_or_parse("SELECT )").is_err());
        for number in 0..3 * MOST {
            read(&format!("SELECT {number}"));
        }
        assert!(texts.0.lock().expect("whole").len() <= MOST);
        let long = format!("SELECT '{}'", "x".repeat(LONGEST));
        assert!(!std::sync::Arc::ptr_eq(&read(&long), &read(&long)));
    }
}
