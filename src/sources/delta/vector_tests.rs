//! Deletion vectors: those of Spark's tables (tests/fixtures/lake/spark_delta.py),
//! and the same bytes stored in the ways that Spark does not choose.

use std::collections::BTreeMap;
use std::path::Path;

use object_store::path::Path as ObjectPath;
use roaring::RoaringTreemap;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::tests::{add, commit, field, ids, metadata, protocol, source};
use super::*;
use crate::error::SqlState;
use crate::sources::lake::deletes::vector::{bare, framed};
use crate::sources::lake_testing::{
    assert_rows, fixtures, query, session, stores, table, write_parquet,
};

#[tokio::test]
async fn rows_that_spark_deleted_are_gone() {
    let source = source(
        &fixtures("delta"),
        &["deletion_vectors", "deletion_vectors_prefixed"],
    );
    let t = table(source.as_ref(), "deletion_vectors").await;
    assert_eq!(t.rows, Some(32));
    let session = session(source.as_ref()).await;
    let left = [
        0, 1, 2, 4, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 29, 30, 31, 32,
        34, 35, 36, 37, 38, 39, 41,
    ];
    let all: Vec<String> = left
        .iter()
        .map(|id| {
            let name = if *id == 21 {
                "updated".into()
            } else {
                format!("n{id}")
            };
            let price = match id % 5 {
                0 => "NULL".into(),
                _ => format!("{}.{}0", id / 2, id % 2 * 5),
            };
            let region = match id {
                0..20 => "eu",
                20..40 => "us",
                _ => "gone",
            };
            format!("{id}|{name}|{price}|{region}")
        })
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let rows = query(&session, "SELECT * FROM deletion_vectors ORDER BY id").await;
    assert_rows(rows, &all);
    for (sql, expected) in [
        ("SELECT count(*) FROM deletion_vectors", vec!["32"]),
        (
            "SELECT region, count(*), min(id), max(id), count(price) FROM deletion_vectors GROUP BY 1 ORDER BY 1",
            vec!["eu|13|0|19|11", "gone|1|41|41|1", "us|18|20|39|14"],
        ),
        (
            "SELECT count(*) FROM deletion_vectors WHERE region = 'us'",
            vec!["18"],
        ),
        (
            "SELECT name FROM deletion_vectors WHERE id = 21",
            vec!["updated"],
        ),
        (
            "SELECT id FROM deletion_vectors WHERE id = 13 OR id = 40",
            vec![],
        ),
        (
            "SELECT id FROM deletion_vectors ORDER BY id DESC LIMIT 3",
            vec!["41", "39", "38"],
        ),
        (
            "SELECT id FROM deletion_vectors JOIN (VALUES (3), (4), (33)) AS v (id) USING (id)",
            vec!["4"],
        ),
        (
            "SELECT min(id), max(id), count(*) FROM deletion_vectors_prefixed",
            vec!["1|8|8"],
        ),
        (
            "SELECT name, price FROM deletion_vectors_prefixed WHERE id > 6 ORDER BY id",
            vec!["n7|3.50", "n8|4.00"],
        ),
    ] {
        assert_rows(query(&session, sql).await, &expected);
    }
}

/// A table of one file with the ids 0 to 9, and one vector.
fn with_vector(folder: &Path, vector: Value) {
    let size = write_parquet(&folder.join("a.parquet"), &ids((0..10).collect()), 4);
    let stats = json!({
        "numRecords": 10, "minValues": {"id": 0}, "maxValues": {"id": 9},
        "nullCount": {"id": 0}, "tightBounds": false,
    });
    let mut add = add("a.parquet", size, json!({}), Some(stats));
    add["add"]["deletionVector"] = vector;
    let metadata = metadata(json!([field("id", "integer")]), &[], json!({}));
    commit(folder, 0, &[protocol(&["deletionVectors"]), metadata, add]);
}

fn marks() -> RoaringTreemap {
    [0, 3, 4, 9].into_iter().collect()
}

/// Of a file that holds another vector first.
const OFFSET: usize = 5;

fn write_vector(path: &Path, vector: &[u8]) {
    let file = [&[1, 0, 0, 0, 0], vector].concat();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, file).unwrap();
}

fn stored(kind: &str, place: &str, offset: Option<usize>, rows: u64) -> Value {
    json!({
        "storageType": kind, "pathOrInlineDv": place, "offset": offset,
        "sizeInBytes": bare(&marks()).len(), "cardinality": rows,
    })
}

