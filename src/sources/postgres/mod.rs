//! A Postgres database as a source: what is in it (`discover`), connections to
//! it (`pool`, `connection`), reading from it (`scan`, `copy`, `decode`) and what
//! its planner knows (`stats`). Called by the catalog and, for SQL of its own
//! making, by `pushdown`; knows neither. `tokio_postgres` is used here alone.

mod address;
mod connection;
mod copy;
mod decode;
mod discover;
mod error;
mod pool;
mod scan;
mod stats;
mod table;
mod tls;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;

pub use self::scan::PostgresScan;
pub use self::stats::ColumnEstimate;
#[cfg(test)]
pub(crate) use self::table::fixture;
pub use self::table::{Collation, PostgresTable, RemoteColumn, RemoteTable};

use self::pool::Pool;
use super::{Discovered, Source, SourceKind};
use crate::config;
use crate::error::{Error, Result};
use crate::names::SourceName;

/// One database. Its tables and scans share its connections.
#[derive(Debug)]
pub struct PostgresSource {
    name: SourceName,
    /// Remote schema → schema here.
    schemas: BTreeMap<String, String>,
    tables: Vec<String>,
    writable: bool,
    pool: Arc<Pool>,
    /// Tables hold the source they were found in.
    this: Weak<PostgresSource>,
}

impl PostgresSource {
    /// Does no IO. F0000 if the URL is no connection string.
    pub fn new(name: SourceName, config: &config::PostgresSource) -> Result<Arc<PostgresSource>> {
        let address = address::parse(&name, config.url.reveal())?;
        let pool = Pool::new(name.clone(), address, config.max_connections);
        let schemas = match config.schemas.is_empty() {
            true => BTreeMap::from([("public".into(), name.as_str().into())]),
            false => config.schemas.clone(),
        };
        let tables = match config.tables.is_empty() {
            true => vec!["*".into()],
            false => config.tables.clone(),
        };
        Ok(Arc::new_cyclic(|this| PostgresSource {
            name,
            schemas,
            tables,
            writable: config.writable,
            pool,
            this: this.clone(),
        }))
    }

    pub fn source_name(&self) -> &SourceName {
        &self.name
    }

    /// May statements that write be relayed? Scans never write.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Remote schema → schema here.
    pub fn mapping(&self) -> &BTreeMap<String, String> {
        &self.schemas
    }

    fn globs(&self) -> &[String] {
        &self.tables
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

#[async_trait]
impl Source for PostgresSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Postgres
    }

    fn schemas(&self) -> Vec<String> {
        self.schemas.values().cloned().collect()
    }

    async fn discover(&self) -> Result<Discovered> {
        let this = self
            .this
            .upgrade()
            .ok_or_else(|| Error::internal("a source was used after its end"))?;
        discover::discover(&this).await
    }
}
