//! Names of WITH queries and where in the tree they are seen: section 7.8 of the
//! Postgres manual.

use squawk_parser::SyntaxKind;

use super::names::identifier;
use super::statement::Reason;
use super::tree::{Id, Tree};

#[derive(Default)]
pub(super) struct Scopes {
    open: Vec<Scope>,
}

struct Scope {
    /// The first node outside.
    end: Id,
    /// Each name with the first node that sees it.
    names: Vec<(String, Id)>,
}

impl Scopes {
    /// At a WITH_CLAUSE: its names are seen in the whole statement that it begins,
    /// and, if it is recursive, in its queries; otherwise in later queries only.
    pub(super) fn enter(&mut self, tree: &Tree<'_>, with: Id) -> Result<(), Reason> {
        self.leave(with);
        let recursive = tree.has(with, SyntaxKind::RECURSIVE_KW);
        let mut names = Vec::new();
        for query in tree.children(with) {
            if tree.kind(query) != SyntaxKind::WITH_TABLE {
                continue;
            }
            if let Some(name) = tree.child(query, SyntaxKind::CTE_NAME) {
                let from = if recursive { with } else { tree.next(query) };
                names.push((identifier(tree.text(name))?.into_owned(), from));
            }
        }
        // WITH stands inside of the first arm of a UNION, but belongs to all of it.
        let mut statement = tree.parent(with);
        while tree.parent_kind(statement) == SyntaxKind::COMPOUND_SELECT
            && tree.parent(statement) + 1 == statement
        {
            statement = tree.parent(statement);
        }
        self.open.push(Scope {
            end: tree.next(statement),
            names,
        });
        Ok(())
    }

    /// CREATE RECURSIVE VIEW v: its query sees v as WITH RECURSIVE v would have it.
    pub(super) fn enter_view(&mut self, tree: &Tree<'_>, create: Id) -> Result<(), Reason> {
        if !tree.has(create, SyntaxKind::RECURSIVE_KW) {
            return Ok(());
        }
        let view = tree.child(create, SyntaxKind::VIEW).unwrap_or(create);
        let mut segments = view..tree.next(view);
        let last = segments.rfind(|id| tree.kind(*id) == SyntaxKind::PATH_SEGMENT);
        if let Some(name) = last {
            let name = identifier(tree.text(name))?.into_owned();
            self.open.push(Scope {
                end: tree.next(create),
                names: vec![(name, tree.next(view))],
            });
        }
        Ok(())
    }

    /// Is `name` a WITH query where `at` stands?
    pub(super) fn sees(&mut self, at: Id, name: &str) -> bool {
        self.leave(at);
        let names = self.open.iter().flat_map(|scope| &scope.names);
        let mut seen = names.filter(|(_, from)| *from <= at);
        seen.any(|(known, _)| known == name)
    }

    fn leave(&mut self, at: Id) {
        while self.open.last().is_some_and(|scope| scope.end <= at) {
            self.open.pop();
        }
    }
}
