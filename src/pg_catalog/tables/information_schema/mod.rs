//! The views of information_schema (chapter 37 of the Postgres manual). Those that
//! are not listed are empty: sources tell of no sequences and triggers, and what they
//! tell of their types is in pg_type.

mod columns;
mod keys;
mod privileges;
mod relations;
mod roles;
mod routines;

use super::Builder;

pub fn builder(name: &str) -> Option<Builder> {
    use Builder::{Replace, Session};
    Some(match name {
        "character_sets" => Replace(relations::character_sets),
        "column_privileges" => Session(|seen| privileges::columns(seen, "column_privileges")),
        "columns" => Replace(columns::columns),
        "constraint_column_usage" => Replace(keys::constraint_column_usage),
        "constraint_table_usage" => Replace(keys::constraint_table_usage),
        "element_types" => Replace(columns::element_types),
        "enabled_roles" => Session(roles::enabled_roles),
        "information_schema_catalog_name" => Replace(relations::catalog_name),
        "key_column_usage" => Replace(keys::key_column_usage),
        "parameters" => Replace(routines::parameters),
        "referential_constraints" => Replace(keys::referential_constraints),
        "role_column_grants" => Session(|seen| privileges::columns(seen, "role_column_grants")),
        "role_table_grants" => Session(|seen| privileges::tables(seen, "role_table_grants")),
        "routines" => Replace(routines::routines),
        "schemata" => Replace(relations::schemata),
        "table_constraints" => Replace(keys::table_constraints),
        "table_privileges" => Session(|seen| privileges::tables(seen, "table_privileges")),
        "tables" => Replace(relations::tables),
        "views" => Replace(relations::views),
        _ => return None,
    })
}

const SCHEMA: &str = "information_schema";

/// The standard's booleans.
fn yes_or_no(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}
