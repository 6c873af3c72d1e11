//! What is kept of a store's objects beside footers: row positions, in a cache
//! of bounded size.

use std::sync::Arc;

use datafusion::execution::cache::CacheValue;
use datafusion::execution::cache::default_cache::DefaultCache;
use object_store::path::Path;
use roaring::RoaringTreemap;

/// By the object and a place in it.
pub type PositionsCache = DefaultCache<Path, KeptPositions>;

#[derive(Debug, Clone)]
pub struct KeptPositions(pub Arc<RoaringTreemap>);

impl CacheValue for KeptPositions {
    fn size(&self) -> usize {
        // the cache keeps nothing that has no size
        size_of::<RoaringTreemap>() + self.0.serialized_size()
    }
}
