//! Accepts connections and runs their sessions.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::execute::Engine;

/// A listener that is bound and does not accept yet.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
}

/// Binds the address that the configuration names.
pub async fn serve(_config: Arc<Config>, _engine: Arc<Engine>) -> Result<Server> {
    Err(Error::unsupported("serving is not supported yet"))
}

impl Server {
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Until it is told to stop.
    pub async fn run(self) -> Result<()> {
        Ok(())
    }
}
