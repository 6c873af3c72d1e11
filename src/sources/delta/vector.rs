//! The deletion vector of one data file: found where the log says, read when the
//! file is opened. Called when a log is loaded. See "Deletion Vectors" in the
//! Delta protocol.

use std::sync::Arc;

use async_trait::async_trait;
use deltalake::kernel::{DeletionVectorDescriptor, StorageType};
use object_store::path::Path;
use roaring::RoaringTreemap;
use uuid::Uuid;

use super::load::{object_path, refused};
use crate::error::Result;
use crate::names::RelationName;
use crate::sources::lake::deletes::{
    FileDeletes, PositionDeletes, Reading, StoredVector, corrupt, vector,
};
use crate::sources::object_store::Location;

/// Characters of a UUID in base 85.
const UUID_LENGTH: usize = 20;

/// In the log itself, in base 85.
#[derive(Debug)]
struct InlineVector {
    table: RelationName,
    log: String,
    text: String,
    /// Bytes of the vector.
    size: usize,
    rows: u64,
}

/// XX001 where the log does not describe a vector; 0A000 for one in another store.
pub(super) fn deletes(
    table: &RelationName,
    location: &Location,
    descriptor: &DeletionVectorDescriptor,
) -> Result<FileDeletes> {
    let log = format!("{location}/_delta_log");
    let broken = |why: &str| corrupt(table, &log, why);
    let stored = &descriptor.path_or_inline_dv;
    let size = u32::try_from(descriptor.size_in_bytes)
        .map_err(|_| broken("a vector has less than no bytes"))?;
    let rows = u64::try_from(descriptor.cardinality)
        .map_err(|_| broken("a vector has less than no rows"))?;
    let path = match descriptor.storage_type {
        StorageType::Inline => {
            let vector = InlineVector {
                table: table.clone(),
                text: stored.clone(),
                size: size as usize,
                rows,
                log,
            };
            return Ok(file_deletes(vector, rows));
        }
        StorageType::UuidRelativePath => {
            let file =
                relative_path(stored).ok_or_else(|| broken("a vector's file has no UUID"))?;
            object_path(table, location, &file)?
        }
        StorageType::AbsolutePath => absolute_path(table, location, stored)?,
    };
    let start = u64::try_from(descriptor.offset.unwrap_or(1))
        .map_err(|_| broken("a vector begins before its file"))?;
    let vector = StoredVector {
        table: table.clone(),
        store: location.store.clone(),
        path,
        range: start..start + u64::from(size) + vector::FRAME,
        rows,
        reading: Reading::default(),
    };
    Ok(file_deletes(vector, rows))
}

fn file_deletes(vector: impl PositionDeletes + 'static, rows: u64) -> FileDeletes {
    FileDeletes {
        positions: vec![Arc::new(vector)],
        equality: Vec::new(),
        rows: Some(rows),
    }
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
        None => Err(refused(
            table,
            "deletion vectors in another store than the log's",
        )),
    }
}

impl InlineVector {
    fn read(&self) -> std::result::Result<RoaringTreemap, String> {
        let bytes = z85::decode(&self.text).map_err(|error| error.to_string())?;
        // padded to whole words of base 85
        let vector = bytes
            .get(..self.size)
            .ok_or_else(|| format!("of {} bytes, there are {}", self.size, bytes.len()))?;
        vector::read(vector, self.rows)
    }
}

#[async_trait]
impl PositionDeletes for InlineVector {
    async fn positions(&self) -> Result<Arc<RoaringTreemap>> {
        self.read()
            .map(Arc::new)
            .map_err(|why| corrupt(&self.table, &self.log, why))
    }

    fn object(&self) -> String {
        self.log.clone()
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
