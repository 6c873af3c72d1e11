//! Positions that were read lately are not read again: what they are stored in is
//! never changed once written. Called by the formats.

use std::future::Future;
use std::sync::Arc;

use datafusion::execution::cache::Cache;
use object_store::path::Path;
use roaring::RoaringTreemap;
use tokio::sync::Mutex;

use crate::error::Result;
use crate::sources::object_store::{KeptPositions, OpenStore};

/// Positions in one object of a store, which many may want at once: the parts of
/// one data file, which are opened each by itself. One of them reads.
#[derive(Debug, Default)]
pub struct Reading(Mutex<()>);

impl Reading {
    /// What is kept under `key`, or what `read` finds. `read` may keep other
    /// positions of the object too.
    pub async fn positions<F, Fut>(
        &self,
        store: &OpenStore,
        key: &Path,
        read: F,
    ) -> Result<Arc<RoaringTreemap>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Arc<RoaringTreemap>>>,
    {
        if let Some(kept) = store.positions.get(key) {
            return Ok(kept.0);
        }
        let _alone = self.0.lock().await;
        if let Some(kept) = store.positions.get(key) {
            return Ok(kept.0);
        }
        let positions = read().await?;
        keep(store, key, &positions);
        Ok(positions)
    }
}

pub fn keep(store: &OpenStore, key: &Path, positions: &Arc<RoaringTreemap>) {
    store.positions.put(key, KeptPositions(positions.clone()));
}
