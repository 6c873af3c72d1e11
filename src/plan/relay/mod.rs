//! Which statements run on one Postgres source, and their text there: the
//! client's own with the names of schemas replaced. Called by the session before
//! the planner's parser sees a statement; reads one catalog snapshot, does no IO.
//!
//! | file | |
//! |---|---|
//! | `statement` | what is known of a statement that can be relayed, or why it cannot |
//! | `tree` | the text as squawk's grammar of Postgres reads it, with byte offsets |
//! | `names` | identifiers, schemas and relations against the catalog |
//! | `scope` | names of WITH queries |
//! | `walk`, `relations`, `types`, `expressions`, `literals` | over the tree: what each name stands for |
//! | `kind` | what the statement does |
//! | `functions` | what is known of built-in functions |
//! | `rewritten` | the text for the source, and positions back to the client's |
//! | `shape`, `template`, `cache` | the same answer for texts that differ in constants only |
//!
//! The relay trusts nothing that it does not know: a name in a place that `walk`
//! has no rule for makes the statement the engine's, so that grants are checked
//! for every relation that the source will see. It presumes that the source
//! reads the text as we do: `standard_conforming_strings` on, UTF-8.
//!
//! Bodies of functions and DO blocks are string constants: they are the source's
//! code and are sent as they are.

mod cache;
mod expressions;
mod functions;
mod kind;
mod literals;
mod names;
mod relations;
mod rewritten;
mod scope;
mod shape;
mod statement;
mod template;
mod tree;
mod types;
mod walk;

use std::sync::Arc;

use crate::names::SourceName;

pub use cache::Cache;
pub use functions::is_builtin;
pub use names::{Names, Temporary, remote_search_path};
pub use rewritten::Rewritten;
pub use statement::{Analyze, Effects, FunctionName, Hold, Kind, PlanForm, Reason, RelayStatement};

/// The way of a statement.
#[derive(Debug, Clone)]
pub enum Reading {
    /// One source runs it, given this text.
    Relay(Arc<RelayStatement>, Rewritten),
    /// The engine answers, or says what is wrong.
    Engine(Arc<Reason>),
}

/// Reads one statement, without the semicolon that separates it from others.
pub fn read(text: &str, names: &Names) -> Reading {
    finish(text, walk::read(text, names))
}

/// The same for a statement of which it is known that `source` runs it, if no name
/// in it says otherwise.
pub fn read_for(text: &str, names: &Names, source: &SourceName) -> Reading {
    finish(text, walk::read_for(text, names, Some(source)))
}

/// What a statement does that is sent as it is, whatever it names; `None`: it is
/// not understood and may do anything.
pub fn classify(text: &str) -> Option<(Kind, Effects)> {
    walk::classify(text)
}

fn finish(text: &str, read: walk::Read) -> Reading {
    match read.outcome {
        Ok(relayed) => Reading::Relay(
            Arc::new(relayed.statement),
            Rewritten::new(text, &relayed.edits),
        ),
        Err(reason) => Reading::Engine(Arc::new(reason)),
    }
}

#[cfg(test)]
mod tests;
