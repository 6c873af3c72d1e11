//! What names mean: identifiers as Postgres folds them, schemas and relations
//! against one catalog snapshot and the client's search_path.

use std::borrow::Cow;

use super::statement::Reason;
use crate::catalog::Catalog;
use crate::names::SourceName;
use crate::pg_catalog::builtin;

/// Where a statement's names are looked up.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub catalog: &'a Catalog,
    /// Schemas in order, `"$user"` and "public" resolved to what they stand for.
    pub search_path: &'a [String],
    /// The name of the one database that clients see.
    pub database: &'a str,
    pub temporary: Temporary<'a>,
}

/// The client's temporary relations, all on one source; they hide others of
/// their names.
#[derive(Clone, Copy, Default)]
pub struct Temporary<'a> {
    pub source: Option<&'a SourceName>,
    pub names: &'a [String],
}

/// The search_path of a relayed statement: the remote names of the source's
/// schemas that are on the client's path, in its order.
pub fn remote_search_path(names: &Names, source: &SourceName) -> Vec<String> {
    let schemas = names.search_path.iter();
    let remote = schemas.filter_map(|schema| match names.schema(schema) {
        SchemaIs::Postgres {
            source: owner,
            remote,
        } if owner == source => Some(remote.to_string()),
        _ => None,
    });
    let mut path: Vec<String> = Vec::new();
    for schema in remote {
        if !path.contains(&schema) {
            path.push(schema);
        }
    }
    path
}

/// What a schema's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SchemaIs<'a> {
    Postgres {
        source: &'a SourceName,
        remote: &'a str,
    },
    Lake(&'a SourceName),
    /// pg_catalog and information_schema.
    System,
    /// The client's temporary relations.
    Temporary,
    Unknown,
}

/// What an unqualified relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RelationIs<'a> {
    /// In this schema, as clients name it.
    In(&'a str),
    /// The client's own, on this source.
    Temporary(&'a SourceName),
    System,
    Unknown,
}

impl<'a> Names<'a> {
    pub(super) fn schema(&self, name: &str) -> SchemaIs<'a> {
        if let Some(schema) = self.catalog.schemas.get(name) {
            return match (&schema.source, &schema.remote) {
                (Some(source), Some(remote)) => SchemaIs::Postgres { source, remote },
                (Some(source), None) => SchemaIs::Lake(source),
                (None, _) => SchemaIs::Unknown,
            };
        }
        match name {
            "pg_catalog" | "information_schema" => SchemaIs::System,
            "pg_temp" => SchemaIs::Temporary,
            _ => SchemaIs::Unknown,
        }
    }

    pub(super) fn holds(&self, schema: &str, relation: &str) -> bool {
        let schema = self.catalog.schemas.get(schema);
        schema.is_some_and(|schema| schema.tables.contains_key(relation))
    }

    /// Is it known, or may it be there all the same? Then the source says.
    pub(super) fn may_hold(&self, schema: &str, relation: &str) -> bool {
        let schema = self.catalog.schemas.get(schema);
        schema.is_some_and(|schema| schema.open || schema.tables.contains_key(relation))
    }

    /// Temporary relations and then pg_catalog are searched first (`search_path`
    /// in section 20.11.1 of the Postgres manual).
    pub(super) fn unqualified(&self, relation: &str) -> RelationIs<'a> {
        if let Some(source) = self.temporary.source
            && self.temporary.names.iter().any(|name| name == relation)
        {
            return RelationIs::Temporary(source);
        }
        if builtin::system_relation("pg_catalog", relation).is_some() {
            return RelationIs::System;
        }
        let path = self.search_path.iter();
        match path.into_iter().find(|schema| self.holds(schema, relation)) {
            Some(schema) => RelationIs::In(schema),
            None => RelationIs::Unknown,
        }
    }

    /// The first schema on the path that belongs to `source`, or, if none is
    /// given, to the one Postgres source that is on it.
    pub(super) fn first_schema(&self, source: Option<&SourceName>) -> Option<&'a str> {
        let mut first: Option<(&'a str, &'a SourceName)> = None;
        for schema in self.search_path {
            let SchemaIs::Postgres { source: owner, .. } = self.schema(schema) else {
                continue;
            };
            match (source, first) {
                (Some(source), _) if source != owner => {}
                (_, None) => first = Some((schema, owner)),
                (None, Some((_, known))) if known != owner => return None,
                _ => {}
            }
        }
        first.map(|(schema, _)| schema)
    }
}

/// Longer names are cut (section 4.1.1 of the Postgres manual).
const MAX_NAME: usize = 63;

/// The name that an identifier stands for: folded if not quoted, cut if too long.
pub(super) fn identifier(text: &str) -> Result<Cow<'_, str>, Reason> {
    let name = match text.strip_prefix('"') {
        Some(quoted) => {
            let inner = quoted.strip_suffix('"').unwrap_or(quoted);
            match inner.contains('"') {
                true => Cow::Owned(inner.replace("\"\"", "\"")),
                false => Cow::Borrowed(inner),
            }
        }
        None if text.contains('"') => {
            return Err(Reason::NotUnderstood("a name with U& escapes".into()));
        }
        None if text.bytes().any(|b| b.is_ascii_uppercase()) => {
            Cow::Owned(text.to_ascii_lowercase())
        }
        None => Cow::Borrowed(text),
    };
    if name.len() <= MAX_NAME {
        return Ok(name);
    }
    let mut end = MAX_NAME;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    Ok(Cow::Owned(name[..end].to_string()))
}
