//! `lineitem$history` and `lineitem$files`: what a Delta log says of its table.
//! Called when such a table is scanned. Columns are Trino's where it has them.

use deltalake::kernel::LogicalFileView;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use super::load::Loaded;
use super::log::{CommitTimes, Log, commit_info};
use crate::error::Result;
use crate::names::RelationName;
use crate::sources::lake::about::{Described, Row, boolean, count, instant, int8, jsonb, text};
use crate::sources::object_store::Location;
use crate::types::PgType;

/// Commits that are read at the same time.
const CONCURRENT_COMMITS: usize = 8;

pub(super) const HISTORY: Described = Described {
    name: "history",
    columns: &[
        ("version", PgType::INT8),
        ("timestamp", PgType::TIMESTAMPTZ),
        ("user_id", PgType::TEXT),
        ("user_name", PgType::TEXT),
        ("operation", PgType::TEXT),
        ("operation_parameters", PgType::JSONB),
        ("cluster_id", PgType::TEXT),
        ("read_version", PgType::INT8),
        ("isolation_level", PgType::TEXT),
        ("is_blind_append", PgType::BOOL),
        ("operation_metrics", PgType::JSONB),
    ],
};

pub(super) const FILES: Described = Described {
    name: "files",
    columns: &[
        ("file_path", PgType::TEXT),
        ("partition", PgType::JSONB),
        ("record_count", PgType::INT8),
        ("deleted_record_count", PgType::INT8),
        ("file_size_in_bytes", PgType::INT8),
        ("modification_time", PgType::TIMESTAMPTZ),
        ("null_value_counts", PgType::JSONB),
        ("lower_bounds", PgType::JSONB),
        ("upper_bounds", PgType::JSONB),
    ],
};

/// The commits that are kept, the latest first.
pub(super) async fn history(
    table: &RelationName,
    location: &Location,
    times: CommitTimes,
    log: &Log,
) -> Result<Vec<Row>> {
    let versions: Vec<i64> = log.commits.keys().rev().copied().collect();
    futures::stream::iter(versions)
        .map(|version| async move {
            let info = commit_info(table, location, version).await?;
            let millis = log.millis(table, location, times, version).await?;
            Ok(commit(version, millis, &info))
        })
        .buffered(CONCURRENT_COMMITS)
        .try_collect()
        .await
}

fn commit(version: i64, millis: Option<i64>, info: &Value) -> Row {
    let string = |key: &str| text(info[key].as_str());
    vec![
        int8(version),
        instant(millis),
        string("userId"),
        string("userName"),
        string("operation"),
        jsonb(&info["operationParameters"]),
        text(
            info["clusterId"]
                .as_str()
                .or(info["cluster"]["clusterId"].as_str()),
        ),
        int8(info["readVersion"].as_i64()),
        string("isolationLevel"),
        boolean(info["isBlindAppend"].as_bool()),
        jsonb(&info["operationMetrics"]),
    ]
}

/// The files of the latest version.
pub(super) fn files(
    table: &RelationName,
    location: &Location,
    loaded: &Loaded,
) -> Result<Vec<Row>> {
    loaded.with_files(table, location, file)
}

fn file(file: &LogicalFileView) -> Row {
    let statistics: Option<Value> = file
        .stats()
        .and_then(|text| serde_json::from_str(&text).ok());
    let statistics = statistics.unwrap_or_default();
    let partition: Map<String, Value> = file
        .partition_values_map()
        .into_iter()
        .map(|(name, value)| (name, value.map_or(Value::Null, Value::String)))
        .collect();
    let deleted = file
        .deletion_vector_descriptor()
        .map_or(0, |deleted| deleted.cardinality);
    let written = file.modification_datetime().ok();
    vec![
        text(Some(&file.path())),
        match partition.is_empty() {
            true => jsonb(&Value::Null),
            false => jsonb(&Value::Object(partition)),
        },
        int8(statistics["numRecords"].as_i64()),
        int8(deleted),
        count(file.size()),
        instant(written.map(|time| time.timestamp_millis())),
        jsonb(&statistics["nullCount"]),
        jsonb(&statistics["minValues"]),
        jsonb(&statistics["maxValues"]),
    ]
}
