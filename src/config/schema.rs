//! All of catalog.toml as plain data: what the file says, with defaults, before
//! anything is opened. Field names are the public interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;

#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that relative paths in the file start from.
    pub base: PathBuf,
    pub server: Server,
    pub limits: Limits,
    pub users: Vec<User>,
    pub sources: BTreeMap<String, Source>,
    pub storage: BTreeMap<String, Storage>,
    /// Worker addresses; none: everything runs here.
    pub workers: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Server {
    pub listen: SocketAddr,
    /// The database name that clients connect to.
    pub database: String,
    pub tls: Option<Tls>,
}

#[derive(Debug, Clone)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
    pub client_ca: Option<PathBuf>,
    pub required: bool,
}

#[derive(Debug, Clone)]
pub struct Limits {
    pub max_connections: usize,
    /// Bytes; all queries together.
    pub query_memory: usize,
    pub spill_dir: PathBuf,
    /// Bytes.
    pub spill_limit: u64,
    /// None: no limit.
    pub statement_timeout: Option<Duration>,
    /// Bytes of the largest message after authentication.
    pub message_size: usize,
    /// From connect to the end of authentication.
    pub login_timeout: Duration,
    /// How long discovered metadata is believed.
    pub metadata_ttl: Duration,
}

#[derive(Debug, Clone)]
pub struct User {
    pub name: String,
    pub login: UserSecret,
    /// `schema.table` globs; none means nothing.
    pub read: Vec<String>,
    pub write: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum UserSecret {
    Password(Secret),
    /// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`
    Scram(Secret),
}

#[derive(Debug, Clone)]
pub enum Source {
    Postgres(PostgresSource),
    Delta(DeltaSource),
    Iceberg(IcebergSource),
    Files(FilesSource),
}

#[derive(Debug, Clone)]
pub struct PostgresSource {
    /// A libpq URL or key=value string, with the password in it.
    pub url: Secret,
    /// Remote schema → schema here; default `{ public = <source name> }`.
    pub schemas: BTreeMap<String, String>,
    /// Globs over remote table names to include.
    pub tables: Vec<String>,
    pub max_connections: usize,
    pub writable: bool,
    /// User here → whom relayed statements of theirs run as; others run as the URL's.
    pub roles: BTreeMap<String, UpstreamRole>,
    /// `schema.name` globs, remote: functions that a user who may see less than
    /// the source's role may call all the same.
    pub functions: Vec<String>,
}

/// A login of the source's.
#[derive(Debug, Clone)]
pub struct UpstreamRole {
    pub user: String,
    pub password: Option<Secret>,
}

#[derive(Debug, Clone)]
pub struct DeltaSource {
    /// Table → URL or path.
    pub tables: BTreeMap<String, String>,
    pub storage: Option<String>,
}

#[derive(Debug, Clone)]
pub struct IcebergSource {
    pub catalog: Option<IcebergCatalog>,
    /// Remote namespace → schema here; with a catalog only.
    pub namespaces: BTreeMap<String, String>,
    /// Table → metadata file or table folder; without a catalog.
    pub tables: BTreeMap<String, String>,
    pub storage: Option<String>,
}

#[derive(Debug, Clone)]
pub struct IcebergCatalog {
    /// `rest` or `glue`.
    pub kind: String,
    pub uri: String,
    pub warehouse: Option<String>,
    pub credential: Option<Secret>,
    pub token: Option<Secret>,
    /// Of the tokens that the credential is exchanged for; `catalog` by default.
    pub scope: Option<String>,
    /// Where tokens are given; the catalog's own place by default.
    pub oauth2_server_uri: Option<String>,
    pub headers: BTreeMap<String, Secret>,
}

#[derive(Debug, Clone)]
pub struct FilesSource {
    pub tables: BTreeMap<String, FilesTable>,
    pub storage: Option<String>,
}

#[derive(Debug, Clone)]
pub struct FilesTable {
    /// A path or URL with `*` and `**`.
    pub path: String,
    pub format: FileFormat,
    /// CSV only.
    pub csv: CsvOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    Parquet,
    Csv,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    pub header: bool,
    pub delimiter: u8,
    pub quote: u8,
    /// The unquoted text that means NULL; the empty string by default.
    pub null: String,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            header: true,
            delimiter: b',',
            quote: b'"',
            null: String::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Storage {
    pub kind: StorageKind,
    pub region: Option<String>,
    pub endpoint: Option<String>,
    /// Every other key of the section, as object_store names it.
    pub options: BTreeMap<String, Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKind {
    S3,
    Gcs,
    Azure,
    Http,
}
