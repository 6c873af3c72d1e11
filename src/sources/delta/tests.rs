//! Delta tables as delta-rs writes them (tests/fixtures/lake/write.py), and logs
//! written here for what it does not write.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, StringArray};
use datafusion::arrow::record_batch::RecordBatch;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::error::{Error, SqlState};
use crate::sources::TableState;
use crate::sources::lake_testing::{
    assert_rows, columns, fixtures, query, session, stores, table, write_parquet,
};

pub(super) fn source(base: &Path, tables: &[&str]) -> Arc<DeltaSource> {
    let config = config::DeltaSource {
        tables: BTreeMap::from_iter(tables.iter().map(|t| (t.to_string(), t.to_string()))),
        storage: None,
    };
    DeltaSource::new(SourceName::new("lake"), &config, stores(base)).unwrap()
}

async fn broken(source: &DeltaSource, name: &str) -> Arc<Error> {
    match table(source, name).await.state {
        TableState::Broken(error) => error,
        _ => panic!("{name} can be read"),
    }
}

/// One commit: its actions, one a line.
pub(super) fn commit(table: &Path, version: u64, actions: &[Value]) {
    let log = table.join("_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    std::fs::write(log.join(format!("{version:020}.json")), lines.join("\n")).unwrap();
}

pub(super) fn protocol(features: &[&str]) -> Value {
    match features {
        [] => json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        _ => json!({"protocol": {
            "minReaderVersion": 3, "minWriterVersion": 7,
            "readerFeatures": features, "writerFeatures": features,
        }}),
    }
}

pub(super) fn metadata(fields: Value, partitions: &[&str], configuration: Value) -> Value {
    let schema = json!({"type": "struct", "fields": fields}).to_string();
    json!({"metaData": {
        "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema, "partitionColumns": partitions,
        "configuration": configuration, "createdTime": 0,
    }})
}

pub(super) fn field(name: &str, data_type: &str) -> Value {
    json!({"name": name, "type": data_type, "nullable": true, "metadata": {}})
}

pub(super) fn add(path: &str, size: u64, partition: Value, stats: Option<Value>) -> Value {
    json!({"add": {
        "path": path, "size": size, "partitionValues": partition,
        "modificationTime": 0, "dataChange": true,
        "stats": stats.map(|stats| stats.to_string()),
    }})
}

pub(super) fn ids(values: Vec<i32>) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int32Array::from(values));
    RecordBatch::try_from_iter([("id", ids)]).unwrap()
}

#[tokio::test]
async fn a_table_of_another_writer_is_read_as_it_wrote_it() {
    let source = source(&fixtures("delta"), &["events"]);
    let t = table(source.as_ref(), "events").await;
    assert_eq!(
        columns(&t),
        [
            "id int4",
            "amount numeric",
            "at timestamptz",
            "tags _text",
            "city text",
            "day date",
            "note text",
        ]
    );
    assert_eq!(t.rows, Some(4));
    let session = session(source.as_ref()).await;
    assert_rows(
        query(
            &session,
            "SELECT id, amount, at, tags, city, day, note FROM events ORDER BY id",
        )
        .await,
        &[
            "1|1.10|2024-01-01T12:00:00.123456Z|[x, y]|São Paulo|2024-01-01|NULL",
            "3|-3.30|2024-01-01T12:00:00.123456Z|NULL|NULL|NULL|NULL",
            "4|1.10|2024-01-01T12:00:00.123456Z|[x, y]|São Paulo|2024-01-01|later",
            "5|1.10|2024-01-01T12:00:00.123456Z|[x, y]|São Paulo|2024-01-01|later",
        ],
    );
    for (filter, count) in [
        ("city = 'São Paulo'", "3"),
        ("city IS NULL", "1"),
        ("day = '2024-01-01' AND note IS NULL", "1"),
        // statistics say .123 alone
        ("at = '2024-01-01T12:00:00.123456Z'", "4"),
        ("at > '2024-01-01T12:00:00.123Z'", "4"),
        ("amount < 0", "1"),
        ("id >= 5", "1"),
    ] {
        let sql = format!("SELECT count(*) FROM events WHERE {filter}");
        assert_rows(query(&session, &sql).await, &[count]);
    }
    assert_rows(
        query(&session, "SELECT min(id), max(id), count(note) FROM events").await,
        &["1|5|2"],
    );
}

