//! Locations → object stores: a relative or absolute path, file://, s3://,
//! gs://, az://, http(s)://, each with an optional `[storage.NAME]`. Called by
//! the lake sources. Knows nothing of tables or formats.
//!
//! One store is opened for each pair of storage section and bucket, under a URL
//! of our own making: the engine's registry keys stores by scheme and host
//! alone, so two credentials on one bucket would overwrite each other, and its
//! Parquet metadata cache is keyed by path alone, so two buckets would collide.

mod builder;
mod failure;
mod kept;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Component, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use crate::config::{Config, Storage};
use crate::error::{Error, Result, SqlState};

pub use builder::VendedS3;
pub use failure::{read_error, scrub, storage_cause};
pub use kept::{KeptPositions, PositionsCache};

/// Bytes of Parquet footers kept for each store.
const METADATA_CACHE: usize = 32 << 20;
/// Bytes of positions of deleted rows kept for each store.
const POSITIONS_CACHE: usize = 64 << 20;

/// Every object store of one configuration, opened at first use.
pub struct Stores {
    base: PathBuf,
    storage: BTreeMap<String, Storage>,
    opened: Mutex<HashMap<String, OpenStore>>,
}

/// An object store as the engine knows it.
#[derive(Clone)]
pub struct OpenStore {
    pub store: Arc<dyn ObjectStore>,
    /// Of our own making; unique for each storage section and bucket.
    pub url: ObjectStoreUrl,
    /// Parquet footers of this store alone.
    pub footers: Arc<FileMetadataCache>,
    /// Positions of deleted rows that objects of this store hold.
    pub positions: Arc<PositionsCache>,
    /// How its objects' URLs begin: `s3://bucket/`, `file:///`. Never holds a secret.
    pub root: Arc<str>,
}

/// A place in a store.
#[derive(Debug, Clone)]
pub struct Location {
    pub store: OpenStore,
    pub path: Path,
}

impl Stores {
    /// Opens nothing. F0000 where a storage section has a key that its kind of
    /// store does not know.
    pub fn new(config: &Config) -> Result<Stores> {
        for (name, storage) in &config.storage {
            builder::check_options(name, storage)?;
        }
        Ok(Stores {
            base: config.base.clone(),
            storage: config.storage.clone(),
            opened: Mutex::default(),
        })
    }

    /// F0000 where `text` is no location, its scheme is unknown, or `storage` is
    /// not declared or of another kind.
    pub fn locate(&self, text: &str, storage: Option<&str>) -> Result<Location> {
        let url = self.absolute(text)?;
        let (scheme, path) = ObjectStoreScheme::parse(&url).map_err(|_| unknown_scheme(text))?;
        let path = match scheme {
            // taken from the text itself: a URL would lose `#` and `?` in file names
            ObjectStoreScheme::Local => local_path(&url, text)?,
            _ => path,
        };
        Ok(Location {
            store: self.open(&scheme, &url, storage)?,
            path,
        })
    }

    /// A place in S3 by the credentials that a catalog gave with it. What they do
    /// not say, the section `storage` says, or the environment.
    pub fn locate_vended(
        &self,
        text: &str,
        storage: Option<&str>,
        vended: VendedS3,
    ) -> Result<Location> {
        let url = self.absolute(text)?;
        let (scheme, path) = ObjectStoreScheme::parse(&url).map_err(|_| unknown_scheme(text))?;
        if scheme != ObjectStoreScheme::AmazonS3 {
            return Err(unknown_scheme(text));
        }
        let section = self.section(storage)?;
        let root = root_of(&scheme, &url);
        // they are for one table, and so are the store and its name
        let key = format!("vended for {vended} {root}");
        let build = || builder::build_vended(&url, section, &vended);
        Ok(Location {
            store: self.opened(key, root, build)?,
            path,
        })
    }

    fn absolute(&self, text: &str) -> Result<Url> {
        if text.contains("://") {
            return Url::parse(text).map_err(|_| not_a_location(text));
        }
        let mut path = PathBuf::new();
        for part in self.base.join(text).components() {
            match part {
                Component::ParentDir => {
                    path.pop();
                }
                Component::CurDir => {}
                other => path.push(other),
            }
        }
        if path.is_relative() {
            path = std::path::absolute(&path).map_err(|_| not_a_location(text))?;
        }
        Url::from_file_path(&path).map_err(|()| not_a_location(text))
    }

