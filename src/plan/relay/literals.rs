//! String constants that name something: `'shop.orders'::regclass`,
//! `nextval('shop.orders_id_seq')`. The schema in them gets its remote name.

use squawk_parser::SyntaxKind;

use super::functions::{Naming, names_in, names_in_cast};
use super::names::{RelationIs, SchemaIs, identifier};
use super::statement::Reason;
use super::tree::Id;
use super::walk::{SourceIs, Walk, Weight};
use crate::names::{RelationName, quote_identifier};
use crate::plan::lexer::{Kind, Lexer};

impl Walk<'_, '_> {
    /// At a CAST_EXPR: `'…'::regclass`, `CAST('…' AS regclass)`, `regclass '…'`.
    pub(super) fn cast(&mut self, id: Id) -> Result<(), Reason> {
        let tree = self.tree;
        let (Some(literal), Some(to)) = (
            tree.child(id, SyntaxKind::LITERAL),
            tree.child(id, SyntaxKind::PATH_TYPE),
        ) else {
            return Ok(());
        };
        let Some(last) =
            (to + 1..tree.next(to)).rfind(|id| tree.kind(*id) == SyntaxKind::PATH_SEGMENT_REF)
        else {
            return Ok(());
        };
        match names_in_cast(&self.part(last)?) {
            Some(naming) => self.literal(literal, naming),
            None => Ok(()),
        }
    }

    /// The arguments of a call to a built-in function.
    pub(super) fn arguments(&mut self, call: Id, function: &[Id]) -> Result<(), Reason> {
        let tree = self.tree;
        let name = match function {
            [name] => *name,
            [schema, name] if self.part(*schema)? == "pg_catalog" => *name,
            _ => return Ok(()),
        };
        let name = self.part(name)?.into_owned();
        let Some(list) = tree.child(call, SyntaxKind::ARG_LIST) else {
            return Ok(());
        };
        let arguments: Vec<Id> = tree
            .children(list)
            .filter(|child| tree.kind(*child) == SyntaxKind::ARG)
            .collect();
        for (index, argument) in arguments.iter().enumerate() {
            let value = tree.children(*argument).next();
            // nextval('s'::regclass)
            let value = value.and_then(|value| match tree.kind(value) {
                SyntaxKind::CAST_EXPR => tree.child(value, SyntaxKind::LITERAL),
                _ => Some(value),
            });
            if let Some(literal) = value
                && tree.kind(literal) == SyntaxKind::LITERAL
                && let Some(naming) = names_in(&name, index, arguments.len())
            {
                self.literal(literal, naming)?;
            }
        }
        Ok(())
    }

    fn literal(&mut self, literal: Id, naming: Naming) -> Result<(), Reason> {
        let tree = self.tree;
        let text = tree.text(literal);
        let mut tokens = Lexer::new(text);
        let Some(value) = tokens.next().and_then(|token| token.string()) else {
            // NULL, a parameter, a number.
            return match text.contains('\'') {
                true => Err(Reason::NotUnderstood(format!("the name {text}"))),
                false => Ok(()),
            };
        };
        if tokens.next().is_some() {
            return Err(Reason::NotUnderstood(format!("the name {text}")));
        }
        self.decisive(literal);
        let parts = match naming {
            Naming::Schema => Some(Split::schema(&value)),
            Naming::Signature => Split::read(value.split('(').next().unwrap_or_default()),
            _ => Split::read(&value),
        };
        let Some(parts) = parts else {
            // A number, or nothing that is known to be a name.
            return match value.contains('.') {
                true => Err(Reason::NotUnderstood(format!("the name {text}"))),
                false => Ok(()),
            };
        };
        let names = parts.names()?;
        let weight = match naming {
            Naming::Sequence => Weight::Full,
            _ => Weight::None,
        };
        let schema = match (&names[..], naming) {
            ([relation], Naming::Relation) => match self.names.unqualified(relation) {
                RelationIs::In(schema) => schema.to_string(),
                _ => return Ok(()),
            },
            ([schema], Naming::Schema) => schema.clone(),
            ([_], _) => {
                self.found.unqualified |= naming == Naming::Sequence;
                return Ok(());
            }
            ([schema, _], _) => schema.clone(),
            ([database, schema, _], _) if *database == self.names.database => schema.clone(),
            _ => return Err(Reason::NotUnderstood(format!("the name {text}"))),
        };
        let known = self.names;
        match known.schema(&schema) {
            SchemaIs::Postgres { source, remote } => {
                self.mention(source, SourceIs::Postgres, value.clone(), weight);
                if let (Naming::Sequence, Some(name)) = (naming, names.last()) {
                    self.found.write(RelationName::new(&schema, name));
                }
                let new = parts.with_schema(&value, &quote_identifier(remote), naming);
                let (start, end) = (tree.start(literal), tree.end(literal));
                self.edit(start, end, format!("'{}'", new.replace('\'', "''")));
            }
            SchemaIs::Lake(source) => self.mention(source, SourceIs::Lake, value, weight),
            SchemaIs::System => {}
            SchemaIs::Temporary => {}
            SchemaIs::Unknown => self.unknown(&value, None),
        }
        Ok(())
    }
}

/// A name in a constant, split at its dots; byte ranges of the value.
struct Split<'v> {
    parts: Vec<&'v str>,
    /// Where the last part starts.
    last: usize,
}

impl<'v> Split<'v> {
    /// `None`: not a list of identifiers with dots between them.
    fn read(value: &'v str) -> Option<Split<'v>> {
        let mut parts = Vec::new();
        let mut last = 0;
        let mut tokens = Lexer::new(value);
        loop {
            let part = tokens.next()?;
            if !matches!(part.kind, Kind::Word | Kind::QuotedName) {
                return None;
            }
            last = part.start.max(last);
            parts.push(part.text);
            match tokens.next() {
                None => return Some(Split { parts, last }),
                Some(dot) if dot.is_symbol(".") => {}
                Some(_) => return None,
            }
        }
    }

    fn schema(value: &'v str) -> Split<'v> {
        Split {
            parts: vec![value.trim()],
            last: value.len(),
        }
    }

    fn names(&self) -> Result<Vec<String>, Reason> {
        let names = self.parts.iter().map(|part| identifier(part));
        names.map(|name| Ok(name?.into_owned())).collect()
    }

    fn with_schema(&self, value: &str, schema: &str, naming: Naming) -> String {
        match naming {
            Naming::Schema => schema.to_string(),
            _ => format!("{schema}.{}", &value[self.last..]),
        }
    }
}
