//! Which system relations have rows of their own, and who makes them. A relation
//! that is not listed holds what every cluster holds, which is nothing for most.

mod activity;
mod information_schema;
mod listings;
mod pg_attrdef;
mod pg_attribute;
mod pg_class;
mod pg_constraint;
mod pg_database;
mod pg_description;
mod pg_index;
mod pg_namespace;
mod pg_settings;
mod pg_type;
mod roles;
mod statistics;
mod timezones;

use datafusion::arrow::array::RecordBatch;

use super::builtin::SystemRelation;
use super::snapshot::Seen;
use crate::error::Result;

type Build = fn(&Seen) -> Result<RecordBatch>;

/// How a relation's rows come about.
pub enum Builder {
    /// After the built-in rows; depends on snapshot, grants and database alone.
    Add(Build),
    /// Instead of the built-in rows; depends on snapshot, grants and database alone.
    Replace(Build),
    /// Instead of the built-in rows; depends on more of the session.
    Session(Build),
}

pub fn builder(relation: &SystemRelation) -> Option<Builder> {
    use Builder::{Add, Replace, Session};
    if relation.schema == "information_schema" {
        return information_schema::builder(&relation.name);
    }
    Some(match relation.name.as_str() {
        "pg_attrdef" => Add(pg_attrdef::rows),
        "pg_attribute" => Add(pg_attribute::rows),
        "pg_authid" => Session(roles::pg_authid),
        "pg_class" => Add(pg_class::rows),
        "pg_constraint" => Add(pg_constraint::rows),
        "pg_database" => Session(pg_database::rows),
        "pg_description" => Add(pg_description::rows),
        "pg_enum" => Add(pg_type::enums),
        "pg_index" => Add(pg_index::rows),
        "pg_indexes" => Replace(listings::pg_indexes),
        "pg_matviews" => Replace(listings::pg_matviews),
        "pg_namespace" => Add(pg_namespace::rows),
        "pg_proc" => Add(pg_type::value_functions),
        "pg_range" => Add(pg_type::ranges),
        "pg_roles" => Session(roles::pg_roles),
        "pg_settings" => Session(pg_settings::rows),
        "pg_shadow" => Session(roles::pg_shadow),
        "pg_stat_activity" => Session(activity::pg_stat_activity),
        "pg_stat_all_tables" => Replace(statistics::pg_stat_all_tables),
        "pg_stat_gssapi" => Session(activity::pg_stat_gssapi),
        "pg_stat_user_tables" => Replace(statistics::pg_stat_user_tables),
        "pg_statio_all_tables" => Replace(statistics::pg_statio_all_tables),
        "pg_statio_user_tables" => Replace(statistics::pg_statio_user_tables),
        "pg_tables" => Replace(listings::pg_tables),
        "pg_timezone_names" => Session(timezones::pg_timezone_names),
        "pg_type" => Add(pg_type::rows),
        "pg_user" => Session(roles::pg_user),
        "pg_views" => Replace(listings::pg_views),
        _ => return None,
    })
}

/// OIDs of what every relation here belongs to.
fn owner() -> i64 {
    i64::from(super::oids::BOOTSTRAP_ROLE)
}

/// The name of that role.
const OWNER: &str = "postgres";
