//! The schemas in which a session looks for bare names.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::Session;
use crate::catalog::Catalog;

/// search_path as it was read last, of which settings and which catalog.
pub(super) struct KnownPath {
    version: u64,
    catalog: Arc<Catalog>,
    path: Arc<[String]>,
    epoch: u64,
}

impl Session {
    /// `public` stands for every source's schema where none is called so: a
    /// client that has set no path finds all tables by their bare names.
    pub(super) fn search_path(&mut self) -> Arc<[String]> {
        self.names().1.clone()
    }

    /// The catalog as it is now, the search_path over it, and a number that is
    /// another one wherever they are others.
    pub(super) fn names(&mut self) -> (Arc<Catalog>, Arc<[String]>, u64) {
        let catalog = self.engine.engine().catalog();
        let version = self.settings.version();
        if let Some(known) = &self.path
            && known.version == version
            && Arc::ptr_eq(&known.catalog, &catalog)
        {
            return (catalog, known.path.clone(), known.epoch);
        }
        let path = self.expanded_path(&catalog);
        let mut hasher = DefaultHasher::new();
        (catalog.version, &self.identity.database, &path).hash(&mut hasher);
        let epoch = hasher.finish();
        self.path = Some(KnownPath {
            version,
            catalog: catalog.clone(),
            path: path.clone(),
            epoch,
        });
        (catalog, path, epoch)
    }

    fn expanded_path(&mut self, catalog: &Catalog) -> Arc<[String]> {
        let path = self.settings.search_path(&self.identity.user);
        if catalog.schemas.contains_key("public") || !path.iter().any(|name| name == "public") {
            return path;
        }
        let mut schemas: Vec<String> = Vec::new();
        for name in path.iter() {
            match name.as_str() {
                "public" => schemas.extend(catalog.schemas.keys().cloned()),
                _ => schemas.push(name.clone()),
            }
        }
        schemas.into()
    }
}