#[tokio::test]
async fn vectors_are_found_wherever_they_are_stored() {
    let base = TempDir::new().unwrap();
    let mut inline = bare(&marks());
    inline.resize(inline.len().next_multiple_of(4), 0);
    with_vector(
        &base.path().join("inline"),
        stored("i", &z85::encode(&inline), None, 4),
    );
    with_vector(
        &base.path().join("relative"),
        stored("u", "ab^-aqEH.-t@S}K{vb[*k^", Some(OFFSET), 4),
    );
    write_vector(
        &base
            .path()
            .join("relative/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"),
        &framed(&marks()),
    );
    let far = base.path().join("far away/v.bin");
    write_vector(&far, &framed(&marks()));
    let path = ObjectPath::from_absolute_path(&far).unwrap();
    let encoded = path.as_ref().replace(' ', "%20");
    for (name, url) in [
        ("absolute", format!("file:///{encoded}")),
        ("hadoop", format!("file:/{encoded}")),
    ] {
        with_vector(&base.path().join(name), stored("p", &url, Some(OFFSET), 4));
    }
    let tables = ["inline", "relative", "absolute", "hadoop"];
    let source = source(base.path(), &tables);
    let session = session(source.as_ref()).await;
    for table in tables {
        let sql = format!("SELECT id FROM {table} ORDER BY id");
        assert_rows(query(&session, &sql).await, &["1", "2", "5", "6", "7", "8"]);
        let sql = format!("SELECT count(*), min(id), max(id) FROM {table}");
        assert_rows(query(&session, &sql).await, &["6|1|8"]);
    }
}

/// A vector of a later commit takes the place of the file's earlier one.
#[tokio::test]
async fn the_latest_vector_holds() {
    let base = TempDir::new().unwrap();
    let folder = base.path().join("t");
    let inline = |positions: &[u64]| {
        let positions: RoaringTreemap = positions.iter().copied().collect();
        let mut vector = bare(&positions);
        let size = vector.len();
        vector.resize(size.next_multiple_of(4), 0);
        json!({
            "storageType": "i", "pathOrInlineDv": z85::encode(&vector),
            "sizeInBytes": size, "cardinality": positions.len(),
        })
    };
    with_vector(&folder, inline(&[1]));
    let source = source(base.path(), &["t"]);
    let session = session(source.as_ref()).await;
    let sql = "SELECT id FROM t WHERE id < 4 ORDER BY id";
    assert_rows(query(&session, sql).await, &["0", "2", "3"]);

    let first = std::fs::read_to_string(folder.join("_delta_log/00000000000000000000.json"));
    let first = first.unwrap();
    let mut add: Value = serde_json::from_str(first.lines().last().unwrap()).unwrap();
    let remove = json!({"remove": {
        "path": "a.parquet", "deletionTimestamp": 1, "dataChange": true,
        "deletionVector": add["add"]["deletionVector"],
    }});
    add["add"]["deletionVector"] = inline(&[1, 2]);
    commit(&folder, 1, &[remove, add.clone()]);
    tokio::time::sleep(VERSION_TTL).await;
    assert_rows(query(&session, sql).await, &["0", "3"]);
    assert_rows(query(&session, "SELECT count(*) FROM t").await, &["8"]);

    // as RESTORE does
    let remove = json!({"remove": {
        "path": "a.parquet", "deletionTimestamp": 2, "dataChange": true,
        "deletionVector": add["add"]["deletionVector"],
    }});
    if let Some(add) = add["add"].as_object_mut() {
        add.remove("deletionVector");
    }
    commit(&folder, 2, &[remove, add]);
    tokio::time::sleep(VERSION_TTL).await;
    assert_rows(query(&session, sql).await, &["0", "1", "2", "3"]);
}

#[tokio::test]
async fn vectors_that_cannot_be_read_are_named() {
    let base = TempDir::new().unwrap();
    let good = framed(&marks());
    let mut flipped = good.clone();
    flipped[12] ^= 1;
    let past_the_end: RoaringTreemap = [0, 3, 4, 10].into_iter().collect();
    let mut tables = BTreeMap::new();
    for (name, bytes, rows) in [
        ("missing", None, 4),
        ("cut", Some(&good[..good.len() - 9]), 4),
        ("flipped", Some(flipped.as_slice()), 4),
        ("miscounted", Some(good.as_slice()), 5),
        ("past_the_end", Some(framed(&past_the_end)).as_deref(), 4),
    ] {
        let folder = base.path().join(name);
        with_vector(
            &folder,
            stored("u", "vBn[lx{q8@P<9BNH/isA", Some(OFFSET), rows),
        );
        let file = "deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin";
        if let Some(bytes) = bytes {
            write_vector(&folder.join(file), bytes);
        }
        tables.insert(name.to_string(), name.to_string());
    }
    let config = config::DeltaSource {
        tables,
        storage: None,
    };
    let source = DeltaSource::new(SourceName::new("lake"), &config, stores(base.path())).unwrap();
    let session = session(source.as_ref()).await;
    for table in ["missing", "cut", "flipped", "miscounted", "past_the_end"] {
        let error = query(&session, &format!("SELECT sum(id) FROM {table}"))
            .await
            .unwrap_err();
        let state = match table {
            "missing" => SqlState::IO_ERROR,
            _ => SqlState::DATA_CORRUPTED,
        };
        let message = error.message();
        assert_eq!(error.state(), state, "{table}: {}", error.log_text());
        assert!(message.contains(&format!("lake.{table}")), "{message}");
        assert!(message.contains("deletion_vector_61d16c75"), "{message}");
    }
}
