//! Narrows: one Postgres endpoint in front of Postgres databases and lakehouse
//! tables. A query meets `server`, `wire`, `session`, `execute`, `plan`,
//! `pushdown` and `sources` in this order; each module imports lower ranks only
//! (ARCHITECTURE.md has the picture).

pub mod auth;
pub mod catalog;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod error;
pub mod execute;
pub mod metrics;
pub mod names;
pub mod pg_catalog;
pub mod plan;
pub mod pushdown;
pub mod semantics;
pub mod server;
pub mod session;
pub mod sources;
pub mod types;
pub mod wire;
