//! The tables of a source that a catalog service lists: their names at once,
//! their columns when a statement names them. Called by the source.
//!
//! A catalog may hold thousands of tables, and each costs a request. Where there
//! are few, all are read when the source is discovered; else clients see the
//! columns of those that were read since the start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use futures::{StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout_at};

use super::rest::{Namespace, RestCatalog, VendedStore};
use super::{IcebergReader, Place};
use crate::config;
use crate::error::{Error, Result, SqlState};
use crate::names::{RelationName, SourceName};
use crate::sources::lake::{LakeTable, SnapshotReader, listing};
use crate::sources::object_store::Stores;
use crate::sources::{Listed, Table, TableState};

/// Requests to the catalog at the same time.
const CONCURRENT: usize = 8;
/// Catalogs of so many tables are read whole.
const FEW: usize = 64;
/// What takes longer then comes without its columns: the catalog itself is well.
const FEW_PATIENCE: Duration = Duration::from_secs(5);
/// How deep namespaces are followed.
const DEEPEST: usize = 16;

/// A table as clients name it, and where the catalog has it.
type ListedName = (RelationName, Namespace, String);

#[derive(Debug)]
pub(super) struct ListedTables {
    source: SourceName,
    catalog: Arc<RestCatalog>,
    /// Remote namespace = schema here; empty: all.
    namespaces: BTreeMap<String, String>,
    stores: Arc<Stores>,
    storage: Option<String>,
    known: Mutex<Known>,
}

/// What was listed last.
#[derive(Debug, Default)]
struct Known {
    schemas: Vec<String>,
    readers: BTreeMap<RelationName, Arc<IcebergReader>>,
}

impl ListedTables {
    pub(super) fn new(
        source: &SourceName,
        catalog: Arc<RestCatalog>,
        config: &config::IcebergSource,
        stores: Arc<Stores>,
    ) -> Self {
        ListedTables {
            source: source.clone(),
            catalog,
            known: Mutex::new(Known {
                schemas: config.namespaces.values().cloned().collect(),
                readers: BTreeMap::new(),
            }),
            namespaces: config.namespaces.clone(),
            stores,
            storage: config.storage.clone(),
        }
    }

    pub(super) fn schemas(&self) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.schemas.clone()
    }

    pub(super) async fn discover(&self) -> Result<Vec<Table>> {
        let started = Instant::now();
        let namespaces = self.namespaces().await?;
        let listed: Vec<ListedName> = futures::stream::iter(namespaces.clone())
            .map(|(namespace, schema)| self.tables(namespace, schema))
            .buffered(CONCURRENT)
            .try_concat()
            .await?;
        let readers = self.remember(&namespaces, listed);
        tracing::debug!(
            source = %self.source, tables = readers.len(),
            took = ?started.elapsed(), "the catalog was listed"
        );
        let few = readers.len() <= FEW;
        let deadline = Instant::now() + FEW_PATIENCE;
        let tables = futures::stream::iter(readers)
            .map(|(name, reader)| async move {
                // its error is the statement's that names it
                if few && let Ok(Err(error)) = timeout_at(deadline, reader.snapshot()).await {
                    tracing::warn!(table = %name, error = %error.log_text(), "table cannot be read");
                }
                let state = TableState::Listed(Arc::new(ListedTable(reader.clone())));
                listing::listed(name, self.source.clone(), reader.last().as_deref(), state)
            })
            .buffered(CONCURRENT);
        Ok(tables.collect().await)
    }

    /// Each with the schema that it appears as.
    async fn namespaces(&self) -> Result<Vec<(Namespace, String)>> {
        if !self.namespaces.is_empty() {
            let levels = |name: &String| name.split('.').map(str::to_string).collect();
            let chosen = self.namespaces.iter();
            return Ok(chosen
                .map(|(name, schema)| (levels(name), schema.clone()))
                .collect());
        }
        let mut all = self.catalog.namespaces(None).await?;
        let mut level = all.clone();
        for _ in 0..DEEPEST {
            let below: Vec<Namespace> = futures::stream::iter(level)
                .map(|parent| self.below(parent))
                .buffered(CONCURRENT)
                .try_concat()
                .await?;
            if below.is_empty() {
                break;
            }
            all.extend(below.iter().cloned());
            level = below;
        }
        let schema = |namespace: &Namespace| format!("{}_{}", self.source, namespace.join("."));
        Ok(all
            .into_iter()
            .map(|name| (name.clone(), schema(&name)))
            .collect())
    }

    async fn tables(&self, namespace: Namespace, schema: String) -> Result<Vec<ListedName>> {
        let tables = match self.catalog.tables(&namespace).await {
            // nobody asked for this one: it is another's, or was dropped just now
            Err(error) if self.namespaces.is_empty() && is_of_namespace(&error) => {
                tracing::warn!(error = %error.log_text(), "a namespace is left out");
                return Ok(Vec::new());
            }
            tables => tables?.into_iter(),
        };
        let named = |table: String| (RelationName::new(&schema, &table), namespace.clone(), table);
        Ok(tables.map(named).collect())
    }

    async fn below(&self, parent: Namespace) -> Result<Vec<Namespace>> {
        let mut below = self.catalog.namespaces(Some(&parent)).await?;
        // a server that knows no levels lists the top again
        below.retain(|name| name.len() == parent.len() + 1 && name.starts_with(&parent));
        Ok(below)
    }

    /// The readers of what is listed now; a table that was there before keeps its own.
    fn remember(
        &self,
        namespaces: &[(Namespace, String)],
        listed: Vec<ListedName>,
    ) -> BTreeMap<RelationName, Arc<IcebergReader>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut readers = BTreeMap::new();
        for (name, namespace, table) in listed {
            let reader = match known.readers.get(&name) {
                Some(reader) => reader.clone(),
                None => {
                    let catalog = self.catalog.clone();
                    let place = Place::Catalog {
                        table: VendedStore::new(catalog, namespace, table, name.clone()),
                        stores: self.stores.clone(),
                        storage: self.storage.clone(),
                    };
                    Arc::new(IcebergReader::new(name.clone(), place))
                }
            };
            readers.entry(name).or_insert(reader);
        }
        known.schemas = namespaces
            .iter()
            .map(|(_, schema)| schema.clone())
            .collect();
        known.schemas.dedup();
        known.readers = readers.clone();
        readers
    }
}

/// Is it about one namespace, and not about the catalog?
fn is_of_namespace(error: &Error) -> bool {
    [
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::INVALID_SCHEMA_NAME,
    ]
    .contains(&error.state())
}

#[derive(Debug)]
struct ListedTable(Arc<IcebergReader>);

#[async_trait]
impl Listed for ListedTable {
    async fn load(&self) -> Result<Arc<dyn TableProvider>> {
        let snapshot = self.0.snapshot().await?;
        let table = LakeTable::new(self.0.name.clone(), snapshot.schema.clone(), self.0.clone());
        Ok(Arc::new(table))
    }
}
