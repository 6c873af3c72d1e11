//! A statement as read once, for every text of its shape: edits by the numbers of
//! tokens instead of offsets, so that applying it is copying pieces.

use std::sync::Arc;

use super::rewritten::{Edit, Rewriter, Rewritten};
use super::shape::Shape;
use super::statement::RelayStatement;

pub(super) struct Template {
    pub statement: Arc<RelayStatement>,
    pieces: Vec<Piece>,
    added: usize,
}

struct Piece {
    first: u32,
    span: Span,
    with: Box<str>,
}

enum Span {
    /// Before the first token.
    Insert,
    /// From the start of the first token to the end of this one.
    Through(u32),
}

impl Template {
    /// `None`: an edit begins or ends inside of a token.
    pub(super) fn new(
        statement: Arc<RelayStatement>,
        shape: &Shape,
        edits: &[Edit],
    ) -> Option<Template> {
        let mut pieces = Vec::with_capacity(edits.len());
        for edit in edits {
            pieces.push(Piece {
                first: shape.starting(edit.start)?,
                span: match edit.start == edit.end {
                    true => Span::Insert,
                    false => Span::Through(shape.ending(edit.end)?),
                },
                with: edit.with.as_str().into(),
            });
        }
        Some(Template {
            statement,
            added: edits.iter().map(|edit| edit.with.len()).sum(),
            pieces,
        })
    }

    /// The text for the source; `shape` is that of `text`.
    pub(super) fn apply(&self, text: &str, shape: &Shape) -> Rewritten {
        let mut rewriter = Rewriter::new(text, self.added, self.pieces.len());
        for piece in &self.pieces {
            let Some((start, _)) = shape.tokens.get(piece.first as usize) else {
                continue;
            };
            let end = match piece.span {
                Span::Insert => *start,
                Span::Through(last) => match shape.tokens.get(last as usize) {
                    Some((_, end)) => *end,
                    None => continue,
                },
            };
            rewriter.replace(*start as usize, end as usize, &piece.with);
        }
        rewriter.finish()
    }

    /// Memory, roughly.
    pub(super) fn bytes(&self) -> usize {
        256 + self
            .pieces
            .iter()
            .map(|piece| 32 + piece.with.len())
            .sum::<usize>()
    }
}
