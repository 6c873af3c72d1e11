//! The listening socket: who is let in, TLS, the orderly end. Called by `main`,
//! tests and the demo; what a connection says is `wire`'s.

mod accept;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::auth::Users;
use crate::config::Config;
use crate::error::{Error, Result, SqlState};
use crate::execute::Engine;
use crate::wire::{CancelRegistry, Service, Shutdown};

/// How long running statements may go on after shutdown began, and how long
/// connections then have to close.
const DRAIN: Duration = Duration::from_secs(10);
const CLOSE: Duration = Duration::from_secs(3);

pub struct Server {
    service: Arc<Service>,
    listener: TcpListener,
    address: SocketAddr,
}

/// Ends a running server from outside.
#[derive(Debug, Clone)]
pub struct Stop(Shutdown);

impl Stop {
    /// Stop accepting, end idle sessions, let running statements finish for a while.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// End everything.
    pub fn now(&self) {
        self.0.now();
    }
}

/// Reads files again while the server runs.
#[derive(Clone)]
pub struct Reload(Arc<Service>);

impl Reload {
    /// Certificate and key, for connections to come; on an error the old ones stay.
    pub fn tls(&self) -> Result<()> {
        let settings = self.0.config.server.tls.as_ref();
        if let Some((tls, settings)) = self.0.tls.as_ref().zip(settings) {
            let identity = tls::identity(&self.0.config.base, settings)?;
            tls.current.store(identity);
        }
        Ok(())
    }
}

/// Binds the address of the configuration; `run` accepts.
pub async fn serve(config: Arc<Config>, engine: Arc<Engine>) -> Result<Server> {
    let users = Users::load(&config.users)?;
    let listen = config.server.listen;
    if users.is_empty() && !listen.ip().is_loopback() {
        return Err(Error::new(
            SqlState::CONFIG_FILE_ERROR,
            format!("{listen} is not a loopback address, and there are no [[users]]"),
        )
        .with_hint("Declare [[users]] in the catalog file, or listen on 127.0.0.1."));
    }
    let tls = match &config.server.tls {
        Some(settings) => Some(tls::load(&config.base, settings)?),
        None => None,
    };
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Error::new(
            SqlState::CONFIG_FILE_ERROR,
            format!("cannot listen on {listen}: {error}"),
        )
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal(format!("local address: {error}")))?;
    if users.is_empty() {
        tracing::warn!(
            "no [[users]] are declared: loopback connections are accepted as any user, without a password"
        );
    }
    let cancels = Arc::new(CancelRegistry::default());
    Ok(Server {
        service: Arc::new(Service {
            config,
            engine,
            users,
            shutdown: Shutdown::new(cancels.clone()),
            cancels,
            tls,
        }),
        listener,
        address,
    })
}

impl Server {
    /// The address that is listened on; the port is chosen by the system for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    pub fn stop_handle(&self) -> Stop {
        Stop(self.service.shutdown.clone())
    }

    pub fn reload_handle(&self) -> Reload {
        Reload(self.service.clone())
    }

    /// Accepts until stopped; returns when every connection is gone or given up.
    pub async fn run(self) -> Result<()> {
        tracing::info!("listening on {}", self.address);
        accept::run(self.service, self.listener, DRAIN, CLOSE).await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// SIGTERM and SIGINT: the first drains, a second one ends everything.
pub async fn stop_on_signals(stop: Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::warn!("signals cannot be received");
        return;
    };
    let mut next = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    next().await;
    tracing::info!("stopping: running statements may finish");
    stop.drain();
    next().await;
    stop.now();
}

/// SIGHUP: certificates are read again.
pub async fn reload_on_hangup(reload: Reload) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    while hangup.recv().await.is_some() {
        match reload.tls() {
            Ok(()) => tracing::info!("certificates were read again"),
            Err(error) => tracing::error!("certificates stay as they were: {}", error.log_text()),
        }
    }
}
