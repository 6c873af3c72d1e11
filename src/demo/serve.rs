//! The server of the demo, in this process: the only place of the demo that
//! knows how an engine and a server are put together.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::config::Config;
use crate::error::Result;
use crate::execute::Engine;
use crate::server;

#[derive(Debug)]
pub(super) struct Serving {
    address: SocketAddr,
    database: String,
    task: JoinHandle<Result<()>>,
}

impl Serving {
    pub async fn start(config: Config) -> Result<Self> {
        let config = Arc::new(config);
        let engine = Engine::start(config.clone()).await?;
        let server = server::serve(config.clone(), engine).await?;
        let address = server.local_addr();
        let task = tokio::spawn(server.run());
        Ok(Serving {
            address,
            database: config.server.database.clone(),
            task,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// Nobody but the demo's own visitors is connected: nothing to drain.
    pub async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
