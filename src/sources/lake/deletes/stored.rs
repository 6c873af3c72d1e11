//! A deletion vector in a range of an object's bytes. Called by the formats, which
//! know the range.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use roaring::RoaringTreemap;

use super::{PositionDeletes, Reading, corrupt, vector};
use crate::error::Result;
use crate::names::RelationName;
use crate::sources::object_store::{OpenStore, read_error};

/// Bytes that are asked for without knowing that the object has them: a store may
/// take memory for as many as it is asked for.
const UNASKED: u64 = 1 << 20;

#[derive(Debug)]
pub struct StoredVector {
    pub table: RelationName,
    pub store: OpenStore,
    pub path: Path,
    /// Its frame included.
    pub range: Range<u64>,
    /// How many rows it deletes.
    pub rows: u64,
    pub reading: Reading,
}

#[async_trait]
impl PositionDeletes for StoredVector {
    async fn positions(&self) -> Result<Arc<RoaringTreemap>> {
        let Range { start, end } = self.range;
        let key = self
            .path
            .clone()
            .join(format!("{start}-{end}-{}", self.rows));
        self.reading
            .positions(&self.store, &key, || self.read())
            .await
    }

    fn object(&self) -> String {
        self.store.show(&self.path)
    }
}

impl StoredVector {
    async fn read(&self) -> Result<Arc<RoaringTreemap>> {
        let failed = |error| read_error(self.object(), &self.table, &error);
        let store = &self.store.store;
        let broken = |why: String| corrupt(&self.table, &self.object(), why);
        if self.range.end.saturating_sub(self.range.start) > UNASKED {
            let size = store.head(&self.path).await.map_err(failed)?.size;
            if self.range.end > size {
                return Err(broken(format!("a vector ends behind its {size} bytes")));
            }
        }
        let bytes = store
            .get_range(&self.path, self.range.clone())
            .await
            .map_err(failed)?;
        vector::read_framed(&bytes, self.rows)
            .map(Arc::new)
            .map_err(broken)
    }
}
