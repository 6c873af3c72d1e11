//! pg_tables, pg_views, pg_matviews and pg_indexes: relations by name. Sources do
//! not tell what a view selects, so definitions are NULL.

use std::collections::HashSet;

use datafusion::arrow::array::RecordBatch;

use super::OWNER;
use crate::error::Result;
use crate::pg_catalog::builtin;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::functions::index_definition;
use crate::pg_catalog::snapshot::Seen;
use crate::types::Oid;

/// A relation of a source or of the system.
pub struct Listed<'a> {
    pub oid: Oid,
    pub schema: &'a str,
    pub name: &'a str,
    /// relkind.
    pub kind: char,
    pub has_index: bool,
}

/// Every relation that the user sees, sources' first.
pub fn listed<'a>(seen: &Seen<'a>, kinds: &[char]) -> Vec<Listed<'a>> {
    let of_sources = seen.relations().into_iter().map(|relation| Listed {
        oid: relation.oid,
        schema: relation.schema(),
        name: relation.name(),
        kind: relation.kind(),
        has_index: relation.indexes().next().is_some(),
    });
    let indexed: HashSet<Oid> = builtin::indexes().map(|(_, index)| index.table).collect();
    let system = builtin::system_relations().iter().map(|relation| Listed {
        oid: relation.oid,
        schema: relation.schema,
        name: &relation.name,
        kind: relation.kind,
        has_index: indexed.contains(&relation.oid),
    });
    of_sources
        .chain(system)
        .filter(|relation| kinds.contains(&relation.kind))
        .collect()
}

pub fn pg_tables(seen: &Seen) -> Result<RecordBatch> {
    let tables = listed(seen, &['r', 'p']);
    Frame::of("pg_catalog", "pg_tables", tables.len())?
        .text("schemaname", tables.iter().map(|table| table.schema))
        .text("tablename", tables.iter().map(|table| table.name))
        .all_text("tableowner", OWNER)
        .bool("hasindexes", tables.iter().map(|table| table.has_index))
        .all_bool("hasrules", false)
        .all_bool("hastriggers", false)
        .all_bool("rowsecurity", false)
        .finish()
}

pub fn pg_views(seen: &Seen) -> Result<RecordBatch> {
    let views = listed(seen, &['v']);
    Frame::of("pg_catalog", "pg_views", views.len())?
        .text("schemaname", views.iter().map(|view| view.schema))
        .text("viewname", views.iter().map(|view| view.name))
        .all_text("viewowner", OWNER)
        .finish()
}

pub fn pg_matviews(seen: &Seen) -> Result<RecordBatch> {
    let views = listed(seen, &['m']);
    Frame::of("pg_catalog", "pg_matviews", views.len())?
        .text("schemaname", views.iter().map(|view| view.schema))
        .text("matviewname", views.iter().map(|view| view.name))
        .all_text("matviewowner", OWNER)
        .bool("hasindexes", views.iter().map(|view| view.has_index))
        .all_bool("ispopulated", true)
        .finish()
}

pub fn pg_indexes(seen: &Seen) -> Result<RecordBatch> {
    let mut indexes: Vec<(Oid, Oid)> = Vec::new();
    for relation in seen.relations() {
        indexes.extend(relation.indexes().map(|(oid, ..)| (oid, relation.oid)));
    }
    indexes.extend(builtin::indexes().map(|(oid, index)| (oid, index.table)));
    let names: Vec<_> = indexes
        .iter()
        .filter_map(|(index, table)| {
            let ((schema, index_name), (_, table_name)) =
                (seen.class_name(*index)?, seen.class_name(*table)?);
            Some((
                schema,
                table_name,
                index_name,
                index_definition(seen, *index),
            ))
        })
        .collect();
    Frame::of("pg_catalog", "pg_indexes", names.len())?
        .text("schemaname", names.iter().map(|row| &row.0))
        .text("tablename", names.iter().map(|row| &row.1))
        .text("indexname", names.iter().map(|row| &row.2))
        .maybe_text("indexdef", names.iter().map(|row| row.3.as_ref()))
        .finish()
}
