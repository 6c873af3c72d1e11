//! Iceberg tables: the `tables` of a source of kind `iceberg`, each a metadata
//! file or a table's folder. Called by the source registry; reading is in `lake`.
//!
//! The `iceberg` library parses metadata, manifest lists and manifests; bytes
//! come through our own object stores, and data files are read by the engine.
//! Snapshots with deletes are refused: rows that were deleted must not come back.

mod about;
mod load;
mod metadata;
mod paths;
mod schema;
mod values;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::lake::about::{Described, Row};
use super::lake::{At, Fresh, Snapshot, SnapshotReader, Versions, listing};
use super::object_store::{Location, Stores};
use super::{Discovered, Source, SourceKind};
use crate::config;
use crate::error::{Error, Result};
use crate::names::{RelationName, SourceName};

/// How long a metadata file is taken for the latest one.
const METADATA_TTL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct IcebergSource {
    name: SourceName,
    contents: Contents,
}

/// Where a source's tables are listed.
#[derive(Debug)]
enum Contents {
    /// In catalog.toml itself.
    Declared(Vec<Arc<IcebergReader>>),
    /// In a catalog service; the schemas are those of the namespaces that
    /// catalog.toml names.
    Catalog { schemas: Vec<String> },
}

impl IcebergSource {
    /// Does no IO. F0000 where a table's location or storage section is wrong.
    pub fn new(
        name: SourceName,
        config: &config::IcebergSource,
        stores: Arc<Stores>,
    ) -> Result<Arc<IcebergSource>> {
        if config.catalog.is_some() {
            let schemas = config.namespaces.values().cloned().collect();
            return Ok(Arc::new(IcebergSource {
                name,
                contents: Contents::Catalog { schemas },
            }));
        }
        let tables = config
            .tables
            .iter()
            .map(|(table, text)| {
                Ok(Arc::new(IcebergReader {
                    name: RelationName::new(name.as_str(), table),
                    location: stores.locate(text, config.storage.as_deref())?,
                    latest: Fresh::new(METADATA_TTL),
                }))
            })
            .collect::<Result<_>>()?;
        Ok(Arc::new(IcebergSource {
            name,
            contents: Contents::Declared(tables),
        }))
    }
}

#[async_trait]
impl Source for IcebergSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Iceberg
    }

    fn schemas(&self) -> Vec<String> {
        match &self.contents {
            Contents::Declared(_) => vec![self.name.to_string()],
            Contents::Catalog { schemas } => schemas.clone(),
        }
    }

    async fn discover(&self) -> Result<Discovered> {
        let tables = match &self.contents {
            Contents::Declared(tables) => tables,
            Contents::Catalog { .. } => return Err(catalogs_are_missing()),
        };
        let tables = tables
            .iter()
            .map(|reader| (reader.name.clone(), reader.clone()))
            .collect();
        Ok(listing::list(&self.name, tables).await.into())
    }
}

fn catalogs_are_missing() -> Error {
    Error::unsupported("Iceberg REST catalogs are not supported yet")
        .with_hint("Name each table's metadata file or folder in the source's tables.")
}

#[derive(Debug)]
struct IcebergReader {
    name: RelationName,
    location: Location,
    latest: Fresh<load::Opened>,
}

#[async_trait]
impl SnapshotReader for IcebergReader {
    async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let opened = self.opened().await?;
        opened.current(&self.name, &self.location).await
    }

    fn versions(&self) -> Option<&dyn Versions> {
        Some(self)
    }
}

#[async_trait]
impl Versions for IcebergReader {
    async fn snapshot_at(&self, at: &At) -> Result<Arc<Snapshot>> {
        let opened = self.opened().await?;
        opened.at(&self.name, &self.location, at).await
    }

    fn metadata_tables(&self) -> &'static [Described] {
        about::TABLES
    }

    async fn metadata_rows(&self, name: &str) -> Result<Vec<Row>> {
        let opened = self.opened().await?;
        about::rows(name, &self.name, &self.location, &opened).await
    }
}

impl IcebergReader {
    async fn opened(&self) -> Result<Arc<load::Opened>> {
        self.latest
            .get(|previous| load::open(&self.name, &self.location, previous))
            .await
    }
}

#[cfg(test)]
mod tests;
