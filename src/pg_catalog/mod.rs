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

pub use resolve::{
    regproc_text, regrole_text, regtype_text, resolve_regclass, resolve_regnamespace, resolve_regproc,
    resolve_regrole, resolve_regtype,
};
pub use relation::{relation, relation_names};
#[cfg(test)]
mod gaptest;

pub fn register(
    _state: &mut datafusion::execution::SessionState,
    _catalog: &std::sync::Arc<arc_swap::ArcSwap<crate::catalog::Catalog>>,
) -> crate::error::Result<()> {
    Ok(())
}
