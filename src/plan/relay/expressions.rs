//! Names in expressions: columns with a schema, and functions.

use squawk_parser::SyntaxKind;

use super::functions::{Standing, standing};
use super::names::SchemaIs;
use super::relations::Parts;
use super::statement::{Effects, FunctionName, Reason};
use super::tree::Id;
use super::walk::{SourceIs, Walk, Weight};
use crate::names::quote_identifier;

impl Walk<'_, '_> {
    /// At a FIELD_EXPR: `a.b`, `a.b.c`, `a.b.*`. Only three parts or more name a
    /// schema; fields of composite values need parentheses (section 8.16.3 of the
    /// Postgres manual).
    pub(super) fn field(&mut self, id: Id) -> Result<(), Reason> {
        let parent = self.tree.parent(id);
        let first_of_parent = parent + 1 == id;
        match self.tree.kind(parent) {
            SyntaxKind::FIELD_EXPR if first_of_parent => return Ok(()),
            // A function: `call` reads it.
            SyntaxKind::CALL_EXPR if first_of_parent => return Ok(()),
            _ => {}
        }
        let Some(parts) = self.chain(id) else {
            return Ok(());
        };
        let schema = match parts.len() {
            0..=2 => return Ok(()),
            3 => parts[0],
            _ if self.part(parts[0])? == self.names.database => parts[1],
            _ => return Ok(()),
        };
        let name = self.part(schema)?.into_owned();
        let written = self.written(&parts);
        let names = self.names;
        match names.schema(&name) {
            SchemaIs::Postgres { source, remote } => {
                self.mention(source, SourceIs::Postgres, written, Weight::Full);
                if parts[0] != schema || remote != name {
                    let (start, end) = (self.tree.start(parts[0]), self.tree.end(schema));
                    self.edit(start, end, quote_identifier(remote));
                }
            }
            SchemaIs::Lake(source) => {
                self.mention(source, SourceIs::Lake, written, Weight::Full);
            }
            SchemaIs::System => self.system(&written),
            SchemaIs::Temporary | SchemaIs::Unknown => self.unknown(&written, None),
        }
        Ok(())
    }

    /// The parts of `a.b.c` or `a.b.*`; `None`: its beginning is no name.
    fn chain(&self, id: Id) -> Option<Parts> {
        let tree = self.tree;
        let mut parts = Vec::new();
        let mut at = id;
        while tree.kind(at) == SyntaxKind::FIELD_EXPR {
            let mut children = tree.children(at);
            let base = children.next()?;
            parts.push(children.last()?);
            at = base;
        }
        parts.push(at);
        parts.reverse();
        (tree.kind(at) == SyntaxKind::NAME_REF).then_some(parts)
    }

    /// At a CALL_EXPR.
    pub(super) fn call(&mut self, id: Id) -> Result<(), Reason> {
        let tree = self.tree;
        let Some(callee) = tree.children(id).next() else {
            return Ok(());
        };
        let parts = match tree.kind(callee) {
            SyntaxKind::NAME_REF => vec![callee],
            SyntaxKind::FIELD_EXPR => match self.chain(callee) {
                Some(parts) => parts,
                None => return Err(Reason::NotUnderstood(tree.text(callee).to_string())),
            },
            // Functions with a grammar of their own look at their arguments alone.
            _ => return Ok(()),
        };
        self.object(&parts)?;
        self.function_called(&parts)?;
        self.arguments(id, &parts)
    }

    /// What a call may do that the text does not show.
    pub(super) fn function_called(&mut self, parts: &[Id]) -> Result<(), Reason> {
        let parts = self.without_database(parts)?;
        let mut names = Vec::new();
        for part in parts {
            names.push(self.part(*part)?.into_owned());
        }
        let Some(name) = names.pop() else {
            return Ok(());
        };
        let schema = names.pop();
        let found = &mut self.found;
        match standing(schema.as_deref(), &name) {
            Standing::Harmless => return Ok(()),
            Standing::Advances => {
                found.advances = true;
                return Ok(());
            }
            Standing::Recalls => {
                found.recalls = true;
                return Ok(());
            }
            Standing::Keeps => {
                found.affect(Effects::Keeps);
                return Ok(());
            }
            Standing::Settings => return Err(Reason::NotRelayed("set_config")),
            Standing::Seeds => {
                found.affect(Effects::Taints);
                return Ok(());
            }
            Standing::Reaches => {}
            Standing::Unknown => {
                found.affect(Effects::Taints);
                found.calls |= schema.is_none();
            }
        }
        let function = FunctionName { schema, name };
        if !found.functions.contains(&function) {
            found.functions.push(function);
        }
        Ok(())
    }
}
