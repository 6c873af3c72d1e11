//! Which deletes are about which data file. Called when a table is loaded, with
//! the entries of its manifests. See "Scan Planning" in the specification.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::scalar::ScalarValue;
use iceberg::spec::{DataContentType, DataFile, DataFileFormat, Struct};

use super::keys::Columns;
use super::manifests::{Entry, Manifests};
use super::metadata::refused;
use super::positions::PositionFile;
use super::values::bounds;
use crate::error::Result;
use crate::sources::lake::ColumnBounds;
use crate::sources::lake::deletes::{
    EqualityDeletes, FileDeletes, PositionDeletes, Reading, StoredVector,
};

/// The deletes of one snapshot. Where a vector is in its Puffin file manifests say,
/// so that the file's footer is not needed.
#[derive(Debug, Default)]
pub(super) struct DeleteIndex {
    /// By the path of the data file, as metadata has it.
    vectors: HashMap<String, Since<Arc<StoredVector>>>,
    files: HashMap<String, Vec<Since<Arc<PositionFile>>>>,
    /// Position deletes about any file of a partition.
    scattered: HashMap<Partition, Vec<Since<Arc<PositionFile>>>>,
    keyed: HashMap<Partition, Vec<Since<Keyed>>>,
    /// Deletes by key whose spec has no partitions hold for all.
    keyed_everywhere: Vec<Since<Keyed>>,
}

/// Deletes by key, and the bounds of each column of the keys.
#[derive(Debug)]
struct Keyed {
    deletes: Arc<EqualityDeletes>,
    bounds: Vec<ColumnBounds>,
}

/// A spec and values for its fields.
type Partition = (i32, Struct);

/// Deletes and their data sequence number.
#[derive(Debug)]
struct Since<T> {
    sequence: i64,
    deletes: T,
}

impl DeleteIndex {
    /// `entries` are those of delete manifests.
    pub(super) fn new(
        manifests: &Manifests<'_>,
        columns: &Columns,
        entries: &[Entry],
    ) -> Result<DeleteIndex> {
        let mut index = DeleteIndex::default();
        for entry in entries {
            index.add(manifests, columns, entry)?;
        }
        Ok(index)
    }

    fn add(&mut self, manifests: &Manifests<'_>, columns: &Columns, entry: &Entry) -> Result<()> {
        let file = entry.file();
        let sequence = entry.sequence;
        let partition = || (entry.spec.spec_id(), file.partition().clone());
        match (file.content_type(), file.file_format()) {
            (DataContentType::PositionDeletes, DataFileFormat::Puffin) => {
                let corrupt = |why: &str| manifests.corrupt("manifest", &entry.manifest, &why);
                let data = file
                    .referenced_data_file()
                    .ok_or_else(|| corrupt("a deletion vector is about no file"))?;
                let vector = vector(manifests, entry)?;
                let since = Since {
                    sequence,
                    deletes: Arc::new(vector),
                };
                match self.vectors.insert(data, since) {
                    Some(_) => Err(corrupt("a data file has two deletion vectors")),
                    None => Ok(()),
                }
            }
            (DataContentType::PositionDeletes, DataFileFormat::Parquet) => {
                let deletes = Arc::new(PositionFile::new(
                    manifests.table.clone(),
                    manifests.location.store.clone(),
                    manifests.object(file)?,
                ));
                let since = Since { sequence, deletes };
                let (files, scattered) = (&mut self.files, &mut self.scattered);
                match file.referenced_data_file() {
                    Some(data) => files.entry(data).or_default().push(since),
                    None => scattered.entry(partition()).or_default().push(since),
                }
                Ok(())
            }
            (DataContentType::EqualityDeletes, DataFileFormat::Parquet) => {
                let positions = key_columns(manifests, columns, entry)?;
                let keyed = Keyed {
                    bounds: key_bounds(file, columns, &positions),
                    deletes: Arc::new(EqualityDeletes {
                        object: manifests.object(file)?,
                        columns: positions,
                    }),
                };
                let since = Since {
                    sequence,
                    deletes: keyed,
                };
                match entry.spec.is_unpartitioned() {
                    true => self.keyed_everywhere.push(since),
                    false => self.keyed.entry(partition()).or_default().push(since),
                }
                Ok(())
            }
            (_, format) => {
                let format = format!("delete files of format \"{format}\"");
                Err(refused(manifests.table, &format))
            }
        }
    }

