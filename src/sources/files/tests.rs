//! Plain files end to end: what a pattern matches, as what columns, with which rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use datafusion::arrow::record_batch::RecordBatch;
use tempfile::TempDir;

use super::*;
use crate::config::FilesTable;
use crate::error::{Error, SqlState};
use crate::sources::TableState;
use crate::sources::lake_testing::{
    assert_rows, columns, query, session, stores, table, write_parquet,
};

pub(super) fn source(base: &Path, tables: &[(&str, &str, FileFormat)]) -> Arc<FilesSource> {
    with_csv(base, tables, CsvOptions::default())
}

fn with_csv(base: &Path, tables: &[(&str, &str, FileFormat)], csv: CsvOptions) -> Arc<FilesSource> {
    let tables: BTreeMap<String, FilesTable> = tables
        .iter()
        .map(|(name, path, format)| {
            let files = FilesTable {
                path: path.to_string(),
                format: *format,
                csv: csv.clone(),
            };
            (name.to_string(), files)
        })
        .collect();
    let config = config::FilesSource {
        tables,
        storage: None,
    };
    FilesSource::new(SourceName::new("files"), &config, stores(base)).unwrap()
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn ids(values: Vec<i32>) -> RecordBatch {
    batch(vec![("id", Arc::new(Int32Array::from(values)))])
}

async fn broken(source: &FilesSource, name: &str) -> Arc<Error> {
    match table(source, name).await.state {
        TableState::Broken(error) => error,
        _ => panic!("{name} can be read"),
    }
}

#[tokio::test]
async fn folders_become_typed_columns() {
    let base = TempDir::new().unwrap();
    for (folder, id) in [
        ("year=2023/city=S%C3%A3o%20Paulo/day=2023-05-01", 1),
        (
            "year=2024/city=__HIVE_DEFAULT_PARTITION__/day=2024-05-01",
            2,
        ),
        ("year=2024/city=a/day=2024-05-02", 3),
    ] {
        let path = base.path().join("data").join(folder).join("part.parquet");
        write_parquet(&path, &ids(vec![id]), 100);
    }
    std::fs::write(base.path().join("data/_SUCCESS"), "").unwrap();
    std::fs::write(base.path().join("data/year=2023/.x.parquet"), "no").unwrap();
    let source = source(
        base.path(),
        &[("t", "data/**/*.parquet", FileFormat::Parquet)],
    );

    let t = table(source.as_ref(), "t").await;
    assert_eq!(
        columns(&t),
        [
            "id int4 not null",
            "year int8 not null",
            "city text",
            "day date not null"
        ]
    );
    assert_eq!(t.rows, Some(3));

    let session = session(source.as_ref()).await;
    let rows = |sql| query(&session, sql);
    assert_rows(
        rows("SELECT * FROM t ORDER BY id").await,
        &[
            "1|2023|São Paulo|2023-05-01",
            "2|2024|NULL|2024-05-01",
            "3|2024|a|2024-05-02",
        ],
    );
    assert_rows(rows("SELECT id FROM t WHERE city IS NULL").await, &["2"]);
    assert_rows(rows("SELECT count(city), count(*) FROM t").await, &["2|3"]);
    assert_rows(
        rows("SELECT city FROM t WHERE year = 2023").await,
        &["São Paulo"],
    );
    assert_rows(
        rows("SELECT count(*) FROM t WHERE day > '2024-05-01'").await,
        &["1"],
    );
    assert_rows(
        rows("SELECT max(year), min(city) FROM t").await,
        &["2024|São Paulo"],
    );
}

#[tokio::test]
async fn only_files_that_can_match_are_read() {
    let base = TempDir::new().unwrap();
    for (name, values) in [("a", vec![1, 2]), ("b", vec![10, 20])] {
        let path = base.path().join(format!("{name}.parquet"));
        write_parquet(&path, &ids(values), 100);
    }
    let source = source(base.path(), &[("t", "*.parquet", FileFormat::Parquet)]);
    let session = session(source.as_ref()).await;
    let plan = query(&session, "EXPLAIN SELECT id FROM t WHERE id > 5")
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(
        plan.contains("b.parquet") && !plan.contains("a.parquet"),
        "{plan}"
    );
    assert_rows(
        query(&session, "SELECT id FROM t WHERE id > 15").await,
        &["20"],
    );
    assert_rows(query(&session, "SELECT id FROM t WHERE id > 99").await, &[]);
    assert_rows(
        query(&session, "SELECT count(*) FROM t WHERE id > 99").await,
        &["0"],
    );
}

#[tokio::test]
async fn a_files_columns_are_united_and_widened() {
    let base = TempDir::new().unwrap();
    write_parquet(
        &base.path().join("1.parquet"),
        &batch(vec![
            ("a", Arc::new(Int32Array::from(vec![1]))),
            ("b", Arc::new(StringArray::from(vec!["x"]))),
        ]),
        100,
    );
    write_parquet(
        &base.path().join("2.parquet"),
        &batch(vec![
            ("c", Arc::new(UInt64Array::from(vec![u64::MAX]))),
            ("a", Arc::new(Int64Array::from(vec![5_000_000_000]))),
        ]),
        100,
    );
    let source = source(base.path(), &[("t", "*.parquet", FileFormat::Parquet)]);
    assert_eq!(
        columns(&table(source.as_ref(), "t").await),
        ["a int8 not null", "b text", "c numeric"]
    );
    let session = session(source.as_ref()).await;
    assert_rows(
        query(&session, "SELECT * FROM t ORDER BY a").await,
        &["1|x|NULL", "5000000000|NULL|18446744073709551615"],
    );
    assert_rows(
        query(&session, "SELECT a FROM t WHERE b IS NULL").await,
        &["5000000000"],
    );
    assert_rows(query(&session, "SELECT a FROM t WHERE a = 1").await, &["1"]);
}

#[tokio::test]
async fn files_that_disagree_are_both_named() {
    let base = TempDir::new().unwrap();
    write_parquet(&base.path().join("1.parquet"), &ids(vec![1]), 100);
    let text = batch(vec![("id", Arc::new(StringArray::from(vec!["x"])))]);
    write_parquet(&base.path().join("2.parquet"), &text, 100);
    let source = source(base.path(), &[("t", "*.parquet", FileFormat::Parquet)]);
    let error = broken(&source, "t").await;
    assert_eq!(error.state(), SqlState::DATATYPE_MISMATCH);
    assert!(error.message().contains("1.parquet") && error.message().contains("2.parquet"));
}

#[tokio::test]
async fn nothing_is_pruned_that_nan_satisfies() {
    let base = TempDir::new().unwrap();
    let values = Float64Array::from(vec![1.0, f64::NAN, 3.0, 7.0]);
    let path = base.path().join("f.parquet");
    // one row group with NaN below the sought number, one above it
    write_parquet(&path, &batch(vec![("x", Arc::new(values))]), 3);
    let constant = Float64Array::from(vec![f64::NAN, 2.0]);
    let path = base.path().join("g.parquet");
    write_parquet(&path, &batch(vec![("x", Arc::new(constant))]), 3);
    let source = source(
        base.path(),
        &[
            ("f", "f.parquet", FileFormat::Parquet),
            ("g", "g.parquet", FileFormat::Parquet),
        ],
    );
    let session = session(source.as_ref()).await;
    for (sql, expected) in [
        ("SELECT x FROM f WHERE x > 5 ORDER BY x", vec!["7.0", "NaN"]),
        ("SELECT x FROM f WHERE 5 < x ORDER BY x", vec!["7.0", "NaN"]),
        (
            "SELECT x FROM f WHERE NOT (x <= 5) ORDER BY x",
            vec!["7.0", "NaN"],
        ),
        ("SELECT x FROM f WHERE x = 'NaN'", vec!["NaN"]),
        ("SELECT x FROM f WHERE x < 3", vec!["1.0"]),
        ("SELECT x FROM g WHERE x <> 2", vec!["NaN"]),
        ("SELECT x FROM g ORDER BY x DESC LIMIT 1", vec!["NaN"]),
        ("SELECT max(x) FROM g", vec!["NaN"]),
        ("SELECT f.x FROM f JOIN g ON f.x = g.x", vec!["NaN"]),
    ] {
        assert_rows(query(&session, sql).await, &expected);
    }
}

#[tokio::test]
async fn timestamps_of_every_unit_compare_as_microseconds() {
    let base = TempDir::new().unwrap();
    let nanos = TimestampNanosecondArray::from(vec![1_000_500, 2_000_000]);
    let millis = TimestampMillisecondArray::from(vec![1, 2]);
    write_parquet(
        &base.path().join("t.parquet"),
        &batch(vec![("ns", Arc::new(nanos)), ("ms", Arc::new(millis))]),
        1,
    );
    let source = source(base.path(), &[("t", "t.parquet", FileFormat::Parquet)]);
    let t = table(source.as_ref(), "t").await;
    assert_eq!(
        columns(&t),
        ["ns timestamp not null", "ms timestamp not null"]
    );
    let session = session(source.as_ref()).await;
    let micros = |n: i64| format!("arrow_cast({n}, 'Timestamp(Microsecond, None)')");
    for (filter, rows) in [
        (format!("ns = {}", micros(1000)), "1"),
        (format!("ns <= {}", micros(1000)), "1"),
        (format!("ns > {}", micros(1000)), "1"),
        (format!("ms < {}", micros(1500)), "1"),
        (format!("ms > {}", micros(1500)), "1"),
        (format!("ms = {}", micros(2000)), "1"),
        (format!("ms = {}", micros(1500)), "0"),
    ] {
        let sql = format!("SELECT count(*) FROM t WHERE {filter}");
        assert_rows(query(&session, &sql).await, &[rows]);
    }
}

#[tokio::test]
async fn csv_is_read_with_its_options() {
    let base = TempDir::new().unwrap();
    std::fs::write(
        base.path().join("a.csv"),
        "id;name;price;day;ok\n1;'a;b';1.5;2024-02-29;true\n2;'line\nbreak';NA;NA;false\n",
    )
    .unwrap();
    std::fs::write(
        base.path().join("b.csv"),
        "id;name;price;day;ok\n3;x;2;NA;NA\n",
    )
    .unwrap();
    let options = CsvOptions {
        header: true,
        delimiter: b';',
        quote: b'\'',
        null: "NA".into(),
    };
    let source = with_csv(base.path(), &[("t", "*.csv", FileFormat::Csv)], options);
    assert_eq!(
        columns(&table(source.as_ref(), "t").await),
        [
            "id int8",
            "name text",
            "price float8",
            "day date",
            "ok bool"
        ]
    );
    let session = session(source.as_ref()).await;
    assert_rows(
        query(&session, "SELECT * FROM t ORDER BY id").await,
        &[
            "1|a;b|1.5|2024-02-29|true",
            "2|line\nbreak|NULL|NULL|false",
            "3|x|2.0|NULL|NULL",
        ],
    );
    assert_rows(
        query(&session, "SELECT name FROM t WHERE id = 3").await,
        &["x"],
    );
}

#[tokio::test]
async fn text_that_is_no_value_names_its_file() {
    let base = TempDir::new().unwrap();
    let mut lines = String::from("n\n");
    for n in 0..20_000 {
        lines.push_str(&format!("{n}\n"));
    }
    lines.push_str("twenty\n");
    std::fs::write(base.path().join("a.csv"), lines).unwrap();
    std::fs::write(base.path().join("a.json"), "{\"a\": 1}\n{\"a\"").unwrap();
    let source = source(
        base.path(),
        &[
            ("c", "a.csv", FileFormat::Csv),
            ("j", "*.json", FileFormat::Json),
        ],
    );
    let session = session(source.as_ref()).await;
    let error = query(&session, "SELECT max(n) FROM c").await.unwrap_err();
    assert_eq!(
        error.state(),
        SqlState::INVALID_TEXT_REPRESENTATION,
        "{}",
        error.log_text()
    );
    assert!(
        error.message().contains("a.csv") && error.message().contains("files.c"),
        "{error}"
    );
    assert_rows(query(&session, "SELECT n FROM c LIMIT 1").await, &["0"]);
    let error = broken(&source, "j").await;
    assert_eq!(
        error.state(),
        SqlState::DATA_CORRUPTED,
        "{}",
        error.log_text()
    );
    assert!(error.message().contains("a.json"), "{error}");
}

#[tokio::test]
async fn csv_files_with_other_columns_are_refused() {
    let base = TempDir::new().unwrap();
    std::fs::write(base.path().join("a.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(base.path().join("b.csv"), "b,a\n1,2\n").unwrap();
    let source = source(base.path(), &[("t", "*.csv", FileFormat::Csv)]);
    let error = broken(&source, "t").await;
    assert!(
        error.message().contains("a.csv") && error.message().contains("b.csv"),
        "{error}"
    );
}

#[tokio::test]
async fn json_lines_are_matched_by_name() {
    let base = TempDir::new().unwrap();
    let folder = base.path().join("p=1");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("a.json"),
        "{\"a\": 1, \"b\": \"x\"}\n{\"b\": null, \"a\": 2}\n",
    )
    .unwrap();
    std::fs::write(
        folder.join("b.json"),
        "{\"b\": \"y\", \"a\": 2.5, \"c\": true}\n",
    )
    .unwrap();
    let source = source(base.path(), &[("t", "*/*.json", FileFormat::Json)]);
    assert_eq!(
        columns(&table(source.as_ref(), "t").await),
        ["a float8", "b text", "c bool", "p int8 not null"]
    );
    let session = session(source.as_ref()).await;
    assert_rows(
        query(&session, "SELECT * FROM t ORDER BY a").await,
        &["1.0|x|NULL|1", "2.0|NULL|NULL|1", "2.5|y|true|1"],
    );
}

#[tokio::test]
async fn what_cannot_be_read_says_which_file_of_which_table() {
    let base = TempDir::new().unwrap();
    std::fs::write(
        base.path().join("bad.parquet"),
        "this is no parquet file at all",
    )
    .unwrap();
    write_parquet(&base.path().join("gone.parquet"), &ids(vec![1, 2]), 100);
    let source = source(
        base.path(),
        &[
            ("bad", "bad.parquet", FileFormat::Parquet),
            ("none", "nothing/*.parquet", FileFormat::Parquet),
            ("gone", "gone.parquet", FileFormat::Parquet),
        ],
    );
    let error = broken(&source, "bad").await;
    assert_eq!(
        error.state(),
        SqlState::DATA_CORRUPTED,
        "{}",
        error.log_text()
    );
    assert!(error.message().contains("bad.parquet") && error.message().contains("files.bad"));

    let error = broken(&source, "none").await;
    assert_eq!(error.state(), SqlState::IO_ERROR);
    assert!(error.message().contains("nothing/*.parquet"), "{error}");

    let session = session(source.as_ref()).await;
    std::fs::remove_file(base.path().join("gone.parquet")).unwrap();
    let error = query(&session, "SELECT * FROM gone").await.unwrap_err();
    assert_eq!(error.state(), SqlState::IO_ERROR, "{}", error.log_text());
    assert!(error.message().contains("gone.parquet") && error.message().contains("files.gone"));
}

#[tokio::test]
async fn a_broken_page_names_its_file() {
    let base = TempDir::new().unwrap();
    let path = base.path().join("page.parquet");
    let values = StringArray::from_iter_values((0..5000).map(|n| format!("value {n}")));
    let size = write_parquet(&path, &batch(vec![("s", Arc::new(values))]), 10_000);
    let mut bytes = std::fs::read(&path).unwrap();
    // the first page's header: the footer, at the end, stays as it is
    for byte in &mut bytes[4..200] {
        *byte ^= 0xa5;
    }
    assert_eq!(bytes.len() as u64, size);
    std::fs::write(&path, bytes).unwrap();
    let source = source(
        base.path(),
        &[("page", "page.parquet", FileFormat::Parquet)],
    );
    let session = session(source.as_ref()).await;
    let error = query(&session, "SELECT s FROM page").await.unwrap_err();
    assert_eq!(
        error.state(),
        SqlState::DATA_CORRUPTED,
        "{}",
        error.log_text()
    );
    assert!(error.message().contains("page.parquet"), "{error}");
    assert!(error.message().contains("files.page"), "{error}");
}

#[tokio::test]
async fn row_filters_do_not_bring_nan_where_it_does_not_belong() {
    let base = TempDir::new().unwrap();
    let values = Float64Array::from(vec![1.0, f64::NAN, 2.0]);
    write_parquet(
        &base.path().join("f.parquet"),
        &batch(vec![("x", Arc::new(values))]),
        10,
    );
    let source = source(base.path(), &[("f", "f.parquet", FileFormat::Parquet)]);
    let session = session(source.as_ref()).await;
    query(
        &session,
        "SET datafusion.execution.parquet.pushdown_filters = true",
    )
    .await
    .unwrap();
    assert_rows(
        query(&session, "SELECT x FROM f WHERE x < 5 ORDER BY x").await,
        &["1.0", "2.0"],
    );
    assert_rows(
        query(&session, "SELECT x FROM f WHERE x > 5").await,
        &["NaN"],
    );
}
