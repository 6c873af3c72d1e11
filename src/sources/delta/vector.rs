//! The deletion vector of one data file: found where the log says, read when the
//! file is opened. Called when a log is loaded. See "Deletion Vectors" in the
//! Delta protocol.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::kernel::{DeletionVectorDescriptor, StorageType};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use roaring::RoaringTreemap;
use uuid::Uuid;

use crate::error::Result;
use crate::names::RelationName;
use crate::sources::lake::deletes::{FileDeletes, PositionDeletes, Reading, corrupt, vector};
use crate::sources::object_store::{Location, read_error};

/// Characters of a UUID in base 85.
const UUID_LENGTH: usize = 20;

#[derive(Debug)]
struct DeletionVector {
    table: RelationName,
    /// Of the table.
    location: Location,
    place: Place,
    /// Bytes of the vector without its frame.
    size: usize,
    rows: u64,
    reading: Reading,
}

#[derive(Debug)]
enum Place {
    /// In the log, in base 85.
    Inline(String),
    Object {
        path: Path,
        offset: u64,
    },
}

/// XX001 where the log does not describe a vector; 0A000 for one in another store.
pub(super) fn deletes(
    table: &RelationName,
    location: &Location,
    descriptor: &DeletionVectorDescriptor,
) -> Result<FileDeletes> {
    let broken = |why: &str| corrupt(table, &format!("{location}/_delta_log"), why);
    let stored = &descriptor.path_or_inline_dv;
    let object = |path| -> Result<Place> {
        let offset = descriptor.offset.unwrap_or(1);
        let offset =
            u64::try_from(offset).map_err(|_| broken("a vector begins before its file"))?;
        Ok(Place::Object { path, offset })
    };
    let place = match descriptor.storage_type {
        StorageType::Inline => Place::Inline(stored.clone()),
        StorageType::UuidRelativePath => {
            let file =
                relative_path(stored).ok_or_else(|| broken("a vector's file has no UUID"))?;
            object(super::load::object_path(table, location, &file)?)?
        }
        StorageType::AbsolutePath => object(absolute_path(table, location, stored)?)?,
    };
    let vector = DeletionVector {
        table: table.clone(),
        location: location.clone(),
        place,
        size: usize::try_from(descriptor.size_in_bytes)
            .map_err(|_| broken("a vector has less than no bytes"))?,
        rows: u64::try_from(descriptor.cardinality)
            .map_err(|_| broken("a vector has less than no rows"))?,
        reading: Reading::default(),
    };
    Ok(FileDeletes {
        rows: Some(vector.rows),
        positions: vec![Arc::new(vector)],
        equality: Vec::new(),
    })
}

/// Of `ab^-aqEH.-t@S}K{vb[*k^`: a folder, here `ab`, before a UUID in base 85.
fn relative_path(stored: &str) -> Option<String> {
    let at = stored.len().checked_sub(UUID_LENGTH)?;
    let (folder, uuid) = (stored.get(..at)?, stored.get(at..)?);
    let uuid = Uuid::from_slice(&z85::decode(uuid).ok()?).ok()?;
    let file = format!("deletion_vector_{uuid}.bin");
    Some(match folder {
        "" => file,
        folder => format!("{folder}/{file}"),
    })
}

/// A URL, percent-encoded; Hadoop writes `file:/x` for `file:///x`.
fn absolute_path(table: &RelationName, location: &Location, url: &str) -> Result<Path> {
    let spelled = match url.strip_prefix("file:") {
        Some(rest) => format!("file:///{}", rest.trim_start_matches('/')),
        None => url.to_string(),
    };
    match spelled.strip_prefix(location.store.root.as_ref()) {
        Some(rest) => Path::from_url_path(rest).map_err(|error| corrupt(table, url, error)),
        None => Err(super::load::refused(
            table,
            "deletion vectors in another store than the log's",
        )),
    }
}

impl DeletionVector {
    fn read_inline(&self, text: &str) -> Result<RoaringTreemap> {
        let broken = |why: String| corrupt(&self.table, &self.object(), why);
        let bytes = z85::decode(text).map_err(|error| broken(error.to_string()))?;
        // padded to whole words of base 85
        let bytes = bytes
            .get(..self.size)
            .ok_or_else(|| broken(format!("of {} bytes, there are {}", self.size, bytes.len())))?;
        vector::read(bytes, self.rows).map_err(broken)
    }

    async fn read_object(&self, path: &Path, offset: u64) -> Result<RoaringTreemap> {
        let end = offset + self.size as u64 + vector::FRAME;
        let store = &self.location.store;
        let bytes = store
            .store
            .get_range(path, offset..end)
            .await
            .map_err(|error| read_error(self.object(), &self.table, &error))?;
        vector::read_framed(&bytes, self.rows)
            .map_err(|why| corrupt(&self.table, &self.object(), why))
    }
}

#[async_trait]
impl PositionDeletes for DeletionVector {
    async fn positions(&self) -> Result<Arc<RoaringTreemap>> {
        match &self.place {
            Place::Inline(text) => self.read_inline(text).map(Arc::new),
            Place::Object { path, offset } => {
                let key = path.clone().join(offset.to_string());
                self.reading
                    .positions(&self.location.store, &key, || async {
                        self.read_object(path, *offset).await.map(Arc::new)
                    })
                    .await
            }
        }
    }

    fn object(&self) -> String {
        match &self.place {
            Place::Inline(_) => format!("{}/_delta_log", self.location),
            Place::Object { path, .. } => self.location.store.show(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_vectors_are_those_of_the_protocol() {
        for (stored, file) in [
            (
                "ab^-aqEH.-t@S}K{vb[*k^",
                Some("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"),
            ),
            (
                "vBn[lx{q8@P<9BNH/isA",
                Some("deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin"),
            ),
            ("vBn[lx{q8@P<9BNH/is", None),
            ("ü^-aqEH.-t@S}K{vb[*k", None),
            ("", None),
        ] {
            assert_eq!(relative_path(stored).as_deref(), file, "{stored}");
        }
    }
}
