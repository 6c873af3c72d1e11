//! Runs plans: one `Engine` a process, one `EngineSession` a connection. The
//! session hands in parsed statements and gets back streams of record batches.

mod engine;

pub use engine::{Engine, EngineSession, Rows};
