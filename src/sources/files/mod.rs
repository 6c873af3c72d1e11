//! Parquet, CSV and JSON files: the `tables` of a source of kind `files`, each a
//! pattern over paths. Called by the source registry; reading is in `lake`.
//!
//! A table is what its pattern matches when a statement starts. Folders named
//! `key=value` become columns at the end.

mod glob;
mod hive;
mod load;
mod merge;
mod text;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::glob::Pattern;
use super::lake::{Fresh, Snapshot, SnapshotReader, listing};
use super::object_store::Stores;
use super::{Discovered, Source, SourceKind};
use crate::config::{self, CsvOptions, FileFormat};
use crate::error::Result;
use crate::names::{RelationName, SourceName};

/// How long a listing is believed.
const LISTING_TTL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct FilesSource {
    name: SourceName,
    tables: Vec<Arc<FilesReader>>,
}

impl FilesSource {
    /// Does no IO. F0000 where a pattern's location or storage section is wrong.
    pub fn new(
        name: SourceName,
        config: &config::FilesSource,
        stores: Arc<Stores>,
    ) -> Result<Arc<FilesSource>> {
        let tables = config
            .tables
            .iter()
            .map(|(table, files)| {
                Ok(Arc::new(FilesReader {
                    name: RelationName::new(name.as_str(), table),
                    pattern: Pattern::new(&files.path, config.storage.as_deref(), &stores)?,
                    format: files.format,
                    csv: files.csv.clone(),
                    latest: Fresh::new(LISTING_TTL),
                }))
            })
            .collect::<Result<_>>()?;
        Ok(Arc::new(FilesSource { name, tables }))
    }
}

#[async_trait]
impl Source for FilesSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Files
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
struct FilesReader {
    name: RelationName,
    pattern: Pattern,
    format: FileFormat,
    csv: CsvOptions,
    latest: Fresh<load::Loaded>,
}

#[async_trait]
impl SnapshotReader for FilesReader {
    async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let loaded = self
            .latest
            .get(|previous| load::load(self, previous))
            .await?;
        Ok(loaded.snapshot.clone())
    }
}

#[cfg(test)]
mod late_tests;
#[cfg(test)]
mod tests;
