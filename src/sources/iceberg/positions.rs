//! Parquet files of deleted positions, each about several data files. Made when a
//! table is loaded, read when a data file is opened. See "Position Delete Files"
//! in the specification.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;
use object_store::ObjectMeta;
use object_store::path::Path;
use roaring::RoaringTreemap;

use crate::error::Result;
use crate::names::RelationName;
use crate::sources::lake::deletes::{PositionDeletes, Reading, corrupt, keep, read_columns};
use crate::sources::lake::{ColumnKey, ColumnSource};
use crate::sources::object_store::OpenStore;

/// Reserved field ids.
const FILE_PATH: i32 = 2_147_483_546;
const POS: i32 = 2_147_483_545;

/// A Parquet file of paths and positions.
#[derive(Debug)]
pub(super) struct PositionFile {
    table: RelationName,
    store: OpenStore,
    object: ObjectMeta,
    reading: Reading,
    /// The data files that it names; known once it was read.
    named: OnceLock<HashSet<String>>,
}

/// What it says of one data file.
#[derive(Debug)]
struct About {
    file: Arc<PositionFile>,
    /// As metadata has it.
    path: String,
}

impl PositionFile {
    pub(super) fn new(table: RelationName, store: OpenStore, object: ObjectMeta) -> Self {
        PositionFile {
            table,
            store,
            object,
            reading: Reading::default(),
            named: OnceLock::new(),
        }
    }

    pub(super) fn about(self: &Arc<Self>, path: &str) -> Arc<dyn PositionDeletes> {
        Arc::new(About {
            file: self.clone(),
            path: path.to_string(),
        })
    }

    fn key(&self, path: &str) -> Path {
        let object = self.object.location.clone();
        object.join(self.object.size.to_string()).join(path)
    }

    /// All that it says; of other files than the one asked for it is kept.
    async fn read(&self, wanted: &str) -> Result<Arc<RoaringTreemap>> {
        let mut files: HashMap<String, RoaringTreemap> = HashMap::new();
        let mut batches = read_columns(&self.table, &self.store, &self.object, columns()).await?;
        while let Some(columns) = batches.try_next().await? {
            let [paths, positions] = columns.as_slice() else {
                return Err(self.corrupt("its columns are missing"));
            };
            let paths = paths.as_string_view();
            let positions = positions.as_primitive::<Int64Type>();
            if paths.null_count() > 0 || positions.null_count() > 0 {
                return Err(self.corrupt("a path or a position is NULL"));
            }
            let mut current: Option<(&str, RoaringTreemap)> = None;
            for (path, position) in paths.iter().flatten().zip(positions.values()) {
                let position = u64::try_from(*position)
                    .map_err(|_| self.corrupt("a position is less than 0"))?;
                match &mut current {
                    Some((last, set)) if *last == path => {
                        set.insert(position);
                    }
                    _ => {
                        add(&mut files, current.take());
                        current = Some((path, RoaringTreemap::from_iter([position])));
                    }
                }
            }
            add(&mut files, current);
        }
        self.named.get_or_init(|| files.keys().cloned().collect());
        let found = files.remove(wanted).unwrap_or_default();
        for (path, positions) in files {
            keep(&self.store, &self.key(&path), &Arc::new(positions));
        }
        Ok(Arc::new(found))
    }

    fn corrupt(&self, why: &str) -> crate::error::Error {
        corrupt(&self.table, &self.store.show(&self.object.location), why)
    }
}

/// Rows come sorted by path, so that each file's are mostly together.
fn add(files: &mut HashMap<String, RoaringTreemap>, found: Option<(&str, RoaringTreemap)>) {
    if let Some((path, positions)) = found {
        match files.get_mut(path) {
            Some(known) => *known |= positions,
            None => {
                files.insert(path.to_string(), positions);
            }
        }
    }
}

fn columns() -> Vec<(Arc<Field>, ColumnSource)> {
    let column = |name: &str, id, data_type: DataType, missing| {
        let source = ColumnSource {
            key: ColumnKey::FieldId {
                id,
                names: vec![name.to_string()],
            },
            missing,
        };
        (Arc::new(Field::new(name, data_type, true)), source)
    };
    vec![
        column(
            "file_path",
            FILE_PATH,
            DataType::Utf8View,
            ScalarValue::Utf8View(None),
        ),
        column("pos", POS, DataType::Int64, ScalarValue::Int64(None)),
    ]
}

#[async_trait]
impl PositionDeletes for About {
    async fn positions(&self) -> Result<Arc<RoaringTreemap>> {
        let key = self.file.key(&self.path);
        let read = || async {
            match self.file.named.get() {
                Some(named) if !named.contains(&self.path) => Ok(Arc::default()),
                _ => self.file.read(&self.path).await,
            }
        };
        let reading = &self.file.reading;
        reading.positions(&self.file.store, &key, read).await
    }

    fn object(&self) -> String {
        self.file.store.show(&self.file.object.location)
    }
}
