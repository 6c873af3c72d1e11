//! (opening paragraph)
mod guard;
mod postgres;
mod progress;
#[cfg(test)]
mod tests;
pub mod tpch;
pub use postgres::EmbeddedPostgres;
pub use progress::Progress;
