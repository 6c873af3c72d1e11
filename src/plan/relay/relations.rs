//! Paths: names of relations and of what else lies in schemas, wherever the
//! grammar has them outside of expressions. `schema.name` and
//! `database.schema.name` get the schema's remote name; a relation without a
//! schema gets one.

use std::borrow::Cow;

use squawk_parser::SyntaxKind;

use super::names::{RelationIs, SchemaIs, identifier};
use super::statement::{Effects, Reason};
use super::tree::Id;
use super::walk::{SourceIs, Walk, Weight};
use crate::names::{RelationName, SourceName, quote_identifier};

/// A name split at its dots: the nodes of its parts, first to last.
pub(super) type Parts = Vec<Id>;

/// What a statement does with a relation that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// A WITH query may hide the relation.
    From,
    Read,
    Write,
    /// The relation is made here.
    Create,
}

impl Walk<'_, '_> {
    /// At a PATH or PATH_REF.
    pub(super) fn path(&mut self, id: Id) -> Result<(), Reason> {
        use SyntaxKind as S;
        let parent = self.tree.parent(id);
        let parts = match self.tree.kind(parent) {
            // Read with the path that it is the beginning of.
            S::PATH | S::PATH_REF => return Ok(()),
            _ => self.parts(id),
        };
        match self.tree.kind(parent) {
            S::RELATION_NAME_REF | S::TABLE_NAME_REF | S::VIEW_REF => {
                let used = self.use_of(parent);
                self.relation(&parts, used)
            }
            S::TABLE_NAME | S::VIEW => match self.is_new_name(parent) {
                true => Ok(()),
                false => self.relation(&parts, Use::Create),
            },
            // [schema.]table.column
            S::QUALIFIED_COLUMN_NAME_REF => match parts.split_last() {
                Some((_, table)) => self.relation(table, Use::Write),
                None => Ok(()),
            },
            S::PERCENT_TYPE => match parts.split_last() {
                Some((_, table)) if table.len() > 1 => self.object(table),
                _ => Ok(()),
            },
            S::PROCEDURE_NAME_REF if self.tree.parent_kind(parent) == S::CALL => {
                self.found.unqualified |= parts.len() == 1;
                self.object(&parts)?;
                self.function_called(&parts)
            }
            S::SEQUENCE if self.is_temporary() => {
                let name = parts.last().map(|name| self.part(*name)).transpose()?;
                self.temporary(name.unwrap_or_default().into_owned());
                Ok(())
            }
            S::SEQUENCE
            | S::SEQUENCE_REF
            | S::INDEX_REF
            | S::TYPE_NAME
            | S::TYPE_NAME_REF
            | S::DOMAIN
            | S::DOMAIN_REF
            | S::FUNCTION_NAME
            | S::FUNCTION_NAME_REF
            | S::PROCEDURE_NAME
            | S::PROCEDURE_NAME_REF
            | S::ROUTINE_NAME
            | S::ROUTINE_NAME_REF
            | S::AGGREGATE
            | S::AGGREGATE_NAME
            | S::COLLATION
            | S::CONVERSION
            | S::CONVERSION_REF
            | S::STATISTICS
            | S::STATISTICS_REF
            | S::OP_CLASS_NAME
            | S::OP_FAMILY_NAME
            | S::OP_FAMILY_REF
            | S::TEXT_SEARCH_CONFIGURATION
            | S::TEXT_SEARCH_CONFIGURATION_REF
            | S::TEXT_SEARCH_DICTIONARY
            | S::TEXT_SEARCH_DICTIONARY_REF
            | S::TEXT_SEARCH_TEMPLATE_REF
            | S::TEXT_SEARCH_PARSER_REF => self.written_object(&parts),
            S::OP | S::COLLATION_REF | S::OP_CLASS_REF if self.is_subject(parent) => {
                self.written_object(&parts)
            }
            S::PATH_TYPE => self.type_name(&parts),
            S::OP | S::COLLATION_REF | S::OP_CLASS_REF => self.object(&parts),
            // Never qualified, or no names of a schema.
            S::INDEX | S::CONSTRAINT_NAME_REF | S::CONFIG_PARAMETER_REF => Ok(()),
            other => Err(Reason::NotUnderstood(format!("a name as {other:?}"))),
        }
    }

