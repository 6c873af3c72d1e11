//! Joins of a table of the source with one that is here: the keys travel, so that
//! rows without a partner do not.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::ScalarValue;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::SessionContext;
use narrows::sources::postgres::{PostgresScan, ReadOptions, counted};
use tokio::time::timeout;

use super::snapshots::{PATIENCE, plan, session, task, total};
use super::{source, source_with, url};

fn with_keys() -> ReadOptions {
    ReadOptions {
        parallel_reads: 3,
        join_keys_wait: Some(PATIENCE),
    }
}

async fn prepare(schema: &str, ddl: &str, connections: usize) -> SessionContext {
    source_with(schema, ddl).await;
    let source = source(&url(), schema, connections);
    let context = session(&source, &with_keys()).await;
    {
        let state = context.state_ref();
        let mut state = state.write();
        let optimizer = &mut state.config_mut().options_mut().optimizer;
        optimizer.hash_join_inlist_pushdown_max_distinct_values = 300_000;
        optimizer.hash_join_inlist_pushdown_max_size = 64 << 20;
    }
    context
}

fn here(context: &SessionContext, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("of one length");
    context.register_batch(name, batch).expect("a new name");
}

/// What the scans of the source sent.
fn moved(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let below = plan.children().into_iter().map(moved);
    let own = plan
        .downcast_ref::<PostgresScan>()
        .and_then(|scan| scan.metrics()?.output_rows());
    own.unwrap_or(0) + below.sum::<usize>()
}

struct Ran {
    rows: String,
    moved: usize,
    keys: usize,
    connections: usize,
    turns: usize,
}

async fn ran(context: &SessionContext, sql: &str, options: &ReadOptions) -> Ran {
    let plan = plan(context, sql).await;
    let task = task(context, &plan, options);
    let rows = timeout(PATIENCE, collect(plan.clone(), task)).await;
    let text = displayable(plan.as_ref()).indent(true).to_string();
    let rows = rows
        .unwrap_or_else(|_| panic!("too slow: {text}"))
        .expect("readable");
    Ran {
        rows: pretty_format_batches(&rows).expect("printable").to_string(),
        moved: moved(&plan),
        keys: total(&plan, counted::KEYS),
        connections: total(&plan, counted::CONNECTIONS),
        turns: total(&plan, counted::TURNS),
    }
}

/// The answer without keys is the answer with them.
async fn check(context: &SessionContext, sql: &str) -> Ran {
    let without = ReadOptions {
        join_keys_wait: None,
        ..with_keys()
    };
    let (with, without) = (
        ran(context, sql, &with_keys()).await,
        ran(context, sql, &without).await,
    );
    assert_eq!(with.rows, without.rows, "{sql}");
    assert_eq!(without.keys, 0);
    with
}

