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

pub use functions::{aggregates, functions, table_functions};
pub use relation::{relation, relation_names};
pub use resolve::{
    regproc_text, regrole_text, regtype_text, resolve_regclass, resolve_regnamespace,
    resolve_regproc, resolve_regrole, resolve_regtype,
};
#[cfg(test)]
mod gaptest;
