//! What makes the engine answer as Postgres does: types, casts, operators,
//! functions, and the session's values that they read. Registered once with
//! the engine's shared state; imports nothing of the catalog or the sources.

pub mod session_vars;
mod types;

use datafusion::execution::SessionState;

use crate::error::Result;

pub use session_vars::SessionVars;
pub use types::TypeNames;

/// Adds the rules, planners and functions to the engine's state.
pub fn register(_state: &mut SessionState) -> Result<()> {
    Ok(())
}
