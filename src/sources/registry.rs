//! Declared sources → live ones. The only place that knows every kind.

use std::sync::Arc;

use super::Source;
use super::delta::DeltaSource;
use super::files::FilesSource;
use super::iceberg::IcebergSource;
use super::object_store::Stores;
use super::postgres::PostgresSource;
use crate::config::{self, Config};
use crate::error::Result;
use crate::names::SourceName;

/// Makes every source of catalog.toml, in the order of their names; no IO.
pub fn open(config: &Config) -> Result<Vec<Arc<dyn Source>>> {
    let stores = Arc::new(Stores::new(config)?);
    config
        .sources
        .iter()
        .map(|(name, declared)| open_one(SourceName::new(name), declared, &stores))
        .collect()
}

fn open_one(
    name: SourceName,
    declared: &config::Source,
    stores: &Arc<Stores>,
) -> Result<Arc<dyn Source>> {
    let stores = stores.clone();
    Ok(match declared {
        config::Source::Postgres(declared) => PostgresSource::new(name, declared)?,
        config::Source::Delta(declared) => DeltaSource::new(name, declared, stores)?,
        config::Source::Iceberg(declared) => IcebergSource::new(name, declared, stores)?,
        config::Source::Files(declared) => FilesSource::new(name, declared, stores)?,
    })
}
