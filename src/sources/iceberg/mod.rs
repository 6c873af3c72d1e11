//! Iceberg tables: the `tables` of a source of kind `iceberg`, each a metadata
//! file or a table's folder, or those that a REST catalog lists. Called by the
//! source registry; reading is in `lake`.
//!
//! The `iceberg` library parses metadata, manifest lists and manifests; bytes
//! come through our own object stores, and data files are read by the engine.
//! Deletes are found in delete manifests and applied where a data file is read.

mod about;
mod deletes;
mod keys;
mod listed;
mod load;
mod manifests;
mod metadata;
mod opened;
mod paths;
mod positions;
mod rest;
mod schema;
mod values;
mod versions;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::lake::about::{Described, Row};
use super::lake::{At, Fresh, Snapshot, SnapshotReader, Versions, listing};
use super::object_store::{Location, Stores};
use super::{Discovered, Source, SourceKind};
use crate::config;
use crate::error::{Error, Result};
use crate::names::{RelationName, SourceName};
use listed::ListedTables;
use opened::Opened;
use rest::{RestCatalog, VendedStore};

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
    Catalog(ListedTables),
    /// A kind of catalog that is not read; the schemas are those that catalog.toml names.
    Refused {
        kind: String,
        schemas: Vec<String>,
    },
}

impl IcebergSource {
    /// Does no IO. F0000 where a table's location, a storage section or what is
    /// said of the catalog is wrong.
    pub fn new(
        name: SourceName,
        config: &config::IcebergSource,
        stores: Arc<Stores>,
    ) -> Result<Arc<IcebergSource>> {
        let contents = match &config.catalog {
            Some(catalog) if catalog.kind == "rest" => {
                let client = RestCatalog::new(&name, catalog)?;
                Contents::Catalog(ListedTables::new(&name, client, config, stores))
            }
            Some(catalog) => Contents::Refused {
                kind: catalog.kind.clone(),
                schemas: config.namespaces.values().cloned().collect(),
            },
            None => {
                let readers = config.tables.iter().map(|(table, text)| {
                    let location = stores.locate(text, config.storage.as_deref())?;
                    let table = RelationName::new(name.as_str(), table);
                    Ok(Arc::new(IcebergReader::new(table, Place::At(location))))
                });
                Contents::Declared(readers.collect::<Result<_>>()?)
            }
        };
        Ok(Arc::new(IcebergSource { name, contents }))
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
            Contents::Catalog(tables) => tables.schemas(),
            Contents::Refused { schemas, .. } => schemas.clone(),
        }
    }

    async fn discover(&self) -> Result<Discovered> {
        let tables = match &self.contents {
            Contents::Declared(tables) => tables,
            Contents::Catalog(tables) => return Ok(tables.discover().await?.into()),
            Contents::Refused { kind, .. } => {
                return Err(Error::unsupported(format!(
                    "Iceberg catalogs of type \"{kind}\" are not supported yet"
                ))
                .with_hint("Name each table's metadata file or folder in the source's tables."));
            }
        };
        let tables = tables
            .iter()
            .map(|reader| (reader.name.clone(), reader.clone()))
            .collect();
        Ok(listing::list(&self.name, tables).await.into())
    }
}

/// Where a table's metadata is found.
#[derive(Debug)]
enum Place {
    /// A metadata file, or the table's folder.
    At(Location),
    /// Its catalog says it, and how the store is opened.
    Catalog {
        table: Arc<VendedStore>,
        stores: Arc<Stores>,
        storage: Option<String>,
    },
}

#[derive(Debug)]
struct IcebergReader {
    name: RelationName,
    place: Place,
    latest: Fresh<Opened>,
    /// What was read last, for who lists columns.
    last: Mutex<Option<Arc<Snapshot>>>,
}

impl IcebergReader {
    fn new(name: RelationName, place: Place) -> Self {
        IcebergReader {
            name,
            place,
            latest: Fresh::new(METADATA_TTL),
            last: Mutex::default(),
        }
    }

    async fn opened(&self) -> Result<Arc<Opened>> {
        self.latest
            .get(|previous| opened::open(&self.name, &self.place, previous))
            .await
    }

    fn last(&self) -> Option<Arc<Snapshot>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

#[async_trait]
impl SnapshotReader for IcebergReader {
    async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let snapshot = self.opened().await?.current(&self.name).await?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(snapshot.clone());
        Ok(snapshot)
    }

    fn versions(&self) -> Option<&dyn Versions> {
        Some(self)
    }
}

#[async_trait]
impl Versions for IcebergReader {
    async fn snapshot_at(&self, at: &At) -> Result<Arc<Snapshot>> {
        self.opened().await?.at(&self.name, at).await
    }

    fn metadata_tables(&self) -> &'static [Described] {
        about::TABLES
    }

    async fn metadata_rows(&self, name: &str) -> Result<Vec<Row>> {
        let opened = self.opened().await?;
        about::rows(name, &self.name, &opened).await
    }
}

#[cfg(test)]
mod delete_tests;
#[cfg(test)]
mod tests;
