//! The Postgres protocol from a client's socket to its session: startup and
//! login, simple and extended queries, rows out, cancel. Called by `server` for
//! each connection it accepts; what statements mean is the session's.
//!
//! Chapter 55 "Frontend/Backend Protocol" of the Postgres manual.

mod backend;
mod cancel;
mod channel;
mod connection;
mod copy;
pub mod encode;
mod extended;
mod frontend;
mod guard;
mod interrupt;
mod login;
mod params;
mod portal;
mod relay;
mod simple;
mod startup;
mod task;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

pub use cancel::CancelRegistry;
use interrupt::Closing;

use crate::auth::Users;
use crate::auth::scram::Binding;
use crate::config::Config;
use crate::execute::Engine;

/// What all connections of a server share.
pub struct Service {
    pub config: Arc<Config>,
    pub engine: Arc<Engine>,
    pub users: Users,
    pub cancels: Arc<CancelRegistry>,
    pub tls: Option<Tls>,
    pub shutdown: Shutdown,
}

/// TLS as it is offered now; a reload swaps it for connections to come.
pub struct Tls {
    pub current: ArcSwap<TlsIdentity>,
    pub required: bool,
}

pub struct TlsIdentity {
    pub config: Arc<rustls::ServerConfig>,
    pub binding: Binding,
}

/// The two steps of an orderly end.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// For all but sessions, which hear of it from `cancels`.
    pub draining: CancellationToken,
    pub ended: CancellationToken,
    cancels: Arc<CancelRegistry>,
}

impl Shutdown {
    pub fn new(cancels: Arc<CancelRegistry>) -> Self {
        Shutdown {
            cancels,
            ..Shutdown::default()
        }
    }

    /// Idle sessions end; running statements go on.
    pub fn drain(&self) {
        self.draining.cancel();
        self.cancels.close(Closing::Drain);
    }

    /// Everything ends.
    pub fn now(&self) {
        self.draining.cancel();
        self.ended.cancel();
        self.cancels.close(Closing::Now);
    }
}

/// Is there a place for this connection?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Free,
    /// It is told so, unless it is a cancel request.
    Full,
}

/// Serves one client until it leaves.
pub async fn serve(
    service: Arc<Service>,
    stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
) {
    let limit = service.config.limits.login_timeout;
    let login = login::login(&service, stream, peer, admission);
    let entered = tokio::select! {
        entered = tokio::time::timeout(limit, login) => entered,
        () = service.shutdown.draining.cancelled() => return,
    };
    match entered {
        Ok(Some(entered)) => connection::run(service, entered).await,
        Ok(None) => {}
        Err(_) => tracing::info!(%peer, "login was not finished in time"),
    }
}
