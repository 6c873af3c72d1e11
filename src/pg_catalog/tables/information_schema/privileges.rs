//! table_privileges, column_privileges and the like: what the session's user may
//! do with sources' relations.

use datafusion::arrow::array::RecordBatch;

use super::{SCHEMA, yes_or_no};
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::{Relation, Seen};
use crate::pg_catalog::tables::OWNER;

const READ: &[&str] = &["SELECT"];
const TABLE: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];
const COLUMN: &[&str] = &["SELECT", "INSERT", "UPDATE"];

pub fn tables(seen: &Seen, view: &str) -> Result<RecordBatch> {
    let rows = granted(seen, TABLE);
    let database = &*seen.vars.database;
    Frame::of(SCHEMA, view, rows.len())?
        .all_text("grantor", OWNER)
        .all_text("grantee", &seen.vars.user)
        .all_text("table_catalog", database)
        .text("table_schema", rows.iter().map(|row| row.0.schema()))
        .text("table_name", rows.iter().map(|row| row.0.name()))
        .text("privilege_type", rows.iter().map(|row| row.1))
        .all_text("is_grantable", "NO")
        .text(
            "with_hierarchy",
            rows.iter().map(|row| yes_or_no(row.1 == "SELECT")),
        )
        .finish()
}

pub fn columns(seen: &Seen, view: &str) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for (relation, privilege) in granted(seen, COLUMN) {
        rows.extend(
            relation
                .table
                .columns
                .iter()
                .map(|column| (relation, privilege, &column.name)),
        );
    }
    Frame::of(SCHEMA, view, rows.len())?
        .all_text("grantor", OWNER)
        .all_text("grantee", &seen.vars.user)
        .all_text("table_catalog", &seen.vars.database)
        .text("table_schema", rows.iter().map(|row| row.0.schema()))
        .text("table_name", rows.iter().map(|row| row.0.name()))
        .text("column_name", rows.iter().map(|row| row.2))
        .text("privilege_type", rows.iter().map(|row| row.1))
        .all_text("is_grantable", "NO")
        .finish()
}

fn granted<'a>(
    seen: &Seen<'a>,
    writes: &'static [&'static str],
) -> Vec<(&'a Relation, &'static str)> {
    let held = |relation: &'a Relation| {
        let privileges = match seen.vars.grants.may_write(&relation.table.name) {
            true => writes,
            false => READ,
        };
        privileges
            .iter()
            .map(move |privilege| (relation, *privilege))
    };
    seen.relations().into_iter().flat_map(held).collect()
}
