//! Postgres's system catalogs over the catalog of sources.
pub mod builtin;
mod data;
mod frame;
mod functions;
pub mod oids;
mod relation;
mod resolve;
mod roles;
mod snapshot;
mod tables;
mod type_names;

use std::sync::Arc;

use arc_swap::ArcSwap;
use datafusion::execution::{FunctionRegistry, SessionState};

use crate::catalog::Catalog;
use crate::error::Result;

pub use relation::{relation, relation_names};
pub use resolve::{
    regproc_text, regrole_text, regtype_text, resolve_regclass, resolve_regnamespace,
    resolve_regproc, resolve_regrole, resolve_regtype,
};

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

/// The OID of a system relation; `None`: there is none of that name.
pub fn system_relation_oid(schema: &str, name: &str) -> Option<crate::types::Oid> {
    builtin::system_relation(schema, name).map(|relation| relation.oid)
}

/// Does the relation never hold a row here, whatever the sources hold?
pub fn is_always_empty(schema: &str, name: &str) -> bool {
    builtin::system_relation(schema, name).is_some_and(relation::is_always_empty)
}
