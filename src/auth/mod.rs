//! Who may log in and what they may touch.

pub mod grants;
pub mod scram;
mod users;

pub use users::{Challenge, Users};
