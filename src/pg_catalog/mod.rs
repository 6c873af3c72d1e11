//! Postgres's system catalogs over the catalog of sources.
pub mod builtin;
mod data;
mod frame;
pub mod oids;
mod relation;
mod resolve;
mod roles;
mod snapshot;
mod tables;
mod type_names;

pub use relation::{relation, relation_names};
pub use resolve::{
    regproc_text, regrole_text, regtype_text, resolve_regclass, resolve_regnamespace,
    resolve_regproc, resolve_regrole, resolve_regtype,
};
#[cfg(test)]
mod gaptest;

pub fn register(
    _state: &mut datafusion::execution::SessionState,
    _catalog: &std::sync::Arc<arc_swap::ArcSwap<crate::catalog::Catalog>>,
) -> crate::error::Result<()> {
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
