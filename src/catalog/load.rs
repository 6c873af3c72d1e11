//! Reads the metadata of all sources into one catalog. Called at start, when
//! metadata grows old, and when a source that was down may be back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::{Catalog, Schema, SourceStatus};
use crate::error::{Error, Result};
use crate::sources::{Discovered, Source, Table};

/// Longer than a source may take to say what it holds.
const PATIENCE: Duration = Duration::from_secs(15);

/// One catalog of all sources, read at the same time. A source that cannot be
/// read keeps the tables that `previous` knew, and its status says why.
pub async fn load(sources: &[Arc<dyn Source>], previous: &Catalog) -> Catalog {
    let readings = join_all(sources.iter().map(|source| read(source.as_ref()))).await;
    let mut catalog = Catalog::default();
    for (source, reading) in sources.iter().zip(readings) {
        add(&mut catalog, source.as_ref(), reading, previous);
    }
    catalog
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
        catalog.schemas.insert(
            schema,
            Schema {
                source: Some(source.name().clone()),
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
            tables: BTreeMap::new(),
        });
    schema.tables.insert(table.name.relation.to_string(), table);
}
