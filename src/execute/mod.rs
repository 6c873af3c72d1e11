//! Runs plans: one `Engine` a process, one `EngineSession` a connection. The
//! session hands in parsed statements and gets back streams of record batches.

mod around;
mod compact;
mod engine;
mod explain;
mod fragments;
mod join_keys;
mod memory;
mod open_tables;
mod optimize;
mod physical;
mod plans;
#[cfg(test)]
mod pushdown_goldens;
mod running_filters;
mod semi_joins;
mod shared;
mod state;
mod threads;

pub use engine::{Engine, EngineSession, Rows, is_light};
pub use threads::{STACK, Threads};