    /// Those that are about this data file.
    pub(super) fn of(&self, columns: &Columns, entry: &Entry) -> Option<Arc<FileDeletes>> {
        let file = entry.file();
        let partition = (entry.spec.spec_id(), file.partition().clone());
        let equality: Vec<_> = self
            .keyed_everywhere
            .iter()
            .chain(self.keyed.get(&partition).into_iter().flatten())
            // rows of the same commit and later ones are not theirs
            .filter(|since| since.sequence > entry.sequence)
            .map(|since| &since.deletes)
            .filter(|keyed| keyed.may_match(file, columns))
            .map(|keyed| keyed.deletes.clone())
            .collect();
        let vector = self
            .vectors
            .get(file.file_path())
            .filter(|since| since.sequence >= entry.sequence);
        let (positions, rows) = match vector {
            // stands for all position deletes of its file
            Some(since) => {
                let vector: Arc<dyn PositionDeletes> = since.deletes.clone();
                (vec![vector], Some(since.deletes.rows))
            }
            None => (self.positions(entry, &partition), None),
        };
        if positions.is_empty() && equality.is_empty() {
            return None;
        }
        Some(Arc::new(FileDeletes {
            rows: rows.filter(|_| equality.is_empty()),
            positions,
            equality,
        }))
    }

    fn positions(&self, entry: &Entry, partition: &Partition) -> Vec<Arc<dyn PositionDeletes>> {
        let data = entry.file().file_path();
        let own = self.files.get(data).into_iter().flatten();
        let scattered = self.scattered.get(partition).into_iter().flatten();
        own.chain(scattered)
            .filter(|since| since.sequence >= entry.sequence)
            .map(|since| since.deletes.about(data))
            .collect()
    }
}

impl Keyed {
    /// Can a row of this file have one of the keys, as far as bounds tell?
    fn may_match(&self, file: &DataFile, columns: &Columns) -> bool {
        let rows = key_bounds(file, columns, &self.deletes.columns);
        self.bounds.iter().zip(&rows).all(|(keys, rows)| {
            // unknown counts of NULL may be any
            let nulls = keys.nulls != Some(0) && rows.nulls != Some(0);
            nulls || !(below(&keys.max, &rows.min) || below(&rows.max, &keys.min))
        })
    }
}

fn below(max: &Option<ScalarValue>, min: &Option<ScalarValue>) -> bool {
    match (max, min) {
        (Some(max), Some(min)) => max.partial_cmp(min) == Some(Ordering::Less),
        _ => false,
    }
}

fn key_bounds(file: &DataFile, columns: &Columns, positions: &[usize]) -> Vec<ColumnBounds> {
    let columns = positions
        .iter()
        .map(|position| columns.all().nth(*position));
    columns
        .map(|column| {
            column
                .map(|column| bounds(file, column))
                .unwrap_or_default()
        })
        .collect()
}

fn vector(manifests: &Manifests<'_>, entry: &Entry) -> Result<StoredVector> {
    let file: &DataFile = entry.file();
    let bytes = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let (Some(offset), Some(size)) = (
        bytes(file.content_offset()),
        bytes(file.content_size_in_bytes()),
    ) else {
        let why = "a deletion vector has no place in its file";
        return Err(manifests.corrupt("manifest", &entry.manifest, &why));
    };
    Ok(StoredVector {
        table: manifests.table.clone(),
        store: manifests.location.store.clone(),
        path: manifests.object(file)?.location,
        range: offset..offset.saturating_add(size),
        rows: file.record_count(),
        reading: Reading::default(),
    })
}

fn key_columns(manifests: &Manifests<'_>, columns: &Columns, entry: &Entry) -> Result<Vec<usize>> {
    let ids = entry.file().equality_ids().unwrap_or_default();
    let positions = ids.into_iter().map(|id| columns.position(id));
    match positions.collect::<Option<Vec<_>>>() {
        Some(mut positions) if !positions.is_empty() => {
            positions.sort_unstable();
            Ok(positions)
        }
        _ => {
            let why = "a file of equality deletes has no columns to compare";
            Err(manifests.corrupt("manifest", &entry.manifest, &why))
        }
    }
}
