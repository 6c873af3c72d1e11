//! Iceberg tables as pyiceberg writes them (tests/fixtures/lake/write.py), moved
//! away from where their metadata says they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::error::SqlState;
use crate::sources::TableState;
use crate::sources::lake_testing::{assert_rows, columns, fixtures, query, session, stores, table};

pub(super) fn source(tables: &[&str]) -> Arc<IcebergSource> {
    source_in(&fixtures("iceberg"), tables)
}

pub(super) fn source_in(base: &std::path::Path, tables: &[&str]) -> Arc<IcebergSource> {
    let config = config::IcebergSource {
        catalog: None,
        namespaces: BTreeMap::new(),
        tables: tables
            .iter()
            .map(|t| (t.to_string(), t.to_string()))
            .collect(),
        storage: None,
    };
    let stores = stores(base);
    IcebergSource::new(SourceName::new("ice"), &config, stores).unwrap()
}

#[tokio::test]
async fn columns_are_found_by_id_whatever_they_were_called() {
    let source = source(&["evolved"]);
    let t = table(source.as_ref(), "evolved").await;
    assert_eq!(
        columns(&t),
        ["id int8", "label text", "price numeric", "name int8"]
    );
    assert_eq!(t.rows, Some(3));
    let session = session(source.as_ref()).await;
    assert_rows(
        query(
            &session,
            "SELECT id, label, price, name FROM evolved ORDER BY id",
        )
        .await,
        &[
            "1|one|1.10|NULL",
            "2|two|2.20|NULL",
            "3000000000|three|3.30|33",
        ],
    );
    for (filter, expected) in [
        ("label = 'two'", "2"),
        ("id = 1", "1"),
        ("name IS NULL AND price > 2", "2"),
        ("price < 1.5", "1"),
        ("name = 33", "3000000000"),
    ] {
        let sql = format!("SELECT id FROM evolved WHERE {filter}");
        assert_rows(query(&session, &sql).await, &[expected]);
    }
}

#[tokio::test]
async fn partitions_are_read_and_pruned() {
    for name in ["partitioned_v1", "partitioned_v2"] {
        let source = source(&[name]);
        let session = session(source.as_ref()).await;
        assert_rows(
            query(
                &session,
                &format!("SELECT id, region, at FROM {name} ORDER BY id"),
            )
            .await,
            &[
                "1|eu west|2024-01-01T10:00:00",
                "2|us/east|2024-01-01T10:00:00",
                "3|NULL|2024-01-02T10:00:00",
                "4|eu west|2024-01-03T10:00:00",
            ],
        );
        let sql = format!("SELECT id FROM {name} WHERE region IS NULL");
        assert_rows(query(&session, &sql).await, &["3"]);
        let sql = format!("EXPLAIN SELECT id FROM {name} WHERE region = 'us/east'");
        let plan = query(&session, &sql).await.unwrap().join("\n");
        assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
        let sql = format!("EXPLAIN SELECT id FROM {name} WHERE at >= '2024-01-03'");
        let plan = query(&session, &sql).await.unwrap().join("\n");
        assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
    }
}

#[tokio::test]
async fn every_type_has_its_postgres_type() {
    let source = source(&["types"]);
    let t = table(source.as_ref(), "types").await;
    assert_eq!(
        columns(&t),
        [
            "b bool",
            "i int4",
            "l int8",
            "f float4",
            "d float8",
            "dec numeric",
            "day date",
            "clock time",
            "ts timestamp",
            "tstz timestamptz",
            "s text",
            "u uuid",
            "fx bytea",
            "bin bytea",
            "tags _text",
            "st json",
            "m json",
        ]
    );
    let session = session(source.as_ref()).await;
    assert_rows(
        query(
            &session,
            "SELECT b, i, l, f, d, dec, day, clock, ts, tstz, s, u, fx, bin, tags, m FROM types ORDER BY b",
        )
        .await,
        &[
            "true|-1|4611686018427387904|1.5|NaN|1.0000000001|1969-12-31|01:02:03.000004|\
             2024-02-29T23:59:59.999999|2024-02-29T23:59:59.999999Z|ü|\
             00000000000000000000000000000001|61626364|00ff|[a, NULL]|{k: 1}",
            "NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
        ],
    );
    // a nested field that was renamed cannot be cast by name
    let error = query(&session, "SELECT st FROM types").await.unwrap_err();
    assert_eq!(
        error.state(),
        SqlState::FEATURE_NOT_SUPPORTED,
        "{}",
        error.log_text()
    );
    assert!(error.message().contains("\"st\""), "{error}");
}

#[tokio::test]
async fn a_table_without_a_snapshot_is_empty() {
    let source = source(&["empty"]);
    let session = session(source.as_ref()).await;
    assert_rows(query(&session, "SELECT id FROM empty").await, &[]);
    assert_rows(query(&session, "SELECT count(*) FROM empty").await, &["0"]);
}

#[tokio::test]
async fn a_metadata_file_is_a_table_at_that_version() {
    let folder = fixtures("iceberg").join("evolved/metadata");
    let first = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("00001-") && name.ends_with(".metadata.json"))
        .unwrap();
    let source = source(&[&format!("evolved/metadata/{first}")]);
    let tables = source.discover().await.unwrap().tables;
    assert_eq!(
        columns(&tables[0]),
        ["id int4", "name text", "gone float8", "price numeric"]
    );
    assert_eq!(tables[0].rows, Some(2));
}

#[tokio::test]
async fn what_is_no_table_says_so() {
    let source = source(&["nowhere"]);
    match table(source.as_ref(), "nowhere").await.state {
        TableState::Broken(error) => {
            assert_eq!(error.state(), SqlState::IO_ERROR, "{}", error.log_text());
            assert!(error.message().contains("ice.nowhere"), "{error}");
        }
        _ => panic!("there is nothing to read"),
    }
}

#[tokio::test]
async fn catalogs_are_refused_by_name() {
    let config = config::IcebergSource {
        catalog: Some(config::IcebergCatalog {
            kind: "glue".into(),
            uri: "http://127.0.0.1:1".into(),
            warehouse: None,
            credential: None,
            token: None,
            scope: None,
            oauth2_server_uri: None,
            headers: BTreeMap::new(),
        }),
        namespaces: BTreeMap::from([("sales".to_string(), "ice".to_string())]),
        tables: BTreeMap::new(),
        storage: None,
    };
    let stores = stores("/".as_ref());
    let source = IcebergSource::new(SourceName::new("ice"), &config, stores).unwrap();
    assert_eq!(source.schemas(), ["ice"]);
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.state(), SqlState::FEATURE_NOT_SUPPORTED);
}
