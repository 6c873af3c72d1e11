//! A Postgres database as a source: what is in it (`discover`), connections to
//! it (`pool`, `connection`), reading from it (`scan`, and for a statement's scans
//! together `reads` and `snapshot`), what its planner knows (`stats`), and raw connections that clients' statements are
//! relayed over (`relay`). Called by the catalog and, for SQL of its own making, by
//! `pushdown`; knows neither. `tokio_postgres` is used here alone.

mod address;
mod connection;
mod copy;
mod cursor;
mod decode;
mod discover;
mod end_point;
mod error;
mod guard;
mod key_sql;
mod key_value;
mod keys;
mod light;
mod metrics;
mod order_key;
mod parameter;
mod places;
mod plain;
mod policy;
mod pool;
mod portal;
mod reach;
mod reading;
mod reads;
pub mod relay;
mod remembered;
mod scan;
mod snapshot;
mod socket;
mod split;
mod stats;
mod table;
mod tls;
mod work;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;

pub use self::light::FEW;
pub use self::metrics::counted;
pub use self::order_key::{order_key, ordered_by};
pub use self::plain::{plain_value, turned};
pub use self::portal::{HeldLease, PinnedSources, SharedLease};
pub use self::reads::{ReadOptions, StatementReads};
pub use self::scan::PostgresScan;
pub use self::split::{KeyColumn, SingleTable};
pub use self::stats::{ColumnEstimate, with_rows};
#[cfg(test)]
pub(crate) use self::table::fixture;
pub use self::table::{Collation, Delivery, PostgresTable, RemoteColumn, RemoteTable};

use self::pool::Pool;
use self::reach::Reach;
use self::relay::{Connector, Login, RelayPool, UpstreamSettings};
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
    functions: Vec<String>,
    pool: Arc<Pool>,
    relay: Arc<RelayPool>,
    /// Tables hold the source they were found in.
    this: Weak<PostgresSource>,
}

impl PostgresSource {
    /// Does no IO. F0000 if the URL is no connection string.
    pub fn new(name: SourceName, config: &config::PostgresSource) -> Result<Arc<PostgresSource>> {
        let address = address::parse(&name, config.url.reveal())?;
        let reach = Arc::new(Reach {
            source: name.clone(),
            config: Arc::new(address.config.clone()),
            address,
        });
        let pool = Pool::new(reach.clone(), config.max_connections);
        let relay = relay_pool(reach, config, pool.clone())?;
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
            functions: config.functions.clone(),
            pool,
            relay,
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

    /// `schema.name` globs of the functions there that a user who may see less than
    /// the source's role may call all the same.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// Raw connections, for statements that run there as they are.
    pub fn relay(&self) -> &Arc<RelayPool> {
        &self.relay
    }

    /// Does no glob of `tables` keep any relation of the mapped schemas away?
    pub fn offers_all_tables(&self) -> bool {
        self.tables.iter().any(|glob| glob == "*" || glob == "*.*")
    }

    /// May users who see less than the source's role call this function? `schema`
    /// is its schema there; without one it is in any of the mapped ones.
    pub fn allows_function(&self, schema: Option<&str>, name: &str) -> bool {
        let allowed = |schema: &str| {
            let full = format!("{schema}.{name}");
            self.functions
                .iter()
                .any(|glob| crate::auth::grants::matches(glob, &full))
        };
        match schema {
            Some(schema) => allowed(schema),
            None => self.schemas.keys().any(|schema| allowed(schema)),
        }
    }

    fn globs(&self) -> &[String] {
        &self.tables
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }
}

fn relay_pool(
    reach: Arc<Reach>,
    config: &config::PostgresSource,
    pool: Arc<Pool>,
) -> Result<Arc<RelayPool>> {
    let own = Login {
        // As libpq: the name of whoever runs the program.
        user: match reach.config.get_user() {
            Some(user) => user.into(),
            None => std::env::var("USER").unwrap_or_else(|_| "postgres".into()),
        },
        password: reach.config.get_password().map(<[u8]>::to_vec),
    };
    let roles = config.roles.iter().map(|(user, role)| {
        let password = role.password.as_ref();
        let login = Login {
            user: role.user.clone(),
            password: password.map(|secret| secret.reveal().as_bytes().to_vec()),
        };
        (user.clone(), login)
    });
    let connector = Connector {
        reach,
        writable: config.writable,
        none: UpstreamSettings::new([])?,
    };
    Ok(RelayPool::new(connector, pool, own, roles))
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

    fn remote_schema(&self, schema: &str) -> Option<String> {
        let mut names = self.schemas.iter();
        let (remote, _) = names.find(|(_, here)| *here == schema)?;
        Some(remote.clone())
    }

    async fn discover(&self) -> Result<Discovered> {
        let this = self
            .this
            .upgrade()
            .ok_or_else(|| Error::internal("a source was used after its end"))?;
        discover::discover(&this).await
    }

    fn as_postgres(&self) -> Option<&PostgresSource> {
        Some(self)
    }
}
