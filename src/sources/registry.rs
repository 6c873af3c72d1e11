//! Declared sources → live ones. The only place that knows every kind.

use std::sync::Arc;

use super::Source;
use super::postgres::PostgresSource;
use crate::config::{self, Config};
use crate::error::Result;
use crate::names::SourceName;

/// Makes every source of catalog.toml, in the order of their names; no IO.
pub fn open(config: &Config) -> Result<Vec<Arc<dyn Source>>> {
    config
        .sources
        .iter()
        .map(|(name, declared)| open_one(SourceName::new(name), declared))
        .collect()
}

fn open_one(name: SourceName, declared: &config::Source) -> Result<Arc<dyn Source>> {
    Ok(match declared {
        config::Source::Postgres(declared) => PostgresSource::new(name, declared)?,
        _ => return Err(crate::error::Error::unsupported("lake")),
    })
}
