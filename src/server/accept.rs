//! The accept loop: a place for each connection, a task for each, and the end of
//! all of them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::wire::{self, Admission, Service};

/// Connections past the limit that are told so at the same time; more are closed unheard.
const TURNED_AWAY: usize = 64;

pub async fn run(service: Arc<Service>, listener: TcpListener, drain: Duration, close: Duration) {
    let places = Arc::new(Semaphore::new(service.config.limits.max_connections));
    let waiting_room = Arc::new(Semaphore::new(TURNED_AWAY));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = service.shutdown.draining.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // out of descriptors, most likely: others must end first
                tracing::warn!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        prepare(&stream);
        let (permit, admission) = match places.clone().try_acquire_owned() {
            Ok(permit) => (permit, Admission::Free),
            Err(_) => match waiting_room.clone().try_acquire_owned() {
                Ok(permit) => (permit, Admission::Full),
                Err(_) => continue,
            },
        };
        let serving = wire::serve(service.clone(), stream, peer, admission);
        tasks.spawn(async move {
            contained(serving).await;
            drop(permit);
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(drain, ended(&service, &tasks))
        .await
        .is_err()
    {
        service.shutdown.now();
        let _ = tokio::time::timeout(close, tasks.wait()).await;
    }
}

/// All connections are gone, or are no longer waited for.
async fn ended(service: &Service, tasks: &TaskTracker) {
    tokio::select! {
        () = tasks.wait() => {}
        () = async {
            service.shutdown.ended.cancelled().await;
            // time to say why
            tokio::time::sleep(Duration::from_secs(2)).await;
        } => {}
    }
}

/// A panic ends its own connection; its text is in the log.
async fn contained(serving: impl Future<Output = ()>) {
    if AssertUnwindSafe(serving).catch_unwind().await.is_err() {
        crate::metrics::panics::count();
        tracing::error!("a connection ended by a panic");
    }
}

/// Answers leave at once; clients that vanish are noticed within minutes.
fn prepare(stream: &TcpStream) {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15));
    let socket = socket2::SockRef::from(stream);
    if let Err(error) = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive))
    {
        tracing::debug!("socket options: {error}");
    }
}
