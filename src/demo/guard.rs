//! The door of the embedded Postgres. Its own listener serves one connection
//! at a time, dies of the first reset, and leaves a cancel request in the
//! queue behind the very query that it is to cancel. The guard gives it one
//! well-mannered connection after another: others wait their turn, cancel
//! requests end at once, and a client that vanishes looks like one that left.
//!
//! Message formats: section 55.7 of the Postgres manual.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::error::{Error, Result, SqlState};

const CANCEL_REQUEST: u32 = 80877102;
const SSL_REQUEST: u32 = 80877103;
const GSS_REQUEST: u32 = 80877104;
const LARGEST_STARTUP: usize = 10_000;
/// From connect to a complete startup packet.
const STARTUP_TIME: Duration = Duration::from_secs(10);
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

#[derive(Debug)]
pub(super) struct Guard {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
}

impl Guard {
    /// Listens on a free loopback port, for as long as the guard lives.
    pub async fn start(backend: SocketAddr) -> Result<Self> {
        let no_port = |error| {
            Error::new(SqlState::SYSTEM_ERROR, "no loopback port can be had").with_cause(error)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, backend, stopped));
        Ok(Guard {
            address,
            stop,
            accepting: Some(accepting),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when the backend has ended its connection.
    pub async fn close(&mut self) {
        self.stop.send_replace(true);
        if let Some(accepting) = self.accepting.take() {
            // Its panic, if any, has been logged; there is nothing left to close.
            let _ = accepting.await;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn accept(listener: TcpListener, backend: SocketAddr, mut stopped: watch::Receiver<bool>) {
    let turn = Arc::new(Semaphore::new(1));
    let for_clients = stopped.clone();
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = told_to_stop(&mut stopped) => break,
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    clients.spawn(serve(client, backend, turn.clone(), for_clients.clone()));
                }
                Err(error) => tracing::warn!(%error, "the embedded Postgres could not accept"),
            },
            Some(_) = clients.join_next(), if !clients.is_empty() => {}
        }
    }
    while clients.join_next().await.is_some() {}
}

/// Also where the guard is gone.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// One client, from its first byte to the backend's last.
async fn serve(
    mut client: TcpStream,
    backend: SocketAddr,
    turn: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let waiting = async {
        let packet = tokio::time::timeout(STARTUP_TIME, startup_packet(&mut client))
            .await
            .ok()??;
        let turn = turn.acquire_owned().await.ok()?;
        let server = TcpStream::connect(backend).await.ok()?;
        Some((packet, turn, server))
    };
    let admitted = tokio::select! {
        () = told_to_stop(&mut stopped) => None,
        admitted = waiting => admitted,
    };
    let Some((packet, turn, mut server)) = admitted else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    if server.write_all(&packet).await.is_ok() {
        relay(client, server, stopped).await;
    }
    drop(turn);
}

/// The startup packet with its length. None: the client left, asked for a
/// cancel, or does not speak the protocol.
async fn startup_packet(client: &mut TcpStream) -> Option<Vec<u8>> {
    loop {
        let length = client.read_u32().await.ok()?;
        let body = (length as usize).checked_sub(4)?;
        if !(4..=LARGEST_STARTUP).contains(&body) {
            return None;
        }
        let mut packet = length.to_be_bytes().to_vec();
        packet.resize(4 + body, 0);
        client.read_exact(packet.get_mut(4..)?).await.ok()?;
        let code: [u8; 4] = packet.get(4..8)?.try_into().ok()?;
        match u32::from_be_bytes(code) {
            SSL_REQUEST | GSS_REQUEST => client.write_all(b"N").await.ok()?,
            CANCEL_REQUEST => return None,
            _ => return Some(packet),
        }
    }
}

/// Both directions until the backend has closed. It always sees an orderly
/// end, and somebody always reads what it still has to say.
async fn relay(client: TcpStream, server: TcpStream, mut stopped: watch::Receiver<bool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upward = async {
        tokio::select! {
            () = told_to_stop(&mut stopped) => {}
            _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        }
        // After a client's own Terminate this one is read by nobody.
        let _ = to_server.write_all(&TERMINATE).await;
        let _ = to_server.shutdown().await;
    };
    let downward = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut listening = true;
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let bytes = buffer.get(..read).unwrap_or_default();
            if listening && to_client.write_all(bytes).await.is_err() {
                listening = false;
            }
        }
        let _ = to_client.shutdown().await;
    };
    // The backend's end is the end: a client may keep its half open for ever.
    tokio::pin!(upward, downward);
    tokio::select! {
        () = &mut downward => {}
        () = &mut upward => downward.await,
    }
}
