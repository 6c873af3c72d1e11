//! Deletes as Spark and Iceberg's own library write them
//! (tests/fixtures/lake/spark_iceberg.py), against what the specification says is left.

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::tests::source;
use crate::error::SqlState;
use crate::sources::TableState;
use crate::sources::lake::SnapshotReader;
use crate::sources::lake_testing::{assert_rows, query, session, table};

/// What is left of a table that went through the same changes whatever marks them.
const LEFT: [i64; 24] = [
    0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 26, 27, 28, 29,
];

#[tokio::test]
async fn deleted_positions_are_gone() {
    for name in [
        "position_deletes",
        "position_deletes_shared",
        "deletion_vectors",
    ] {
        let source = source(&[name]);
        let rows = table(source.as_ref(), name).await.rows;
        match name {
            // a vector says how many it has; other delete files may name a row twice
            "deletion_vectors" => assert_eq!(rows, Some(24)),
            _ => assert_eq!(rows, Some(31)),
        }
        let session = session(source.as_ref()).await;
        let run = |sql: &str| {
            let sql = sql.replace('?', name);
            let session = &session;
            async move { query(session, &sql).await }
        };
        let all: Vec<String> = LEFT
            .iter()
            .map(|id| match id {
                12 => "12|updated|us".into(),
                10..20 => format!("{id}|n{id}|us"),
                _ => format!("{id}|n{id}|eu"),
            })
            .collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_rows(
            run("SELECT id, name, region FROM ? ORDER BY id").await,
            &all,
        );
        for (sql, expected) in [
            (
                "SELECT count(*), min(id), max(id), count(name) FROM ?",
                vec!["24|0|29|24"],
            ),
            (
                "SELECT region, count(*) FROM ? GROUP BY 1 ORDER BY 1",
                vec!["eu|15", "us|9"],
            ),
            (
                "SELECT id FROM ? WHERE id BETWEEN 3 AND 6 ORDER BY 1",
                vec!["5", "6"],
            ),
            ("SELECT name FROM ? WHERE id = 12", vec!["updated"]),
            ("SELECT id FROM ? WHERE name = 'n13'", vec![]),
            (
                "SELECT id FROM ? ORDER BY id DESC LIMIT 4",
                vec!["29", "28", "27", "26"],
            ),
            (
                "SELECT id FROM ? JOIN (VALUES (4), (5), (23)) AS v (id) USING (id)",
                vec!["5"],
            ),
        ] {
            assert_rows(run(sql).await, &expected);
        }
    }
}

#[tokio::test]
async fn a_vector_stands_for_older_position_deletes() {
    let source = source(&["deletion_vectors_upgraded"]);
    let session = session(source.as_ref()).await;
    assert_rows(
        query(
            &session,
            "SELECT id FROM deletion_vectors_upgraded ORDER BY id",
        )
        .await,
        &[
            "0", "3", "4", "5", "6", "7", "8", "9", "10", "12", "13", "14", "15", "16", "17", "18",
            "19",
        ],
    );
}

#[tokio::test]
async fn rows_with_deleted_keys_are_gone() {
    let source = source(&["equality_deletes"]);
    let session = session(source.as_ref()).await;
    let all = [
        "NULL|nobody again|NULL|NULL|NULL|NULL",
        "1|again|1.50|2024-01-03|2024-01-01T12:00:00.000001Z|NULL",
        "2|two|NULL|NULL|NULL|x",
        "3|n3|1.50|2024-01-03|2024-01-01T15:00:00.000001Z|NULL",
        "6|n6|3.00|2024-01-06|2024-01-01T18:00:00.000001Z|NULL",
        "8|NULL|4.00|2024-01-08|2024-01-01T20:00:00.000001Z|NULL",
        "10|n10|NULL|2024-01-10|2024-01-01T22:00:00.000001Z|NULL",
        "3000000000|big|NULL|NULL|NULL|x",
    ];
    let sql =
        "SELECT id, name, price, day, at, added FROM equality_deletes ORDER BY id NULLS FIRST";
    assert_rows(query(&session, sql).await, &all);
    for (sql, expected) in [
        ("SELECT count(*) FROM equality_deletes", vec!["8"]),
        // keys that nobody asked for are read nevertheless
        (
            "SELECT name FROM equality_deletes WHERE price > 1 ORDER BY name",
            vec!["again", "n3", "n6", "NULL"],
        ),
        (
            "SELECT min(id), max(id), count(price) FROM equality_deletes",
            vec!["1|3000000000|4"],
        ),
        (
            "SELECT added, count(*) FROM equality_deletes GROUP BY 1 ORDER BY 1",
            vec!["x|2", "NULL|6"],
        ),
        (
            "SELECT id FROM equality_deletes WHERE id IN (1, 4, 5, 7, 9)",
            vec!["1"],
        ),
        (
            "SELECT id FROM equality_deletes ORDER BY id DESC NULLS LAST LIMIT 3",
            vec!["3000000000", "10", "8"],
        ),
        (
            "SELECT name FROM equality_deletes JOIN (VALUES (4), (6)) AS v (id) USING (id)",
            vec!["n6"],
        ),
        (
            "SELECT count(*) FROM (SELECT 1 FROM equality_deletes LIMIT 7) AS t",
            vec!["7"],
        ),
    ] {
        assert_rows(query(&session, sql).await, &expected);
    }
}

