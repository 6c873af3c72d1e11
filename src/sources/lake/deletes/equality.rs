//! Deletes by key: a row is gone if its key is one of those in a delete file, NULL
//! being equal to NULL. The keys of one delete file are read once for a scan,
//! counted as memory of its query. Called when a file with such deletes is opened.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::hash_utils::RandomState;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::TryStreamExt;
use object_store::ObjectMeta;
use object_store::path::Path;
use tokio::sync::OnceCell;

use super::super::{ColumnSource, Snapshot};
use super::file::read_columns;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::object_store::OpenStore;

/// One delete file, for all data files that it is about.
#[derive(Debug)]
pub struct EqualityDeletes {
    /// A Parquet file.
    pub object: ObjectMeta,
    /// The columns of the key: positions in `Snapshot::all_fields`, ascending.
    pub columns: Vec<usize>,
}

/// The keys of the delete files that one scan reads.
pub(in super::super) struct KeySets {
    table: RelationName,
    store: OpenStore,
    fields: Vec<FieldRef>,
    sources: Vec<ColumnSource>,
    pool: Arc<dyn MemoryPool>,
    read: Mutex<HashMap<Path, Arc<OnceCell<Arc<KeySet>>>>>,
}

/// Keys as the engine encodes rows: equal bytes for equal keys.
pub(super) struct KeySet {
    keys: HashSet<Box<[u8]>, RandomState>,
    /// What they take, until the scan ends.
    _memory: MemoryReservation,
}

impl KeySet {
    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.keys.contains(key)
    }
}

impl KeySets {
    pub(in super::super) fn new(
        table: &RelationName,
        snapshot: &Snapshot,
        pool: Arc<dyn MemoryPool>,
    ) -> Self {
        KeySets {
            table: table.clone(),
            store: snapshot.store.clone(),
            fields: snapshot.all_fields(),
            sources: snapshot.all_sources(),
            pool,
            read: Mutex::default(),
        }
    }

    /// Read by whoever asks first; the others wait.
    pub(super) async fn get(&self, deletes: &EqualityDeletes) -> Result<Arc<KeySet>> {
        let cell = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.entry(deletes.object.location.clone())
                .or_default()
                .clone()
        };
        cell.get_or_try_init(|| async { self.read(deletes).await.map(Arc::new) })
            .await
            .cloned()
    }

    pub(super) fn types(&self, columns: &[usize]) -> Vec<DataType> {
        let fields = columns.iter().filter_map(|column| self.fields.get(*column));
        fields.map(|field| field.data_type().clone()).collect()
    }

    async fn read(&self, deletes: &EqualityDeletes) -> Result<KeySet> {
        let columns = deletes.columns.iter().filter_map(|column| {
            let (field, source) = (self.fields.get(*column)?, self.sources.get(*column)?);
            Some((field.clone(), source.clone()))
        });
        let columns = columns.collect();
        let mut batches = read_columns(&self.table, &self.store, &deletes.object, columns).await?;
        let converter = converter(self.types(&deletes.columns))?;
        let memory = MemoryConsumer::new("equality deletes").register(&self.pool);
        let mut keys: HashSet<Box<[u8]>, RandomState> = HashSet::default();
        while let Some(columns) = batches.try_next().await? {
            let rows = converter.convert_columns(&comparable(columns))?;
            let bytes: usize = rows.iter().map(|row| size_of_key(row.as_ref())).sum();
            memory
                .try_grow(bytes)
                .map_err(|error| self.too_many(&deletes.object.location, &error))?;
            keys.extend(rows.iter().map(|row| Box::from(row.as_ref())));
        }
        Ok(KeySet {
            keys,
            _memory: memory,
        })
    }

    fn too_many(&self, object: &Path, cause: &dyn fmt::Display) -> Error {
        Error::new(
            SqlState::OUT_OF_MEMORY,
            format!(
                "the deletes in \"{}\" of table \"{}\" need more memory than the query may use",
                self.store.show(object),
                self.table
            ),
        )
        .with_hint("Raise query_memory in [limits], or have the table compacted.")
        .with_cause(cause.to_string())
    }
}

impl fmt::Debug for KeySets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySets").field(&self.table).finish()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySet").field(&self.keys.len()).finish()
    }
}

pub(super) fn converter(types: Vec<DataType>) -> Result<RowConverter> {
    Ok(RowConverter::new(
        types.into_iter().map(SortField::new).collect(),
    )?)
}

/// Every NaN is the same one.
pub(super) fn comparable(columns: Vec<ArrayRef>) -> Vec<ArrayRef> {
    let one_nan = |column: ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Float32 => Arc::new(
                column
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(|x| if x.is_nan() { f32::NAN } else { x }),
            ),
            DataType::Float64 => Arc::new(
                column
                    .as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x }),
            ),
            _ => column,
        }
    };
    columns.into_iter().map(one_nan).collect()
}

/// About what a key takes: its bytes, what an allocation costs, and its place in
/// a table that is between half full and full.
fn size_of_key(key: &[u8]) -> usize {
    const ALLOCATION: usize = 16;
    key.len() + ALLOCATION + 2 * (size_of::<Box<[u8]>>() + 1)
}
