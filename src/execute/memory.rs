//! The memory of all queries together. Merges of what a sort spilled read as many
//! files at once as they get memory for: the rest is kept from them, or whoever
//! merges the sorts above would be refused the little that it needs.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// The engine's name for such a merge.
const MERGE: &str = "ExternalSorterMerge";

#[derive(Debug)]
pub(super) struct Pool {
    all: FairSpillPool,
    /// Bytes that merges have, and the most they may have.
    merges: AtomicUsize,
    most: usize,
}

impl Pool {
    pub(super) fn new(bytes: usize) -> Self {
        Pool {
            all: FairSpillPool::new(bytes),
            merges: AtomicUsize::new(0),
            most: bytes - bytes / 10,
        }
    }
}

fn is_merge(reservation: &MemoryReservation) -> bool {
    reservation.consumer().name().starts_with(MERGE)
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        self.all.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if is_merge(reservation) {
            self.merges.fetch_add(additional, Ordering::Relaxed);
        }
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if is_merge(reservation) {
            self.merges.fetch_sub(shrink, Ordering::Relaxed);
        }
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if !is_merge(reservation) {
            return self.all.try_grow(reservation, additional);
        }
        let before = self.merges.fetch_add(additional, Ordering::Relaxed);
        let grown = match before + additional > self.most {
            true => Err(DataFusionError::ResourcesExhausted(format!(
                "merges have {before} bytes, and may not have {additional} more"
            ))),
            false => self.all.try_grow(reservation, additional),
        };
        if grown.is_err() {
            self.merges.fetch_sub(additional, Ordering::Relaxed);
        }
        grown
    }

    fn reserved(&self) -> usize {
        self.all.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.all.memory_limit()
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn merges_leave_something_to_others() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(1000));
        let merge = MemoryConsumer::new(format!("{MERGE}[0]")).register(&pool);
        let other = MemoryConsumer::new("other").register(&pool);
        assert!(merge.try_grow(900).is_ok());
        assert!(merge.try_grow(1).is_err());
        assert!(other.try_grow(100).is_ok());
        assert!(other.try_grow(1).is_err());
        merge.shrink(500);
        assert!(other.try_grow(500).is_ok());
        drop((merge, other));
        assert_eq!(pool.reserved(), 0);
    }
}