/// Five files of keys, three of rows: of those after the second's rows, the bounds
/// of days, instants and ids say that they are about others.
#[tokio::test]
async fn delete_files_about_other_keys_are_not_read() {
    let source = source(&["equality_deletes"]);
    let snapshot = match &source.contents {
        super::Contents::Declared(tables) => tables[0].snapshot().await.unwrap(),
        _ => panic!("it is declared"),
    };
    let mut deletes: Vec<usize> = snapshot
        .files
        .iter()
        .map(|file| {
            file.deletes
                .as_ref()
                .map_or(0, |deletes| deletes.equality.len())
        })
        .collect();
    deletes.sort();
    assert_eq!(deletes, [1, 1, 5]);
}

#[tokio::test]
async fn keys_hold_in_their_partition_or_everywhere() {
    let name = "equality_deletes_partitioned";
    let source = source(&[name]);
    let session = session(source.as_ref()).await;
    let sql = format!("SELECT id, region FROM {name} ORDER BY region, id");
    assert_rows(
        query(&session, &sql).await,
        &[
            "1|eu", "2|eu", "3|eu", "1|us", "1|us", "3|us", "6|us", "1|NULL",
        ],
    );
    let sql = format!("SELECT count(*) FROM {name} WHERE region = 'us'");
    assert_rows(query(&session, &sql).await, &["4"]);
}

#[tokio::test]
async fn deletes_by_a_dropped_column_hold() {
    let source = source(&["equality_deletes_dropped"]);
    let session = session(source.as_ref()).await;
    assert_rows(
        query(
            &session,
            "SELECT * FROM equality_deletes_dropped ORDER BY id",
        )
        .await,
        &["1", "4", "5"],
    );
}

#[tokio::test]
async fn keys_are_counted_as_memory_of_the_query() {
    let source = source(&["equality_deletes"]);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_limit(100, 1.0)
        .build_arc()
        .unwrap();
    let session = SessionContext::new_with_config_rt(SessionConfig::new(), runtime);
    match table(source.as_ref(), "equality_deletes").await.state {
        TableState::Ready(provider) => session.register_table("t", provider).unwrap(),
        TableState::Broken(error) => panic!("{}", error.log_text()),
        TableState::Listed(_) => panic!("it is declared"),
    };
    let error = query(&session, "SELECT name FROM t").await.unwrap_err();
    assert_eq!(
        error.state(),
        SqlState::OUT_OF_MEMORY,
        "{}",
        error.log_text()
    );
    assert!(error.message().contains("ice.equality_deletes"), "{error}");
    assert!(error.message().contains("equal-"), "{error}");
}

#[tokio::test]
async fn delete_files_that_cannot_be_read_are_named() {
    let base = tempfile::TempDir::new().unwrap();
    for (name, part, state) in [
        (
            "position_deletes",
            "-deletes.parquet",
            SqlState::DATA_CORRUPTED,
        ),
        ("deletion_vectors", ".puffin", SqlState::DATA_CORRUPTED),
        ("equality_deletes", "equal-", SqlState::DATA_CORRUPTED),
    ] {
        let folder = base.path().join(name);
        copy(
            &crate::sources::lake_testing::fixtures("iceberg").join(name),
            &folder,
        );
        let spoiled = spoil(&folder.join("data"), part);
        assert!(spoiled > 0, "{name}");
        let source = super::tests::source_in(base.path(), &[name]);
        let session = session(source.as_ref()).await;
        let sql = format!("SELECT max(name) FROM {name}");
        let error = query(&session, &sql).await.unwrap_err();
        assert_eq!(error.state(), state, "{}", error.log_text());
        assert!(error.message().contains(&format!("ice.{name}")), "{error}");
        assert!(error.message().contains(part), "{error}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

/// Overwrites the middle of each file whose name has `part`; how many there were.
fn spoil(folder: &std::path::Path, part: &str) -> usize {
    let mut spoiled = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            spoiled += spoil(&path, part);
        } else if path.to_str().unwrap().contains(part) {
            let mut bytes = std::fs::read(&path).unwrap();
            let end = bytes.len() - 8;
            bytes[4..end].fill(0xFF);
            std::fs::write(&path, bytes).unwrap();
            spoiled += 1;
        }
    }
    spoiled
}
