//! Reads the metadata of all sources into one catalog. Called at start, when
//! metadata grows old, and when a source that was down may be back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::{Catalog, Schema, SourceStatus};
use crate::error::{Error, Result};
use crate::sources::{Discovered, Source, Table, TableState};

/// Longer than a source may take to say what it holds.
const PATIENCE: Duration = Duration::from_secs(15);

/// One catalog of these sources, read at the same time, and of what `previous`
/// knew of others. A source that cannot be read keeps the tables that `previous`
/// knew, and its status says why.
pub async fn load(sources: &[Arc<dyn Source>], previous: &Catalog) -> Catalog {
    let readings = join_all(sources.iter().map(|source| read(source.as_ref()))).await;
    let mut catalog = Catalog {
        version: previous.version + 1,
        ..Catalog::default()
    };
    let others = previous
        .sources
        .iter()
        .filter(|status| !sources.iter().any(|source| *source.name() == status.name));
    for status in others {
        keep(&mut catalog, status, previous);
    }
    for (source, reading) in sources.iter().zip(readings) {
        add(&mut catalog, source.as_ref(), reading, previous);
    }
    let has_listed = catalog
        .tables()
        .any(|table| matches!(table.state, TableState::Listed(_)));
    catalog.has_listed = has_listed;
    catalog.sources.sort_by(|a, b| a.name.cmp(&b.name));
    catalog
}

fn keep(catalog: &mut Catalog, status: &SourceStatus, previous: &Catalog) {
    for (name, schema) in &previous.schemas {
        if schema.source.as_ref() == Some(&status.name) {
            catalog.schemas.insert(name.clone(), schema.clone());
        }
    }
    if let Some(types) = previous.types.get(&status.name) {
        catalog.types.insert(status.name.clone(), types.clone());
    }
    catalog.sources.push(status.clone());
}

struct Reading {
    found: Result<Discovered>,
    took: Duration,
}

async fn read(source: &dyn Source) -> Reading {
    let start = Instant::now();
    let found = match tokio::time::timeout(PATIENCE, source.discover()).await {
        Ok(found) => found,
        Err(_) => Err(Error::unreachable(
            source.name(),
            format!("no answer within {} s", PATIENCE.as_secs()),
        )),
    };
    Reading {
        found,
        took: start.elapsed(),
    }
}

fn add(catalog: &mut Catalog, source: &dyn Source, reading: Reading, previous: &Catalog) {
    for schema in source.schemas() {
        let remote = source.remote_schema(&schema);
        catalog.schemas.insert(
            schema,
            Schema {
                source: Some(source.name().clone()),
                remote,
                open: source
                    .as_postgres()
                    .is_some_and(|source| source.offers_all_tables()),
                tables: BTreeMap::new(),
            },
        );
    }
    let error = match reading.found {
        Ok(found) => {
            for table in found.tables {
                insert(catalog, Arc::new(table));
            }
            let types = found.types.into_iter().map(Arc::new).collect();
            catalog.types.insert(source.name().clone(), types);
            None
        }
        Err(error) => {
            tracing::warn!(source = %source.name(), error = %error.log_text(), "source cannot be read");
            for table in previous.tables() {
                if table.source == *source.name() {
                    insert(catalog, table.clone());
                }
            }
            if let Some(types) = previous.types.get(source.name()) {
                catalog.types.insert(source.name().clone(), types.clone());
            }
            Some(Arc::new(error))
        }
    };
    catalog.sources.push(SourceStatus {
        name: source.name().clone(),
        kind: source.kind(),
        schemas: source.schemas(),
        error,
        took: reading.took,
    });
}

fn insert(catalog: &mut Catalog, table: Arc<Table>) {
    let schema = catalog
        .schemas
        .entry(table.name.schema.to_string())
        .or_insert_with(|| Schema {
            source: Some(table.source.clone()),
            remote: None,
            open: false,
            tables: BTreeMap::new(),
        });
    schema.tables.insert(table.name.relation.to_string(), table);
}
