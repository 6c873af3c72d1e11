//! The protocol, byte by byte, against a server in this process that has no
//! sources: what a client may send, and what it must get.

mod auth;
mod cancel;
pub mod client;
mod copy;
mod extended;
mod limits;
pub mod running;
mod session;
mod simple;
mod startup;
mod tls;
