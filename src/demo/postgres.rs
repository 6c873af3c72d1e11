//! An embedded Postgres 17 (PGlite, compiled ahead of time) on a loopback port
//! of its own, with its data in a folder that outlives it. The demo and the
//! integration tests start it; nothing that serves production does.
//!
//! What it can and cannot do (measured with pglite-oxide 0.5.1):
//! - one backend: the guard in front of it lets one connection in and keeps the
//!   others waiting until that one ends, so a pool must be of size one;
//! - every connection is a new backend, started in 0.15 s (0.7 s after an end
//!   that was not a Terminate: it recovers first; 1 s the first time of all);
//! - cancel requests reach nobody (the one backend is busy), so the guard ends
//!   them at once instead of leaving the canceller to wait; `statement_timeout`
//!   is accepted and never fires: WebAssembly has no timer signals;
//! - simple and extended protocol, cursors, COPY in and out, text and binary,
//!   work; TLS does not (SSLRequest is answered with N, so `sslmode=prefer`
//!   connects too), nor do passwords: `trust`;
//! - the database is UTF-8 with collation C; no parallel workers, no autovacuum;
//! - its program is unpacked once per user into the cache folder of the
//!   platform (`$XDG_CACHE_HOME/pglite-oxide`, 100 MB); nothing else is written
//!   outside the data folder, which begins at 20 MB.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use pglite_oxide::PgliteServer;

use super::guard::Guard;
use crate::error::{Error, Result, SqlState};

const DATABASE: &str = "postgres";
const USER: &str = "postgres";

#[derive(Debug)]
pub struct EmbeddedPostgres {
    guard: Guard,
    server: Option<PgliteServer>,
}

impl EmbeddedPostgres {
    /// Starts on the data in `dir`, which it creates, or fails where another
    /// process has it open. Unpacking takes seconds the first time, tenths later.
    pub async fn start(dir: &Path) -> Result<Self> {
        let dir = dir.to_path_buf();
        let server = tokio::task::spawn_blocking(move || open(dir))
            .await
            .map_err(|_| Error::internal("the embedded Postgres panicked while it started"))??;
        let backend = server
            .tcp_addr()
            .ok_or_else(|| Error::internal("the embedded Postgres has no port"))?;
        let guard = Guard::start(backend).await?;
        Ok(EmbeddedPostgres {
            guard,
            server: Some(server),
        })
    }

    /// A libpq URL; the role is a superuser without a password.
    pub fn url(&self) -> String {
        let address = self.guard.address();
        format!("postgresql://{USER}@{address}/{DATABASE}?sslmode=disable")
    }

    pub fn address(&self) -> SocketAddr {
        self.guard.address()
    }

    /// Ends the connection that is open, if any, as a lost client would, waits
    /// until the backend has written everything, and stops.
    pub async fn shutdown(mut self) -> Result<()> {
        self.guard.close().await;
        let Some(server) = self.server.take() else {
            return Ok(());
        };
        tokio::task::spawn_blocking(move || server.shutdown())
            .await
            .map_err(|_| Error::internal("the embedded Postgres panicked while it stopped"))?
            .map_err(|error| failed("could not be stopped", error))
    }
}

fn open(dir: PathBuf) -> Result<PgliteServer> {
    std::fs::create_dir_all(&dir).map_err(|error| failed("has no data folder", error))?;
    PgliteServer::builder()
        .path(dir)
        .tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .username(USER)
        .database(DATABASE)
        .start()
        .map_err(|error| failed("could not be started", error))
}

fn failed(what: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    // The chain is local: no client, no secret.
    Error::new(
        SqlState::SYSTEM_ERROR,
        format!("the embedded Postgres {what}: {cause:#}"),
    )
    .with_cause(cause)
}
