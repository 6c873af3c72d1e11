//! Delta Lake tables: the `tables` of a source of kind `delta`, each a folder
//! with a `_delta_log`. Called by the source registry; reading is in `lake`.
//!
//! The `deltalake` library reads the log; what it finds there becomes a
//! `lake::Snapshot`. Tables with features that would make the answer wrong
//! (mapped nested columns, unknown features) are refused.

mod about;
mod load;
mod log;
mod schema;
mod stats;
mod vector;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::lake::about::{Described, Row};
use super::lake::{At, Fresh, Kept, Snapshot, SnapshotReader, Versions, listing};
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
                    log: Fresh::new(VERSION_TTL),
                    older: Kept::default(),
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
    log: Fresh<log::Log>,
    /// By version and when its commit was written: a table may be made anew.
    older: Kept<(i64, Option<i64>)>,
}

#[async_trait]
impl SnapshotReader for DeltaReader {
    async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        Ok(self.loaded().await?.snapshot.clone())
    }

    fn versions(&self) -> Option<&dyn Versions> {
        Some(self)
    }
}

#[async_trait]
impl Versions for DeltaReader {
    async fn snapshot_at(&self, at: &At) -> Result<Arc<Snapshot>> {
        let times = self.loaded().await?.commit_times();
        let log = self.log().await?;
        let version = log.version(&self.name, &self.location, times, at).await?;
        let key = (version, log.commits.get(&version).copied());
        if let Some(kept) = self.older.find(&key) {
            return Ok(kept);
        }
        let (name, location) = (self.name.clone(), self.location.clone());
        let snapshot = load::load_version(name, location, version).await?;
        self.older.keep(key, snapshot.clone());
        Ok(snapshot)
    }

    fn metadata_tables(&self) -> &'static [Described] {
        &[about::HISTORY, about::FILES]
    }

    async fn metadata_rows(&self, name: &str) -> Result<Vec<Row>> {
        let loaded = self.loaded().await?;
        match name == about::HISTORY.name {
            true => {
                let log = self.log().await?;
                about::history(&self.name, &self.location, loaded.commit_times(), &log).await
            }
            false => about::files(&self.name, &self.location, &loaded),
        }
    }
}

impl DeltaReader {
    async fn loaded(&self) -> Result<Arc<load::Loaded>> {
        self.latest
            .get(|previous| load::load(self.name.clone(), self.location.clone(), previous))
            .await
    }

    async fn log(&self) -> Result<Arc<log::Log>> {
        let list = async |_| {
            log::Log::list(&self.name, &self.location)
                .await
                .map(Arc::new)
        };
        self.log.get(list).await
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;
