//! Servers that say what a test wants them to say: hostile ones, and ones that
//! end at the wrong moment.

mod logins;
mod sessions;
mod unnamed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::config::{self, Secret};
use crate::error::{Error, SqlState};
use crate::names::SourceName;
use crate::sources::postgres::PostgresSource;

const OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const READY: &[u8] = b"Z\0\0\0\x05I";

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((body.len() as u32 + 4).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// What a server says once it lets somebody in.
fn welcome() -> Vec<u8> {
    let mut bytes = OK.to_vec();
    bytes.extend(frame(b'S', b"client_encoding\0UTF8\0"));
    bytes.extend(frame(b'S', b"server_version\x009.6.1\0"));
    bytes.extend(frame(b'S', b"TimeZone\0UTC\0"));
    bytes.extend(frame(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]));
    bytes.extend(READY);
    bytes
}

/// Serves each connection with `serve`; the answer is its address.
async fn server<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> String
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    address.to_string()
}

/// Reads a startup message.
async fn startup(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = socket.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    socket.read_exact(&mut body).await?;
    Ok(body)
}

async fn message(socket: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let kind = socket.read_u8().await?;
    Ok((kind, startup(socket).await?))
}

fn source(address: &str, options: &str) -> Arc<PostgresSource> {
    let url = format!("postgres://u:hunter2@{address}/d?{options}");
    let declared = config::PostgresSource {
        url: Secret::new(url),
        schemas: BTreeMap::new(),
        tables: Vec::new(),
        max_connections: 2,
        writable: true,
        roles: BTreeMap::new(),
        functions: Vec::new(),
    };
    PostgresSource::new(SourceName::new("shop"), &declared).expect("a valid source")
}

async fn lease(source: &PostgresSource) -> Result<Lease, Error> {
    let none = UpstreamSettings::new([]).expect("valid");
    let lease = source.relay().lease(Role::default(), &none);
    timeout(Duration::from_secs(20), lease)
        .await
        .expect("in time")
}
