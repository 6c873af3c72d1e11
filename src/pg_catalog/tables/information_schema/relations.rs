//! schemata, tables, views, and what the one database is called and encoded in.

use datafusion::arrow::array::RecordBatch;

use super::{SCHEMA, yes_or_no};
use crate::error::Result;
use crate::names::RelationName;
use crate::pg_catalog::builtin;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::tables::OWNER;
use crate::pg_catalog::tables::listings::{Listed, listed};

/// Relations that the standard lists: materialized views are none of them.
pub const KINDS: &[char] = &['r', 'p', 'v', 'f'];

pub fn catalog_name(seen: &Seen) -> Result<RecordBatch> {
    Frame::of(SCHEMA, "information_schema_catalog_name", 1)?
        .all_text("catalog_name", &seen.vars.database)
        .finish()
}

pub fn schemata(seen: &Seen) -> Result<RecordBatch> {
    let system = builtin::namespaces().iter().map(|(_, name)| name);
    let of_sources = seen
        .namespaces()
        .into_iter()
        .filter(|schema| schema.oid != oids::SCHEMA_PUBLIC);
    let names: Vec<&String> = system
        .chain(of_sources.map(|schema| &schema.name))
        .collect();
    Frame::of(SCHEMA, "schemata", names.len())?
        .all_text("catalog_name", &seen.vars.database)
        .text("schema_name", &names)
        .all_text("schema_owner", OWNER)
        .finish()
}

pub fn tables(seen: &Seen) -> Result<RecordBatch> {
    let tables = listed(seen, KINDS);
    Frame::of(SCHEMA, "tables", tables.len())?
        .all_text("table_catalog", &seen.vars.database)
        .text("table_schema", tables.iter().map(|table| table.schema))
        .text("table_name", tables.iter().map(|table| table.name))
        .text(
            "table_type",
            tables.iter().map(|table| match table.kind {
                'v' => "VIEW",
                'f' => "FOREIGN",
                _ => "BASE TABLE",
            }),
        )
        .text(
            "is_insertable_into",
            tables.iter().map(|table| yes_or_no(may_write(seen, table))),
        )
        .all_text("is_typed", "NO")
        .finish()
}

fn may_write(seen: &Seen, table: &Listed) -> bool {
    let name = RelationName::new(table.schema, table.name);
    table.kind != 'v' && seen.relation(table.oid).is_some() && seen.vars.grants.may_write(&name)
}

pub fn views(seen: &Seen) -> Result<RecordBatch> {
    let views = listed(seen, &['v']);
    Frame::of(SCHEMA, "views", views.len())?
        .all_text("table_catalog", &seen.vars.database)
        .text("table_schema", views.iter().map(|view| view.schema))
        .text("table_name", views.iter().map(|view| view.name))
        .all_text("check_option", "NONE")
        .all_text("is_updatable", "NO")
        .all_text("is_insertable_into", "NO")
        .all_text("is_trigger_updatable", "NO")
        .all_text("is_trigger_deletable", "NO")
        .all_text("is_trigger_insertable_into", "NO")
        .finish()
}

pub fn character_sets(seen: &Seen) -> Result<RecordBatch> {
    Frame::of(SCHEMA, "character_sets", 1)?
        .all_text("character_set_name", "UTF8")
        .all_text("character_repertoire", "UCS")
        .all_text("form_of_use", "UTF8")
        .all_text("default_collate_catalog", &seen.vars.database)
        .all_text("default_collate_schema", "pg_catalog")
        .all_text("default_collate_name", "C")
        .finish()
}
