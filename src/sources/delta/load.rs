//! A Delta log → a snapshot. Called by the table's reader; knows the log, not
//! how files are read.

use std::sync::Arc;

use deltalake::kernel::LogicalFileView;
use deltalake::logstore::{StorageConfig, default_logstore};
use deltalake::{DeltaTable, DeltaTableError};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore};
use serde_json::Value;
use url::Url;

use super::log::CommitTimes;
use super::schema::{DeltaColumn, read_schema};
use super::stats::bounds;
use super::vector::deletes;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::lake::{DataFormat, LakeFile, Snapshot, parse_value};
use crate::sources::object_store::{Location, read_error, scrub, storage_cause};
use datafusion::arrow::datatypes::Schema;
use datafusion::scalar::ScalarValue;

/// Reader features whose tables are read right.
const KNOWN_FEATURES: &[&str] = &[
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];

#[derive(Debug)]
pub(super) struct Loaded {
    /// Kept so that the next version costs only its own commits.
    table: DeltaTable,
    pub(super) snapshot: Arc<Snapshot>,
}

/// The latest version; the previous one where nothing was committed since.
pub(super) async fn load(
    name: RelationName,
    location: Location,
    previous: Option<Arc<Loaded>>,
) -> Result<Arc<Loaded>> {
    let (table_name, place) = (name.clone(), location.clone());
    // a task of its own: the library panics on some malformed logs
    tokio::spawn(async move { load_here(&name, &location, previous).await })
        .await
        .unwrap_or_else(|panic| Err(unreadable(&table_name, &place, panic.to_string())))
}

async fn load_here(
    name: &RelationName,
    location: &Location,
    previous: Option<Arc<Loaded>>,
) -> Result<Arc<Loaded>> {
    let table = match &previous {
        Some(loaded) => {
            let mut table = loaded.table.clone();
            match table.update_incremental(None).await {
                Ok(()) if table.version() == loaded.table.version() => return Ok(loaded.clone()),
                Ok(()) => table,
                // the log may have been cleaned past our version, or the table replaced
                Err(_) => open(name, location).await?,
            }
        }
        None => open(name, location).await?,
    };
    let snapshot = Arc::new(snapshot(name, location, &table)?);
    Ok(Arc::new(Loaded { table, snapshot }))
}

/// The table as it was at a version that its log has.
pub(super) async fn load_version(
    name: RelationName,
    location: Location,
    version: i64,
) -> Result<Arc<Snapshot>> {
    let (table_name, place) = (name.clone(), location.clone());
    tokio::spawn(async move {
        let version = u64::try_from(version).unwrap_or_default();
        let mut table = unloaded(&location)?;
        table
            .load_version(version)
            .await
            .map_err(|error| from_delta(&name, &location, error))?;
        snapshot(&name, &location, &table).map(Arc::new)
    })
    .await
    .unwrap_or_else(|panic| Err(unreadable(&table_name, &place, panic.to_string())))
}

impl Loaded {
    /// Where its commits say when they were made.
    pub(super) fn commit_times(&self) -> CommitTimes {
        match self.table.snapshot() {
            Ok(state) => CommitTimes::of(state.metadata().configuration()),
            Err(_) => CommitTimes::OfFiles,
        }
    }

    /// What `each` says of every file.
    pub(super) fn with_files<T>(
        &self,
        name: &RelationName,
        location: &Location,
        each: impl Fn(&LogicalFileView) -> T,
    ) -> Result<Vec<T>> {
        let failed = |error| from_delta(name, location, error);
        let state = self.table.snapshot().map_err(failed)?;
        let log = state.snapshot().try_log_data().map_err(failed)?;
        Ok(log.iter().map(|file| each(&file)).collect())
    }
}

async fn open(name: &RelationName, location: &Location) -> Result<DeltaTable> {
    let mut table = unloaded(location)?;
    table
        .load()
        .await
        .map_err(|error| from_delta(name, location, error))?;
    Ok(table)
}

fn unloaded(location: &Location) -> Result<DeltaTable> {
    let folder: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(
        location.store.store.clone(),
        location.path.clone(),
    ));
    // The library sees the table's folder as the whole store: it would decode
    // the folder's name once too often. Of all schemes, `file` alone has listings
    // sorted, without which commits are lost; no file is read by it.
    let url = Url::parse("file:///").map_err(|error| Error::internal(error.to_string()))?;
    let log = default_logstore(folder.clone(), folder, &url, &StorageConfig::default());
    Ok(DeltaTable::new(log))
}

