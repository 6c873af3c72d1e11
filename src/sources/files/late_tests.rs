//! Files of which a join leaves few rows are read in two steps, with the rows that
//! they have when read in one.

use std::sync::Arc;

use datafusion::arrow::array::{Float64Array, Int32Array, Int64Array, StringArray};
use tempfile::TempDir;

use super::FileFormat;
use super::tests::{batch, source};
use crate::sources::lake_testing::{assert_rows, query, session, write_parquet};

/// Of each file; ids are thirds of a range that is twice as wide.
const ROWS: i64 = 20_000;

#[tokio::test]
async fn rows_that_a_join_leaves_are_the_same_read_early_or_late() {
    let base = TempDir::new().unwrap();
    let ids =
        |file: i64| (0..ROWS).map(move |at| Some((file * ROWS + at) * 3).filter(|id| id % 7 != 0));
    let floats = |file: i64| ids(file).map(|id| id.map_or(f64::NAN, |id| id as f64 / 4.0));
    let texts = ids(0).map(|id| id.map(|id| format!("a text of {id}")));
    // the second file has another column in place of one
    write_parquet(
        &base.path().join("t/0.parquet"),
        &batch(vec![
            ("id", Arc::new(ids(0).collect::<Int64Array>())),
            ("s", Arc::new(texts.collect::<StringArray>())),
            ("y", Arc::new(floats(0).collect::<Float64Array>())),
        ]),
        4_096,
    );
    write_parquet(
        &base.path().join("t/1.parquet"),
        &batch(vec![
            ("y", Arc::new(floats(1).collect::<Float64Array>())),
            (
                "n",
                Arc::new((0..ROWS as i32).map(Some).collect::<Int32Array>()),
            ),
            ("id", Arc::new(ids(1).collect::<Int64Array>())),
        ]),
        4_096,
    );
    let few = [3, 6, 7, 14_997, 59_997, 60_003, 119_994, -1, 1_000_000];
    let many = (0..3 * ROWS).map(|at| at * 2);
    let keys = |keys: Vec<i64>| {
        let keys = keys.into_iter().map(Some).chain([None]);
        batch(vec![("k", Arc::new(keys.collect::<Int64Array>()))])
    };
    write_parquet(&base.path().join("few.parquet"), &keys(few.to_vec()), 100);
    write_parquet(
        &base.path().join("many.parquet"),
        &keys(many.clone().collect()),
        100_000,
    );
    let source = source(
        base.path(),
        &[
            ("t", "t/*.parquet", FileFormat::Parquet),
            ("few", "few.parquet", FileFormat::Parquet),
            ("many", "many.parquet", FileFormat::Parquet),
        ],
    );
    let session = session(source.as_ref()).await;

    let expected = |keys: &dyn Fn(i64) -> bool| {
        let rows = || (0..2).flat_map(ids).enumerate();
        let found = || rows().filter_map(|(at, id)| Some((at, id?)).filter(|(_, id)| keys(*id)));
        let sum: i64 = found().map(|(_, id)| id).sum();
        let first = found().filter(|(at, _)| (*at as i64) < ROWS).count();
        let numbers: i64 = found()
            .map(|(at, _)| at as i64 - ROWS)
            .filter(|at| *at >= 0)
            .sum();
        format!("{}|{first}|{numbers}|{sum}", found().count())
    };
    let ask = |keys: &str| {
        format!(
            "SELECT count(*), count(s), sum(n), CAST(sum(y * 4) AS BIGINT) FROM t JOIN {keys} ON t.id = {keys}.k"
        )
    };
    let read_late = async |keys: &str| {
        let plan = query(&session, &format!("EXPLAIN ANALYZE {}", ask(keys)))
            .await
            .unwrap();
        let plan = format!("{plan:?}");
        let mut pruned = plan.split("pushdown_rows_pruned=").skip(1);
        pruned.any(|rows| !rows.starts_with("0,") && !rows.starts_with("0]"))
    };
    assert_rows(
        query(&session, &ask("few")).await,
        &[&expected(&|id| few.contains(&id))],
    );
    assert!(read_late("few").await);
    assert_rows(
        query(&session, &ask("many")).await,
        &[&expected(&|id| id % 2 == 0 && id < 6 * ROWS)],
    );
    assert!(!read_late("many").await);
}
