//! What makes the engine answer as Postgres does: types, casts, operators,
//! functions, and the session's values that they read.

pub mod session_vars;
mod types;

pub use session_vars::SessionVars;
pub use types::TypeNames;
