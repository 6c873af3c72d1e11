//! (opening paragraph)
mod progress;
pub mod tpch;
pub use progress::Progress;
