//! The manifests of a snapshot → the entries that are alive. Called when a table
//! is loaded; knows nothing of columns.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{
    DataFile, Manifest, ManifestContentType, ManifestEntry, ManifestFile, ManifestList,
    ManifestStatus, PartitionSpecRef, TableMetadata,
};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::metadata::{fetch, refused};
use super::opened::Opened;
use super::paths::Paths;
use super::versions::Chosen;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::object_store::Location;

/// Manifests of one table read at the same time.
pub(super) const CONCURRENT_MANIFESTS: usize = 8;

pub(super) struct Manifests<'a> {
    pub(super) table: &'a RelationName,
    pub(super) location: &'a Location,
    pub(super) metadata: &'a TableMetadata,
    pub(super) chosen: &'a Chosen,
    pub(super) paths: Paths<'a>,
}

/// A file of the snapshot.
#[derive(Debug)]
pub(super) struct Entry {
    entry: Arc<ManifestEntry>,
    /// Of its data: when it came, as commits are counted.
    pub(super) sequence: i64,
    /// By which it was written.
    pub(super) spec: PartitionSpecRef,
    pub(super) manifest: Arc<Path>,
}

impl Entry {
    pub(super) fn file(&self) -> &DataFile {
        self.entry.data_file()
    }
}

/// In the order of manifests.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) data: Vec<Entry>,
    pub(super) deletes: Vec<Entry>,
}

impl<'a> Manifests<'a> {
    pub(super) fn new(table: &'a RelationName, opened: &'a Opened, chosen: &'a Chosen) -> Self {
        let (location, metadata) = (&opened.location, &opened.metadata);
        let (store, file) = (&location.store, &opened.metadata_file);
        Manifests {
            table,
            location,
            metadata,
            chosen,
            paths: Paths::new(table, store, file, metadata.location()),
        }
    }

    /// Of the snapshot; none before the first one.
    pub(super) async fn list(&self) -> Result<Vec<ManifestFile>> {
        let Some(current) = &self.chosen.snapshot else {
            return Ok(Vec::new());
        };
        if current.encryption_key_id().is_some() {
            return Err(refused(self.table, "encryption"));
        }
        let path = self.paths.object(current.manifest_list())?;
        let bytes = fetch(self.table, self.location, &path).await?;
        let list = ManifestList::parse_with_version(&bytes, self.metadata.format_version())
            .map_err(|error| self.corrupt("manifest list", &path, &error))?;
        Ok(list.entries().to_vec())
    }

    pub(super) async fn read(&self, file: &ManifestFile) -> Result<(Arc<Path>, Manifest)> {
        if is_encrypted(file.key_metadata.as_deref()) {
            return Err(refused(self.table, "encryption"));
        }
        let path = Arc::new(self.paths.object(&file.manifest_path)?);
        let bytes = fetch(self.table, self.location, &path).await?;
        let manifest = Manifest::parse_avro(&bytes)
            .map_err(|error| self.corrupt("manifest", &path, &error))?;
        Ok((path, manifest))
    }

    pub(super) async fn entries(&self) -> Result<Entries> {
        let files = self.list().await?;
        let read: Vec<Vec<Entry>> = futures::stream::iter(files.clone())
            .map(|file| self.alive(file))
            .buffered(CONCURRENT_MANIFESTS)
            .try_collect()
            .await?;
        let mut all = Entries::default();
        for (file, entries) in files.into_iter().zip(read) {
            match file.content {
                ManifestContentType::Data => all.data.extend(entries),
                ManifestContentType::Deletes => all.deletes.extend(entries),
            }
        }
        Ok(all)
    }

    async fn alive(&self, file: ManifestFile) -> Result<Vec<Entry>> {
        let gone = file.added_files_count == Some(0) && file.existing_files_count == Some(0);
        if gone {
            return Ok(Vec::new());
        }
        let (path, manifest) = self.read(&file).await?;
        let spec = self
            .metadata
            .partition_spec_by_id(file.partition_spec_id)
            .ok_or_else(|| self.corrupt("manifest", &path, &"its partition spec is unknown"))?;
        let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
        alive
            .map(|entry| {
                if is_encrypted(entry.data_file().key_metadata()) {
                    return Err(refused(self.table, "encryption"));
                }
                let sequence = sequence(entry, &file)
                    .ok_or_else(|| self.corrupt("manifest", &path, &"a file has no sequence"))?;
                Ok(Entry {
                    entry: entry.clone(),
                    sequence,
                    spec: spec.clone(),
                    manifest: path.clone(),
                })
            })
            .collect()
    }

    /// Of a data or delete file.
    pub(super) fn object(&self, file: &DataFile) -> Result<ObjectMeta> {
        Ok(ObjectMeta {
            location: self.paths.object(file.file_path())?,
            // files are written once, so that any instant will do
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.file_size_in_bytes(),
            e_tag: None,
            version: None,
        })
    }

    pub(super) fn corrupt(&self, kind: &str, path: &Path, cause: &dyn std::fmt::Display) -> Error {
        Error::new(
            SqlState::DATA_CORRUPTED,
            format!(
                "the Iceberg {kind} \"{}\" of table \"{}\" cannot be read",
                self.location.store.show(path),
                self.table
            ),
        )
        .with_cause(cause.to_string())
    }
}

fn is_encrypted(key: Option<&[u8]>) -> bool {
    key.is_some_and(|key| !key.is_empty())
}

/// What an entry does not say itself is the manifest's, where it was added with
/// it or before sequences were counted.
fn sequence(entry: &ManifestEntry, file: &ManifestFile) -> Option<i64> {
    let inherited = entry.status() == ManifestStatus::Added || file.sequence_number == 0;
    entry
        .sequence_number()
        .or(inherited.then_some(file.sequence_number))
}