#[tokio::test(flavor = "multi_thread")]
async fn only_rows_with_a_partner_move() {
    let context = prepare(
        "t_keys",
        "CREATE TABLE big (id int8 PRIMARY KEY, small int4, t text, u varchar(9)); \
         INSERT INTO big SELECT i, i % 100, 'k' || i, 'k' || i FROM generate_series(1, 50000) i; \
         ANALYZE big;",
        4,
    )
    .await;
    for (name, count, step) in [("few", 30, 1000), ("some", 2000, 13), ("many", 12_000, 4)] {
        let keys: Vec<Option<i64>> = (0..count).map(|i| Some(i * step + 7)).collect();
        let text: StringArray = keys.iter().map(|k| k.map(|k| format!("k{k}"))).collect();
        let small = Int32Array::from_iter((0..count).map(|i| Some(i as i32)));
        here(
            &context,
            name,
            vec![
                ("id", Arc::new(Int64Array::from(keys)) as _),
                ("t", Arc::new(text) as _),
                ("small", Arc::new(small) as _),
            ],
        );
        let matching = (0..count).filter(|i| i * step + 7 <= 50_000).count();
        for on in ["b.id = k.id", "b.t = k.t", "b.u = k.t"] {
            let sql = format!("SELECT count(*), sum(b.id) FROM big b JOIN {name} k ON {on}");
            let ran = check(&context, &sql).await;
            assert_eq!((ran.moved, ran.keys), (matching, count as usize), "{sql}");
        }
        let sql = format!(
            "SELECT count(*), sum(b.id) FROM big b JOIN {name} k ON b.id = k.id AND b.t = k.t"
        );
        assert_eq!(check(&context, &sql).await.moved, matching, "{sql}");
    }
    // keys without gaps, duplicates, NULLs
    let ids = Int64Array::from_iter((0..900).map(|i| (i % 3 != 0).then_some(i / 2)));
    here(&context, "dense", vec![("id", Arc::new(ids) as _)]);
    let sql = "SELECT count(*), sum(b.id) FROM big b JOIN dense k ON b.id = k.id";
    let ran = check(&context, sql).await;
    assert!(
        ran.moved <= 450 && ran.keys > 0,
        "{} {}",
        ran.moved,
        ran.keys
    );
    // nothing on the other side
    let none = Int64Array::from(vec![None::<i64>]);
    here(&context, "none", vec![("id", Arc::new(none) as _)]);
    let sql = "SELECT count(*) FROM big b JOIN none k ON b.id = k.id";
    assert_eq!(check(&context, sql).await.moved, 0);
    for sql in [
        "SELECT k.id, b.id FROM few k LEFT JOIN big b ON b.id = k.id + 1 ORDER BY 1",
        "SELECT count(*) FROM few k FULL JOIN big b ON b.id = k.id",
        "SELECT count(*) FROM big b LEFT JOIN few k ON b.id = k.id",
        "SELECT count(*) FROM big WHERE id IN (SELECT id FROM few)",
        "SELECT count(*) FROM big WHERE id NOT IN (SELECT id FROM few)",
        "SELECT count(*) FROM big WHERE NOT EXISTS (SELECT FROM few WHERE few.id = big.id)",
        "SELECT count(*) FROM few WHERE NOT EXISTS (SELECT FROM big WHERE few.id = big.id)",
        "SELECT count(*) FROM few k JOIN big b ON b.id IS NOT DISTINCT FROM k.id",
        "SELECT count(*) FROM few k JOIN big b ON b.id = k.id JOIN big c ON c.small = b.small",
        "SELECT count(*) FROM big b JOIN few k ON b.small = k.id",
        "SELECT count(*) FROM big b JOIN few k ON b.id + 0 = k.id",
        "SELECT b.t FROM few k JOIN big b ON b.id = k.id ORDER BY b.id DESC LIMIT 3",
    ] {
        check(&context, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_type_find_their_rows() {
    let context = prepare(
        "t_key_types",
        "CREATE TABLE t (i2 int2, i4 int4, n numeric(12,3), d date, ts timestamp, tz timestamptz, \
           u uuid, c text COLLATE \"C\", l text, w char(8)); \
         INSERT INTO t SELECT i, i * 1000, i * 1.125 - 500, '1999-01-01'::date + i, \
           '1999-01-01'::timestamp + i * '1 day 1 us'::interval, \
           '1999-01-01'::timestamptz + i * '1 day 1 us'::interval, md5(i::text)::uuid, \
           'é''\\' || i, 'É\"{},' || i, 'p' || i FROM generate_series(1, 5000) i; \
         INSERT INTO t (d, ts, tz) VALUES ('infinity', 'infinity', '-infinity'), \
           ('0044-03-15 BC', '0044-03-15 BC', '0044-03-15 BC'); \
         INSERT INTO t (n) VALUES (0), (-0.001), (100000000); ANALYZE t;",
        4,
    )
    .await;
    for column in ["i2", "i4", "n", "d", "ts", "tz", "u", "c", "l", "w"] {
        // some of the values, as this side has them
        let part = format!("SELECT {column} AS k FROM t");
        let rows = context
            .sql(&part)
            .await
            .expect("valid SQL")
            .collect()
            .await
            .expect("readable");
        let all: Vec<ScalarValue> = rows
            .iter()
            .flat_map(|batch| {
                let array = batch.column(0).clone();
                (0..array.len())
                    .map(move |at| ScalarValue::try_from_array(&array, at).expect("a value"))
            })
            .collect();
        let chosen = all.iter().rev().step_by(3).take(60).cloned();
        let keys = ScalarValue::iter_to_array(chosen).expect("of one type");
        let name = format!("keys_{column}");
        here(&context, &name, vec![("k", keys)]);
        let sql = format!(
            "SELECT count(*), count(DISTINCT {column}) FROM t JOIN {name} ON t.{column} = {name}.k"
        );
        let ran = check(&context, &sql).await;
        match column {
            // its padding is another thing there
            "w" => assert_eq!(ran.moved, 5005),
            _ => assert!(ran.moved <= 61 && ran.keys > 0, "{column}: {}", ran.moved),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_waits_for_keys_holds_no_connection() {
    // one connection for the side that knows the keys and the one that waits
    let context = prepare(
        "t_key_wait",
        "CREATE TABLE small AS SELECT i::int8 * 100 AS id FROM generate_series(1, 50) i; \
         CREATE TABLE big AS SELECT i::int8 AS id, repeat('x', 200) AS pad \
         FROM generate_series(1, 100000) i; \
         CREATE INDEX ON big (id); ANALYZE small; ANALYZE big;",
        1,
    )
    .await;
    let sql = "SELECT count(*), sum(length(pad)) FROM big JOIN small ON big.id = small.id";
    let ran = check(&context, sql).await;
    assert_eq!((ran.moved, ran.keys), (100, 50));
    // nobody asks for a connection that has nothing to read
    assert_eq!(ran.connections + ran.turns, 2);
    // a filter that never comes is not waited for without end
    let impatient = ReadOptions {
        join_keys_wait: Some(Duration::from_millis(1)),
        ..with_keys()
    };
    ran_quickly(&context, sql, &impatient).await;
}

async fn ran_quickly(context: &SessionContext, sql: &str, options: &ReadOptions) {
    let rows = ran(context, sql, options).await.rows;
    assert_eq!(rows, ran(context, sql, &with_keys()).await.rows);
}