    fn parts(&self, path: Id) -> Parts {
        let segments = path + 1..self.tree.next(path);
        let is_segment = |id: &Id| {
            matches!(
                self.tree.kind(*id),
                SyntaxKind::PATH_SEGMENT | SyntaxKind::PATH_SEGMENT_REF
            )
        };
        segments.filter(is_segment).collect()
    }

    pub(super) fn part(&self, id: Id) -> Result<Cow<'_, str>, Reason> {
        identifier(self.tree.text(id))
    }

    /// `schema.name`, the database before it left out.
    pub(super) fn without_database<'p>(&mut self, parts: &'p [Id]) -> Result<&'p [Id], Reason> {
        let [database, rest @ ..] = parts else {
            return Ok(parts);
        };
        if rest.len() < 2 {
            return Ok(parts);
        }
        let known = self.part(*database)? == self.names.database;
        if !known || rest.len() > 2 {
            let name = self.written(parts);
            return Err(Reason::NotUnderstood(format!("the name {name}")));
        }
        Ok(rest)
    }

    /// As the client wrote it.
    pub(super) fn written(&self, parts: &[Id]) -> String {
        let texts: Vec<&str> = parts.iter().map(|id| self.tree.text(*id)).collect();
        texts.join(".")
    }

    fn relation(&mut self, parts: &[Id], used: Use) -> Result<(), Reason> {
        let names = self.names;
        let written = self.written(parts);
        match self.without_database(parts)? {
            [relation] => {
                let name = self.part(*relation)?.into_owned();
                if used == Use::Create {
                    match self.is_temporary() {
                        true => self.temporary(name),
                        false => self.found.created = Some(*relation),
                    }
                    return Ok(());
                }
                if used == Use::From && self.scopes.sees(*relation, &name) {
                    return Ok(());
                }
                match names.unqualified(&name) {
                    RelationIs::In(schema) => {
                        self.resolved(parts, *relation, schema, &name, used);
                    }
                    RelationIs::Temporary(source) => {
                        self.found.on_temporary = true;
                        self.mention(source, SourceIs::Postgres, written, Weight::Full);
                    }
                    RelationIs::System => self.system(&written),
                    RelationIs::Unknown if used == Use::Write && self.is_defining() => {
                        self.found.unqualified = true;
                        self.found.assumed.push(name);
                    }
                    RelationIs::Unknown => self.unknown(&written, None),
                }
                Ok(())
            }
            [schema, relation] => {
                let schema_name = self.part(*schema)?.into_owned();
                let name = self.part(*relation)?.into_owned();
                match names.schema(&schema_name) {
                    SchemaIs::Postgres { source, .. } => {
                        self.resolved(parts, *relation, &schema_name, &name, used);
                        // What is not in the catalog may be an index or a sequence,
                        // but nothing that can be read.
                        let read = matches!(used, Use::From | Use::Read);
                        if !names.may_hold(&schema_name, &name)
                            && (read || !self.is_defining())
                            && used != Use::Create
                        {
                            self.unknown(&written, Some(source));
                        }
                    }
                    SchemaIs::Lake(source) => {
                        self.mention(source, SourceIs::Lake, written, Weight::Full);
                    }
                    SchemaIs::System => self.system(&written),
                    SchemaIs::Temporary if used == Use::Create => self.temporary(name),
                    SchemaIs::Temporary => match names.temporary.source {
                        Some(source) => {
                            self.found.on_temporary = true;
                            self.mention(source, SourceIs::Postgres, written, Weight::Full);
                        }
                        None => self.unknown(&written, None),
                    },
                    SchemaIs::Unknown => self.unknown(&written, None),
                }
                Ok(())
            }
            _ => Err(Reason::NotUnderstood(format!("the name {written}"))),
        }
    }

    /// A relation that lives as long as the client's session.
    fn temporary(&mut self, name: String) {
        self.found.affect(Effects::Keeps);
        self.found.unqualified = true;
        self.found.temporary.push(name);
    }

    /// A relation of a known schema.
    fn resolved(&mut self, parts: &[Id], relation: Id, schema: &str, name: &str, used: Use) {
        let is = self.names.schema(schema);
        let written = format!("{schema}.{name}");
        match is {
            SchemaIs::Postgres { source, remote } => {
                self.mention(source, SourceIs::Postgres, written, Weight::Full);
                self.set_schema(parts, relation, schema, remote);
                let name = RelationName::new(schema, name);
                match used {
                    Use::From | Use::Read => self.found.read(name),
                    Use::Create => self.found.write(name),
                    Use::Write => {
                        if self.looks_at(relation) {
                            self.found.read(name.clone());
                        }
                        self.found.write(name);
                    }
                }
            }
            SchemaIs::Lake(source) => {
                self.mention(source, SourceIs::Lake, written, Weight::Full);
            }
            _ => self.unknown(&written, None),
        }
    }

    /// Writes `remote` as the schema of a name: over what stands before its last
    /// part, or before it.
    pub(super) fn set_schema(&mut self, parts: &[Id], last: Id, schema: &str, remote: &str) {
        let (Some(first), at) = (parts.first(), self.tree.start(last)) else {
            return;
        };
        let start = self.tree.start(*first);
        if start == at {
            return self.edit(at, at, format!("{}.", quote_identifier(remote)));
        }
        // The part before the last is the schema; its end is where the dot is.
        let end = parts.iter().rev().nth(1).map(|id| self.tree.end(*id));
        if let Some(end) = end
            && (parts.len() > 2 || schema != remote)
        {
            self.edit(start, end, quote_identifier(remote));
        }
    }

    /// A type, function, operator or whatever else has a schema.
    pub(super) fn object(&mut self, parts: &[Id]) -> Result<(), Reason> {
        if parts.len() < 2 {
            return Ok(());
        }
        let [schema, last] = self.without_database(parts)? else {
            let name = self.written(parts);
            return Err(Reason::NotUnderstood(format!("the name {name}")));
        };
        let schema_name = self.part(*schema)?.into_owned();
        let names = self.names;
        let written = self.written(parts);
        match names.schema(&schema_name) {
            SchemaIs::Postgres { source, remote } => {
                self.mention(source, SourceIs::Postgres, written, Weight::Full);
                self.set_schema(parts, *last, &schema_name, remote);
            }
            SchemaIs::Lake(source) => {
                self.mention(source, SourceIs::Lake, written, Weight::Full);
            }
            SchemaIs::System => {}
            SchemaIs::Temporary | SchemaIs::Unknown => self.unknown(&written, None),
        }
        Ok(())
    }

    /// What the statement makes, changes or drops.
    fn written_object(&mut self, parts: &[Id]) -> Result<(), Reason> {
        match self.without_database(parts)? {
            [schema, name] => {
                let name = RelationName::new(&self.part(*schema)?, &self.part(*name)?);
                self.found.write(name);
            }
            [name] => {
                let name = self.part(*name)?.into_owned();
                self.found.unqualified = true;
                self.found.assumed.push(name);
            }
            _ => {}
        }
        self.object(parts)
    }

    /// DROP OPERATOR, ALTER COLLATION, COMMENT ON OPERATOR CLASS: not a use of one.
    fn is_subject(&self, reference: Id) -> bool {
        let parent = self.tree.parent(reference);
        parent == self.statement
            || self.tree.kind(parent) == SyntaxKind::OP_SIG
            || self.tree.kind(self.statement) == SyntaxKind::COMMENT_ON
    }

    /// ALL TABLES IN SCHEMA shop, SET SCHEMA shop: everything in it counts as
    /// written.
    pub(super) fn schema_name(&mut self, id: Id) -> Result<(), Reason> {
        let name = self.part(id)?.into_owned();
        let names = self.names;
        match names.schema(&name) {
            SchemaIs::Postgres { source, remote } => {
                self.mention(source, SourceIs::Postgres, name.clone(), Weight::Full);
                self.found.write(RelationName::new(&name, "*"));
                if remote != name {
                    let (start, end) = (self.tree.start(id), self.tree.end(id));
                    self.edit(start, end, quote_identifier(remote));
                }
            }
            SchemaIs::Lake(source) => self.mention(source, SourceIs::Lake, name, Weight::Full),
            _ => self.unknown(&name, None),
        }
        Ok(())
    }

    /// Qualifies the relation that is created without a schema; those that the
    /// source's path finds count as written where it would find them first.
    pub(super) fn create(&mut self, source: &SourceName) -> Result<(), Reason> {
        let schema = self.names.first_schema(Some(source));
        for name in std::mem::take(&mut self.found.assumed) {
            let Some(schema) = schema else {
                return Err(Reason::Unknown {
                    name,
                    source: Some(source.clone()),
                });
            };
            self.found.write(RelationName::new(schema, &name));
        }
        let Some(id) = self.found.created.take() else {
            return Ok(());
        };
        let name = self.part(id)?.into_owned();
        // A view over temporary relations is one (the page of CREATE VIEW).
        if self.found.on_temporary && self.tree.kind(self.statement) == SyntaxKind::CREATE_VIEW {
            self.temporary(name);
            return Ok(());
        }
        let Some(schema) = schema else {
            return Err(Reason::Unknown {
                name,
                source: Some(source.clone()),
            });
        };
        self.resolved(&[id], id, schema, &name, Use::Create);
        Ok(())
    }

    fn is_temporary(&self) -> bool {
        self.tree.holds(self.statement, SyntaxKind::TEMP)
    }

    /// RENAME TO y
    fn is_new_name(&self, id: Id) -> bool {
        matches!(
            self.tree.parent_kind(id),
            SyntaxKind::TABLE_RENAME_TO | SyntaxKind::VIEW_RENAME_TO
        )
    }

    /// Not a query and no change of rows: names may be of what the catalog does
    /// not list.
    fn is_defining(&self) -> bool {
        use SyntaxKind as S;
        !matches!(
            self.tree.kind(self.statement),
            S::SELECT
                | S::COMPOUND_SELECT
                | S::PAREN_SELECT
                | S::VALUES
                | S::TABLE
                | S::SELECT_INTO
                | S::INSERT
                | S::UPDATE
                | S::DELETE
                | S::MERGE
                | S::COPY
                | S::EXPLAIN
                | S::DECLARE
        )
    }

    fn use_of(&self, reference: Id) -> Use {
        use SyntaxKind as S;
        let tree = self.tree;
        let parent = tree.parent(reference);
        match tree.kind(parent) {
            S::RELATION_FROM_ITEM => Use::From,
            S::RELATION_NAME if tree.parent_kind(parent) == S::TABLE => Use::From,
            S::LIKE_CLAUSE
            | S::REFERENCES_CONSTRAINT
            | S::FOREIGN_KEY_CONSTRAINT
            | S::PARTITION_OF
            | S::INHERITS => Use::Read,
            S::COPY_TABLE => match tree.has(tree.parent(parent), S::COPY_FROM) {
                true => Use::Write,
                false => Use::Read,
            },
            _ => Use::Write,
        }
    }

    /// May the statement that changes this relation look at its rows?
    fn looks_at(&self, target: Id) -> bool {
        use SyntaxKind as S;
        let tree = self.tree;
        let mut statement = target;
        while statement != 0 {
            statement = tree.parent(statement);
            match tree.kind(statement) {
                S::UPDATE | S::MERGE => return true,
                S::DELETE => {
                    return tree.has(statement, S::WHERE_CLAUSE)
                        || tree.has(statement, S::USING_CLAUSE)
                        || tree.has(statement, S::RETURNING_CLAUSE);
                }
                S::INSERT => {
                    return tree.has(statement, S::RETURNING_CLAUSE)
                        || tree.has(statement, S::ON_CONFLICT_CLAUSE);
                }
                _ => {}
            }
        }
        false
    }
}
