//! One connection of every source that a statement reads, taken in the order of
//! their names. Called by `snapshot`.
//!
//! A join may read two sources in step. If each statement took a connection when
//! it came to a source, two of them could each hold the last of one source and
//! wait for the other's.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedSemaphorePermit};

use super::PostgresSource;
use super::pool::Pool;
use crate::error::Result;
use crate::names::SourceName;

#[derive(Debug)]
pub(super) struct Places {
    pools: BTreeMap<SourceName, Arc<Pool>>,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
enum Taken {
    Nothing,
    All(BTreeMap<SourceName, OwnedSemaphorePermit>),
}

impl Places {
    pub fn new<'a>(sources: impl Iterator<Item = &'a Arc<PostgresSource>>) -> Arc<Places> {
        let pools = sources.map(|source| (source.source_name().clone(), source.pool().clone()));
        Arc::new(Places {
            pools: pools.collect(),
            taken: Mutex::new(Taken::Nothing),
        })
    }

    /// The statement's place at a source, once; later ones wait in the queue.
    /// 53300 if none came free in time.
    pub async fn take(&self, source: &PostgresSource) -> Result<OwnedSemaphorePermit> {
        let mut taken = self.taken.lock().await;
        if let Taken::Nothing = *taken {
            let mut all = BTreeMap::new();
            for (name, pool) in &self.pools {
                all.insert(name.clone(), pool.permit().await?);
            }
            *taken = Taken::All(all);
        }
        let reserved = match &mut *taken {
            Taken::All(places) => places.remove(source.source_name()),
            Taken::Nothing => None,
        };
        drop(taken);
        match reserved {
            Some(place) => Ok(place),
            None => source.pool().permit().await,
        }
    }
}
