//! Delta Lake tables: the `tables` of a source of kind `delta`, each a folder
//! with a `_delta_log`. Called by the source registry; reading is in `lake`.
//!
//! The `deltalake` library reads the log; what it finds there becomes a
//! `lake::Snapshot`. Tables with features that would make the answer wrong
//! (mapped nested columns, unknown features) are refused.

mod load;
mod schema;
mod stats;
mod vector;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::lake::{Fresh, Snapshot, SnapshotReader, listing};
use super::object_store::{Location, Stores};
use super::{Discovered, Source, SourceKind};
use crate::config;
use crate::error::Result;
use crate::names::{RelationName, SourceName};

/// How long a version of a table is taken for the latest one.
const VERSION_TTL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct DeltaSource {
    name: SourceName,
    tables: Vec<Arc<DeltaReader>>,
}

impl DeltaSource {
    /// Does no IO. F0000 where a table's location or storage section is wrong.
    pub fn new(
        name: SourceName,
        config: &config::DeltaSource,
        stores: Arc<Stores>,
    ) -> Result<Arc<DeltaSource>> {
        let tables = config
            .tables
            .iter()
            .map(|(table, text)| {
                Ok(Arc::new(DeltaReader {
                    name: RelationName::new(name.as_str(), table),
                    location: stores.locate(text, config.storage.as_deref())?,
                    latest: Fresh::new(VERSION_TTL),
                }))
            })
            .collect::<Result<_>>()?;
        Ok(Arc::new(DeltaSource { name, tables }))
    }
}

#[async_trait]
impl Source for DeltaSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Delta
    }

    fn schemas(&self) -> Vec<String> {
        vec![self.name.to_string()]
    }

    async fn discover(&self) -> Result<Discovered> {
        let tables = self
            .tables
            .iter()
            .map(|reader| (reader.name.clone(), reader.clone()))
            .collect();
        Ok(listing::list(&self.name, tables).await.into())
    }
}

#[derive(Debug)]
struct DeltaReader {
    name: RelationName,
    location: Location,
    latest: Fresh<load::Loaded>,
}

#[async_trait]
impl SnapshotReader for DeltaReader {
    async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let loaded = self
            .latest
            .get(|previous| load::load(self.name.clone(), self.location.clone(), previous))
            .await?;
        Ok(loaded.snapshot.clone())
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;
