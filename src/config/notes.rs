//! The mistakes found so far, with their lines; and what every reader of a value
//! needs to know: the file's folder and the environment. Used by all of `config`.

use std::cell::RefCell;
use std::path::Path;

use crate::error::{Error, Result, SqlState};

pub(super) struct Notes<'a> {
    text: &'a str,
    pub(super) base: &'a Path,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    mistakes: RefCell<Vec<Mistake>>,
}

#[derive(PartialEq)]
struct Mistake {
    /// Byte offset into the file.
    at: usize,
    key: String,
    what: String,
}

impl<'a> Notes<'a> {
    pub(super) fn new(
        text: &'a str,
        base: &'a Path,
        env: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Notes {
            text,
            base,
            env,
            mistakes: RefCell::default(),
        }
    }

    /// `key` is the full one, `sources.shop.url`; empty where none is known.
    pub(super) fn add(&self, at: usize, key: &str, what: impl Into<String>) {
        let mistake = Mistake {
            at,
            key: key.to_string(),
            what: what.into(),
        };
        let mut mistakes = self.mistakes.borrow_mut();
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }

    /// Every mistake on a line of its own, in the file's order.
    pub(super) fn into_result(self, path: &Path) -> Result<()> {
        let mut mistakes = self.mistakes.into_inner();
        if mistakes.is_empty() {
            return Ok(());
        }
        mistakes.sort_by_key(|mistake| mistake.at);
        let lines: Vec<String> = mistakes
            .iter()
            .map(|Mistake { at, key, what }| {
                let line = line_of(self.text, *at);
                let colon = if key.is_empty() { "" } else { ": " };
                format!("{}:{line}: {key}{colon}{what}", path.display())
            })
            .collect();
        Err(Error::new(SqlState::CONFIG_FILE_ERROR, lines.join("\n")))
    }
}

/// 1-based.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// What to say about a word that is none of the known ones.
pub(super) fn suggestion<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match (nearest, known.is_empty()) {
        (Some((_, nearest)), _) => format!("did you mean \"{nearest}\"?"),
        (None, true) => "there are none".to_string(),
        (None, false) => format!("there are: {}", known.join(", ")),
    }
}
