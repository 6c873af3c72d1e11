//! A server of this process, ended with the test that started it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use narrows::config::Config;
use narrows::execute::Engine;
use narrows::server::{self, Stop};

use super::client::Client;

pub struct Running {
    pub address: SocketAddr,
    pub stop: Stop,
    /// Ends the server when dropped.
    _runtime: tokio::runtime::Runtime,
    pub ended: std::sync::mpsc::Receiver<()>,
}

/// A server whose catalog.toml has these lines after `[server]` and its address.
pub fn start(lines: &str) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("catalog.toml");
    let text = format!("[server]\nlisten = \"127.0.0.1:0\"\n{lines}");
    std::fs::write(&file, text).expect("written");
    let config = Arc::new(Config::load(&file).expect("a valid catalog"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .expect("a runtime");
    let server = runtime
        .block_on(async {
            let engine = Engine::start(config.clone()).await?;
            server::serve(config, engine).await
        })
        .expect("a server");
    let address = server.local_addr();
    let stop = server.stop_handle();
    let (sender, ended) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        server.run().await.expect("a good end");
        sender.send(()).ok();
    });
    Running {
        address,
        stop,
        _runtime: runtime,
        ended,
    }
}

impl Running {
    /// Logged in, without a password.
    pub fn client(&self) -> Client {
        let mut client = Client::connect(self.address);
        client.startup(0, &[("user", "tester")]);
        client.until_ready();
        client
    }
}

pub const USERS: &str = "[[users]]\nname = \"ann\"\npassword = \"pencil\"\nread = [\"*\"]\n";

/// Files that the tests of the Postgres source made: a root and localhost's pair.
pub fn tls_data(file: &str) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "tests/it/sources/postgres/tls_data",
        file,
    ]
    .iter()
    .collect()
}

pub fn tls(required: bool) -> String {
    format!(
        "[server.tls]\ncert = \"{}\"\nkey = \"{}\"\nrequired = {required}\n",
        tls_data("server.crt").display(),
        tls_data("server.key").display()
    )
}