#[tokio::test]
async fn a_statement_sees_what_was_committed_before_it() {
    let base = TempDir::new().unwrap();
    // a name that is decoded once too often becomes another
    let folder = base.path().join("t %20x");
    let size = write_parquet(&folder.join("a b.parquet"), &ids(vec![1, 2]), 100);
    commit(
        &folder,
        0,
        &[
            protocol(&[]),
            metadata(json!([field("id", "integer")]), &[], json!({})),
            add("a%20b.parquet", size, json!({}), None),
        ],
    );
    let config = config::DeltaSource {
        tables: BTreeMap::from([("t".to_string(), "t %20x".to_string())]),
        storage: None,
    };
    let source = DeltaSource::new(SourceName::new("lake"), &config, stores(base.path())).unwrap();
    let session = session(source.as_ref()).await;
    assert_rows(query(&session, "SELECT count(*) FROM t").await, &["2"]);

    let size = write_parquet(&folder.join("c.parquet"), &ids(vec![3]), 100);
    commit(&folder, 1, &[add("c.parquet", size, json!({}), None)]);
    tokio::time::sleep(VERSION_TTL).await;
    assert_rows(
        query(&session, "SELECT id FROM t ORDER BY id").await,
        &["1", "2", "3"],
    );

    // a column that the planner knows nothing of yet
    commit(
        &folder,
        2,
        &[metadata(
            json!([field("new", "string"), field("id", "integer")]),
            &[],
            json!({}),
        )],
    );
    tokio::time::sleep(VERSION_TTL).await;
    assert_rows(query(&session, "SELECT max(id) FROM t").await, &["3"]);
    commit(
        &folder,
        3,
        &[metadata(json!([field("id", "string")]), &[], json!({}))],
    );
    tokio::time::sleep(VERSION_TTL).await;
    let error = query(&session, "SELECT id FROM t").await.unwrap_err();
    assert_eq!(error.state(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
}

#[tokio::test]
async fn unknown_features_are_named() {
    let base = TempDir::new().unwrap();
    for feature in ["typeWidening", "variantType", "somethingNew"] {
        let folder = base.path().join(feature);
        commit(
            &folder,
            0,
            &[
                protocol(&[feature]),
                metadata(json!([field("id", "integer")]), &[], json!({})),
            ],
        );
        let source = source(base.path(), &[feature]);
        let error = broken(&source, feature).await;
        assert_eq!(
            error.state(),
            SqlState::FEATURE_NOT_SUPPORTED,
            "{}",
            error.log_text()
        );
        let all = format!("{} {}", error.message(), error.detail().unwrap_or_default());
        assert!(all.contains(feature), "{all}");
    }
}

#[tokio::test]
async fn mapped_columns_are_read_by_their_physical_names() {
    let base = TempDir::new().unwrap();
    let folder = base.path().join("t");
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let names: ArrayRef = Arc::new(StringArray::from(vec!["one", "two"]));
    let batch = RecordBatch::try_from_iter([("col-1", ids), ("col-2", names)]).unwrap();
    let size = write_parquet(&folder.join("a.parquet"), &batch, 100);
    let mapped = |name: &str, data_type: &str, id: i64| {
        json!({"name": name, "type": data_type, "nullable": true, "metadata": {
            "delta.columnMapping.id": id,
            "delta.columnMapping.physicalName": format!("col-{id}"),
        }})
    };
    let fields = json!([
        mapped("id", "integer", 1),
        mapped("label", "string", 2),
        mapped("part", "integer", 3)
    ]);
    let stats = json!({
        "numRecords": 2, "minValues": {"col-1": 1, "col-2": "one"},
        "maxValues": {"col-1": 2, "col-2": "two"}, "nullCount": {"col-1": 0, "col-2": 0},
    });
    commit(
        &folder,
        0,
        &[
            protocol(&["columnMapping"]),
            metadata(
                fields,
                &["part"],
                json!({"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "3"}),
            ),
            add("a.parquet", size, json!({"col-3": "7"}), Some(stats)),
        ],
    );
    let source = source(base.path(), &["t"]);
    let session = session(source.as_ref()).await;
    assert_rows(
        query(&session, "SELECT * FROM t ORDER BY id").await,
        &["1|one|7", "2|two|7"],
    );
    assert_rows(
        query(&session, "SELECT id FROM t WHERE label = 'two'").await,
        &["2"],
    );
    assert_rows(
        query(&session, "SELECT max(id) FROM t WHERE part = 7").await,
        &["2"],
    );
}

#[tokio::test]
async fn what_is_no_table_or_is_broken_says_so() {
    let base = TempDir::new().unwrap();
    let folder = base.path().join("broken/_delta_log");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("00000000000000000000.json"),
        "{\"protocol\": 7}",
    )
    .unwrap();
    let source = source(base.path(), &["nowhere", "broken"]);
    let error = broken(&source, "nowhere").await;
    assert_eq!(error.state(), SqlState::IO_ERROR, "{}", error.log_text());
    assert!(error.message().contains("lake.nowhere"), "{error}");
    let error = broken(&source, "broken").await;
    assert_eq!(
        error.state(),
        SqlState::DATA_CORRUPTED,
        "{}",
        error.log_text()
    );
    assert!(error.message().contains("lake.broken"), "{error}");
}
