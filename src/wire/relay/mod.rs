//! Frames between a client and a source: what the client sends goes upstream
//! with its names mapped, what the source answers comes back undecoded. Called
//! by `simple` and `extended` for statements that the session relays; which
//! source, on which connection and in which transaction is the session's.

mod copy_in;
mod extended;
mod pump;
mod replies;
mod simple;

pub use extended::{bind, close_portal, describe, execute, parse, settle_before, sync};
pub use pump::Pipeline;
pub use simple::run as run_simple;
