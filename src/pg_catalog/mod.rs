//! Postgres's system catalogs over the catalog of sources: every relation of
//! pg_catalog and information_schema as a table that the engine queries, and the
//! functions that look at them. Clients find here what psql, drivers and BI tools
//! ask for, whatever the SQL they ask it in.
//!
//! | file | |
//! |---|---|
//! | `data/` | what every Postgres 17 cluster holds, dumped from one |
//! | `builtin/` | facts read from it: types, functions, relations and their columns |
//! | `oids` | identifiers that never change |
//! | `snapshot` | one catalog snapshot with its OIDs, and what a user sees of it |
//! | `source_types` | the types that sources define, under the OIDs that they gave them |
//! | `tables/` | rows of the relations that have some |
//! | `functions/` | pg_get_…, has_…_privilege and the like |
//! | `resolve`, `type_names` | names to OIDs and back |
//!
//! Called by the planner, which resolves names against `relation`, drops the
//! schema in front of functions, writes `narrows_…` functions for casts to `reg*`
//! types and for subqueries, and by the engine, which registers the functions.
//! A user sees only the relations that they may read.

pub mod builtin;
mod data;
mod frame;
mod functions;
pub mod oids;
mod relation;
mod resolve;
mod roles;
mod snapshot;
mod source_relations;
mod source_types;
mod tables;
mod type_names;

use std::sync::Arc;

use arc_swap::ArcSwap;
use datafusion::execution::{FunctionRegistry, SessionState};

use crate::catalog::Catalog;
use crate::error::Result;

pub use relation::{is_always_empty, relation, relation_names, relation_oid};
pub use resolve::{
    regprocedure_text, regrole_text, resolve_regclass, resolve_regnamespace, resolve_regproc,
    resolve_regprocedure, resolve_regrole, resolve_regtype,
};
pub use source_relations::SourceRelations;

/// Adds the catalog functions to the engine's state.
pub fn register(state: &mut SessionState, catalog: &Arc<ArcSwap<Catalog>>) -> Result<()> {
    for function in functions::functions(catalog.clone()) {
        state.register_udf(function)?;
    }
    for function in functions::aggregates() {
        state.register_udaf(function)?;
    }
    for (name, function) in functions::table_functions() {
        state.register_udtf(&name, function);
    }
    Ok(())
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod type_tests;