fn snapshot(name: &RelationName, location: &Location, table: &DeltaTable) -> Result<Snapshot> {
    let failed = |error| from_delta(name, location, error);
    let state = table.snapshot().map_err(failed)?;
    let protocol = serde_json::to_value(state.protocol()).map_err(|e| internal(&e))?;
    refuse_unknown_features(name, &protocol)?;

    let mapping = state
        .metadata()
        .configuration()
        .get("delta.columnMapping.mode")
        .map_or("none", String::as_str);
    let schema_json = serde_json::to_value(state.schema().as_ref()).map_err(|e| internal(&e))?;
    let columns = read_schema(name, &schema_json, mapping)?;
    let partitions = state.metadata().partition_columns();

    let log = state.snapshot().try_log_data().map_err(failed)?;
    let files = log
        .iter()
        .map(|file| lake_file(name, location, &columns, partitions, &file))
        .collect::<Result<_>>()?;
    Ok(Snapshot {
        version: state.version().to_string(),
        schema: Arc::new(Schema::new(
            columns
                .iter()
                .map(|column| column.field.clone())
                .collect::<Vec<_>>(),
        )),
        sources: columns.iter().map(|column| column.source.clone()).collect(),
        hidden: Vec::new(),
        store: location.store.clone(),
        format: DataFormat::Parquet,
        files,
        comment: state.metadata().description().map(str::to_string),
        column_comments: columns.into_iter().map(|column| column.comment).collect(),
    })
}

fn lake_file(
    name: &RelationName,
    location: &Location,
    columns: &[DeltaColumn],
    partitions: &[String],
    file: &LogicalFileView,
) -> Result<LakeFile> {
    let deletes = file
        .deletion_vector_descriptor()
        .map(|vector| deletes(name, location, &vector).map(Arc::new))
        .transpose()?;
    let values = file.partition_values_map();
    let mut constants = Vec::new();
    for (position, column) in columns.iter().enumerate() {
        if !partitions.contains(column.field.name()) {
            continue;
        }
        let data_type = column.field.data_type();
        let text = values
            .get(&column.physical_name)
            .or_else(|| values.get(column.field.name()))
            .and_then(Option::as_deref)
            // the protocol's way to write NULL
            .filter(|text| !text.is_empty());
        let value = match text {
            None => ScalarValue::try_from(data_type)?,
            Some(text) => parse_value(text, data_type).ok_or_else(|| {
                let why = format!("partition value {text:?} of column {}", column.field.name());
                unreadable(name, location, why)
            })?,
        };
        constants.push((position, value));
    }
    let statistics: Option<Value> = file
        .stats()
        .and_then(|text| serde_json::from_str(&text).ok());
    let (rows, bounds) = bounds(statistics.as_ref(), columns);
    let object = ObjectMeta {
        location: object_path(name, location, &file.path())?,
        last_modified: file.modification_datetime().unwrap_or_default(),
        size: u64::try_from(file.size()).unwrap_or_default(),
        e_tag: None,
        version: None,
    };
    Ok(LakeFile::new(object, rows, constants, bounds).with_deletes(deletes))
}

/// A path of the log, percent-decoded: relative to the table's folder, or a URL.
pub(super) fn object_path(name: &RelationName, location: &Location, path: &str) -> Result<Path> {
    let full = if path.contains("://") {
        match path.strip_prefix(location.store.root.as_ref()) {
            Some(rest) => rest.to_string(),
            None => return Err(refused(name, "data files in another store than the log's")),
        }
    } else {
        format!("{}/{path}", location.path)
    };
    Path::parse(full).map_err(|error| unreadable(name, location, error.to_string()))
}

fn refuse_unknown_features(name: &RelationName, protocol: &Value) -> Result<()> {
    let version = protocol["minReaderVersion"].as_i64().unwrap_or_default();
    if version > 3 {
        return Err(refused(name, &format!("reader version {version}")));
    }
    let features = protocol["readerFeatures"].as_array();
    for feature in features.into_iter().flatten().filter_map(Value::as_str) {
        if !KNOWN_FEATURES.contains(&feature) {
            return Err(refused(name, &format!("the reader feature \"{feature}\"")));
        }
    }
    Ok(())
}

/// 0A000 naming the feature.
pub(super) fn refused(name: &RelationName, feature: &str) -> Error {
    Error::unsupported(format!(
        "table \"{name}\" uses {feature}, which is not supported yet"
    ))
}

fn from_delta(name: &RelationName, location: &Location, error: DeltaTableError) -> Error {
    let text = error.to_string();
    if let Some(cause) = storage_cause(&error) {
        return read_error(location, name, cause);
    }
    if matches!(
        error,
        DeltaTableError::NotATable(_) | DeltaTableError::InvalidTableLocation(_)
    ) || text.contains("No files in log segment")
        || text.contains("No such file or directory")
    {
        return Error::new(
            SqlState::IO_ERROR,
            format!("\"{location}\" of table \"{name}\" is no Delta table: it has no log"),
        )
        .with_cause(scrub(&text));
    }
    if text.to_ascii_lowercase().contains("unsupported") {
        return refused(name, "a feature of Delta Lake").with_detail(scrub(&text));
    }
    unreadable(name, location, scrub(&text))
}

fn unreadable(name: &RelationName, location: &Location, cause: String) -> Error {
    Error::new(
        SqlState::DATA_CORRUPTED,
        format!("the Delta log \"{location}/_delta_log\" of table \"{name}\" cannot be read"),
    )
    .with_cause(cause)
}

fn internal(error: &serde_json::Error) -> Error {
    Error::internal(error.to_string())
}