    fn open(
        &self,
        scheme: &ObjectStoreScheme,
        url: &Url,
        storage: Option<&str>,
    ) -> Result<OpenStore> {
        let section = match (scheme, storage) {
            (ObjectStoreScheme::Local, _) => None,
            (_, storage) => self.section(storage)?,
        };
        let root = root_of(scheme, url);
        let key = format!("{} {root}", section.map_or("", |(name, _)| name));
        self.opened(key, root, || builder::build(scheme, url, section))
    }

    fn section<'a>(&'a self, storage: Option<&'a str>) -> Result<Option<(&'a str, &'a Storage)>> {
        let find = |name| {
            let section = self.storage.get(name);
            let missing = || config_error(format!("there is no section [storage.{name}]"));
            Ok((name, section.ok_or_else(missing)?))
        };
        storage.map(find).transpose()
    }

    fn opened(
        &self,
        key: String,
        root: String,
        build: impl FnOnce() -> Result<Arc<dyn ObjectStore>>,
    ) -> Result<OpenStore> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = opened.get(&key) {
            return Ok(store.clone());
        }
        let store = OpenStore {
            store: build()?,
            url: synthetic_url(&key)?,
            footers: Arc::new(DefaultCache::new(METADATA_CACHE)),
            positions: Arc::new(DefaultCache::new(POSITIONS_CACHE)),
            root: root.into(),
        };
        opened.insert(key, store.clone());
        Ok(store)
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores")
            .field("base", &self.base)
            .field("storage", &self.storage.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenStore")
            .field(&self.url.as_str())
            .finish()
    }
}

impl OpenStore {
    /// How an object is named to people: its URL, or its path on disk.
    pub fn show(&self, path: &Path) -> String {
        match self.root.strip_prefix("file://") {
            Some(slash) => format!("{slash}{path}"),
            None => format!("{}{path}", self.root),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.store.show(&self.path))
    }
}

fn root_of(scheme: &ObjectStoreScheme, url: &Url) -> String {
    match scheme {
        ObjectStoreScheme::Local => "file:///".into(),
        // abfss://container@account.host names the store by both
        _ if !url.username().is_empty() => format!(
            "{}://{}@{}/",
            url.scheme(),
            url.username(),
            url.host_str().unwrap_or_default()
        ),
        _ => match url.port() {
            Some(port) => format!(
                "{}://{}:{port}/",
                url.scheme(),
                url.host_str().unwrap_or_default()
            ),
            None => format!("{}://{}/", url.scheme(), url.host_str().unwrap_or_default()),
        },
    }
}

fn local_path(url: &Url, text: &str) -> Result<Path> {
    let path = url.to_file_path().map_err(|()| not_a_location(text))?;
    let path = path.to_str().ok_or_else(|| not_a_location(text))?;
    Path::parse(path.trim_end_matches('/')).map_err(|_| not_a_location(text))
}

/// Readable for people who read plans, unique by the digest: `lake://prod-s3-bucket-1f…`.
fn synthetic_url(key: &str) -> Result<ObjectStoreUrl> {
    // FNV-1a: the same in every process, so that a worker gives a store the same name.
    let digest = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let readable: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let readable = readable.trim_matches('-').replace("---", "-");
    Ok(ObjectStoreUrl::parse(format!(
        "lake://{readable}-{digest:016x}"
    ))?)
}

fn config_error(message: impl Into<String>) -> Error {
    Error::new(SqlState::CONFIG_FILE_ERROR, message)
}

fn not_a_location(text: &str) -> Error {
    config_error(format!("\"{}\" is no path or URL", scrub(text)))
}

fn unknown_scheme(text: &str) -> Error {
    config_error(format!(
        "\"{}\" is no location that can be read",
        scrub(text)
    ))
    .with_hint("Paths, file://, s3://, gs://, az://, abfss://, http:// and https:// can.")
}

#[cfg(test)]
mod tests;
