//! One test binary, because the engine is slow to link. `cargo test` runs what
//! needs nothing but the compiler; `tests/run` brings a Postgres server, the
//! drivers and the lake tools, and runs all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test's way of failing"
)]

mod clients;
mod federation;
mod fixture;
mod lake;
mod promises;
mod random;
mod relay;
mod sources;
mod tidy;
mod types;
mod wire;
