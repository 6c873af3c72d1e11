//! A value that is believed for a short while. The formats use it so that a
//! statement with many scans asks the store once, not once a scan.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::error::Result;

/// One value, read again when it is older than `ttl`. Concurrent askers wait for
/// one reading.
pub struct Fresh<T> {
    ttl: Duration,
    latest: Mutex<Option<(Instant, Arc<T>)>>,
}

impl<T> Fresh<T> {
    pub fn new(ttl: Duration) -> Self {
        Fresh {
            ttl,
            latest: Mutex::new(None),
        }
    }

    /// `read` gets the previous value, so that it can tell cheaply that nothing changed.
    pub async fn get<F, Fut>(&self, read: F) -> Result<Arc<T>>
    where
        F: FnOnce(Option<Arc<T>>) -> Fut,
        Fut: Future<Output = Result<Arc<T>>>,
    {
        let mut latest = self.latest.lock().await;
        if let Some((at, value)) = latest.as_ref()
            && at.elapsed() < self.ttl
        {
            return Ok(value.clone());
        }
        let value = read(latest.as_ref().map(|(_, value)| value.clone())).await?;
        *latest = Some((Instant::now(), value.clone()));
        Ok(value)
    }
}

impl<T> fmt::Debug for Fresh<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh")
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
