//! Raw connections for relaying: the client's side of the Postgres protocol with
//! the frames kept undecoded, and their pool. Called by whoever relays a client's
//! statements; knows neither sessions nor SQL, only finished bytes.
//!
//! The way of a statement: `RelayPool::lease` → the messages of `sending`, or
//! `append` for the client's own → `receive` → `bulk` and `next` → `release`.

mod awaited;
mod backoff;
mod cancel;
mod connect;
mod connection;
mod frontend;
mod inbox;
mod lease;
mod login;
mod parameters;
mod pool;
mod prepared;
mod receiving;
mod report;
mod sending;
mod settings;
#[cfg(test)]
mod tests;
mod unnamed;

pub use self::cancel::Canceller;
pub(super) use self::connect::{Connector, Login};
pub use self::connection::{Connection, Exchanged, OBEY, TransactionStatus};
pub use self::inbox::{Bulk, Frame};
pub use self::lease::Lease;
pub use self::pool::{RelayPool, Role};
pub use self::prepared::Statement;
pub use self::report::Report;
pub use self::sending::{Applied, Ensured};
pub use self::settings::UpstreamSettings;
