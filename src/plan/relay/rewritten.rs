//! The text for the source: the client's, with spans replaced. Knows the way back
//! from a position in it, as the `P` field of ErrorResponse gives one, to the
//! client's text.

/// One replaced span of the client's text; byte offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub start: usize,
    /// `start`: something is inserted before what stands there.
    pub end: usize,
    pub with: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    text: String,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    /// Byte offset in the new text.
    start: u32,
    /// Bytes of the replacement.
    length: u32,
    /// Characters of what was replaced.
    replaced: u32,
}

impl Rewritten {
    /// `edits` in order, apart from each other and at character boundaries; one
    /// that is not is left out.
    pub(super) fn new(text: &str, edits: &[Edit]) -> Rewritten {
        let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
        let mut rewriter = Rewriter::new(text, added, edits.len());
        for edit in edits {
            rewriter.replace(edit.start, edit.end, &edit.with);
        }
        rewriter.finish()
    }

    /// A text that is sent as it is.
    pub fn unchanged(text: &str) -> Rewritten {
        Rewritten::new(text, &[])
    }

    /// What the source is to be sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The character of the client's text that `position` of the new text stems
    /// from; both count from 1. Inside of a replaced name: where the client's
    /// name starts.
    pub fn original_position(&self, position: usize) -> usize {
        let mut remote = position.saturating_sub(1);
        let mut original = 1;
        let mut at = 0;
        for span in &self.spans {
            let start = span.start as usize;
            let end = start + span.length as usize;
            let before = self.text[at..start].chars().count();
            if remote < before {
                return original + remote;
            }
            original += before;
            remote -= before;
            let inside = self.text[start..end].chars().count();
            if remote < inside {
                return original;
            }
            remote -= inside;
            original += span.replaced as usize;
            at = end;
        }
        original + remote
    }
}

/// Copies a text piece by piece.
pub(super) struct Rewriter<'t> {
    from: &'t str,
    at: usize,
    text: String,
    spans: Vec<Span>,
}

impl<'t> Rewriter<'t> {
    pub(super) fn new(from: &'t str, added: usize, edits: usize) -> Rewriter<'t> {
        Rewriter {
            from,
            at: 0,
            text: String::with_capacity(from.len() + added),
            spans: Vec::with_capacity(edits),
        }
    }

    pub(super) fn replace(&mut self, start: usize, end: usize, with: &str) {
        let (Some(kept), Some(replaced)) =
            (self.from.get(self.at..start), self.from.get(start..end))
        else {
            return;
        };
        self.text.push_str(kept);
        self.spans.push(Span {
            start: self.text.len() as u32,
            length: with.len() as u32,
            replaced: replaced.chars().count() as u32,
        });
        self.text.push_str(with);
        self.at = end;
    }

    pub(super) fn finish(mut self) -> Rewritten {
        self.text.push_str(&self.from[self.at..]);
        Rewritten {
            text: self.text,
            spans: self.spans,
        }
    }
}
