//! One scan: fast, bounded, ended on the source when nobody wants it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use narrows::error::{Error, SqlState};
use narrows::sources::TableState;
use narrows::types::PgType;

use super::{admin, int8, run, scan, source_with, tables};

#[tokio::test]
async fn a_million_rows() {
    let source = source_with(
        "t_million",
        "CREATE TABLE t AS SELECT i AS id, i * 1.5::float8 AS f, (i % 1000)::numeric(10,2) AS n, \
           md5(i::text) AS t, '2020-01-01'::timestamp + i * '1 s'::interval AS ts \
         FROM generate_series(1, 1000000) i; ANALYZE t;",
    )
    .await;
    let tables = tables(&source).await;
    assert_eq!(tables["t"].rows, Some(1_000_000));
    let TableState::Ready(provider) = &tables["t"].state else {
        panic!("t is broken");
    };
    let context = SessionContext::new();
    let plan = provider
        .scan(&context.state(), None, &[], None)
        .await
        .expect("plannable");
    let started = Instant::now();
    let mut stream = plan.execute(0, context.task_ctx()).expect("starts");
    let (mut rows, mut sum, mut largest) = (0, 0i64, 0);
    while let Some(batch) = stream.next().await {
        let batch = batch.expect("readable");
        rows += batch.num_rows();
        largest = largest.max(batch.num_rows());
        sum += batch
            .column(0)
            .as_primitive::<Int32Type>()
            .iter()
            .flatten()
            .map(i64::from)
            .sum::<i64>();
    }
    let took = started.elapsed();
    let metrics = plan.metrics().expect("metrics");
    let bytes = metrics
        .sum_by_name("bytes_moved")
        .expect("counted")
        .as_usize();
    eprintln!("{rows} rows, {bytes} bytes in {took:?}");
    assert_eq!((rows, sum), (1_000_000, 500_000_500_000));
    assert!(largest <= 8192);
    assert_eq!(metrics.output_rows(), Some(1_000_000));
    assert!(bytes > 60_000_000);
}

#[tokio::test]
async fn wide_rows_make_small_batches() {
    let source = source_with("t_wide", "").await;
    let sql = "SELECT repeat('x', 1000000) FROM generate_series(1, 40)";
    let field = PgType::TEXT.field("t", true).expect("text has a carrier");
    let batches = run(&scan(&source, sql, vec![field]))
        .await
        .expect("readable");
    assert!(batches.iter().all(|batch| batch.num_rows() <= 5));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 40);
}

/// How many sessions of this source run a statement that contains `marker`.
async fn running(admin: &tokio_postgres::Client, marker: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
               AND state <> 'idle' AND strpos(query, $1) > 0";
    admin
        .query_one(sql, &[&marker])
        .await
        .expect("answers")
        .get(0)
}

async fn until(what: &str, limit: Duration, mut reached: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !reached().await {
        assert!(started.elapsed() < limit, "{what} took more than {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn dropping_a_stream_ends_the_statement_on_the_source() {
    let source = source_with("t_cancel", "").await;
    let admin = admin().await;
    for (marker, sql) in [
        (
            "cancel_rows",
            "SELECT generate_series(1, 100000000000) /* cancel_rows */",
        ),
        (
            "cancel_sleep",
            "SELECT 1::int8 FROM pg_sleep(600) /* cancel_sleep */",
        ),
    ] {
        let scan = scan(&source, sql, vec![int8("i")]);
        let mut stream = scan
            .execute(0, Arc::new(TaskContext::default()))
            .expect("starts");
        let streams = marker == "cancel_rows";
        let patience = Duration::from_millis(if streams { 5000 } else { 500 });
        let first = tokio::time::timeout(patience, stream.next()).await;
        match first {
            Ok(batch) => drop(batch.expect("rows").expect("readable")),
            Err(_) => assert!(!streams, "no row came"),
        }
        until("the start", Duration::from_secs(2), async || {
            running(&admin, marker).await == 1
        })
        .await;
        drop(stream);
        until("the cancel", Duration::from_secs(2), async || {
            running(&admin, marker).await == 0
        })
        .await;
    }
}

#[tokio::test]
async fn a_reader_that_stalls_is_not_buffered_for() {
    let source = source_with("t_stall", "").await;
    let sql = "SELECT generate_series(1, 6000000::int8), repeat('x', 100)";
    let text = PgType::TEXT.field("t", true).expect("text has a carrier");
    let scan = scan(&source, sql, vec![int8("i"), text]);
    let mut stream = scan
        .execute(0, Arc::new(TaskContext::default()))
        .expect("starts");
    stream
        .next()
        .await
        .expect("a first batch")
        .expect("readable");
    let before = resident_kib();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let grown = resident_kib().saturating_sub(before);
    eprintln!("memory grew by {grown} KiB during the stall");
    // the whole answer is over 600 MiB; other tests of this process grow it too
    assert!(
        grown < 64 * 1024,
        "memory grew by {grown} KiB while nobody read"
    );
    let mut rows = 1024;
    while let Some(batch) = stream.next().await {
        rows += batch.expect("readable").num_rows();
        if rows > 100_000 {
            break;
        }
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .expect("VmRSS");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn scans_cannot_write_and_a_changed_type_is_an_error() {
    let source = source_with(
        "t_safe",
        "CREATE TABLE t (id int8); CREATE SEQUENCE s; \
         CREATE FUNCTION sneaky() RETURNS int8 LANGUAGE plpgsql AS \
         $$BEGIN SET transaction_read_only = off; INSERT INTO t_safe.t VALUES (1); RETURN 1; END$$;",
    )
    .await;
    for sql in ["SELECT nextval('t_safe.s')", "SELECT t_safe.sneaky()"] {
        let error = run(&scan(&source, sql, vec![int8("i")]))
            .await
            .expect_err("it writes");
        assert!(
            matches!(error.state().code(), "25006" | "25001"),
            "{} {error}",
            error.state().code()
        );
    }
    let drifted = scan(&source, "SELECT 1.5::float8", vec![int8("i")]);
    let error = run(&drifted).await.expect_err("it drifted");
    assert_eq!(error.state(), SqlState::DATATYPE_MISMATCH);
    let error = run(&scan(&source, "SELECT 1 / 0", vec![int8("i")]))
        .await
        .expect_err("fails");
    assert_eq!(error.state(), SqlState::DIVISION_BY_ZERO);
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_an_error_not_an_end() {
    let source = source_with("t_lost", "").await;
    let sql = "SELECT generate_series(1, 100000000::int8) /* lost_marker */";
    let scan = scan(&source, sql, vec![int8("i")]);
    let mut stream = scan
        .execute(0, Arc::new(TaskContext::default()))
        .expect("starts");
    stream.next().await.expect("a batch").expect("readable");
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE pid <> pg_backend_pid() AND strpos(query, 'lost_marker') > 0";
    admin().await.query(end, &[]).await.expect("ended");
    let error = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break Error::from(error),
            None => panic!("a partial result was called a success"),
        }
    };
    assert_eq!(error.state(), SqlState::CONNECTION_FAILURE, "{error}");
    assert!(error.message().contains("\"t_lost\""), "{error}");
}

#[tokio::test]
async fn rows_are_counted_without_their_columns() {
    let ddl = "CREATE TABLE t AS SELECT i FROM generate_series(1, 5000) i; ANALYZE t; \
               INSERT INTO t VALUES (0)";
    let source = source_with("t_count", ddl).await;
    let tables = tables(&source).await;
    let TableState::Ready(provider) = &tables["t"].state else {
        panic!("t is broken");
    };
    let context = SessionContext::new();
    context
        .register_table("t", provider.clone())
        .expect("registered");
    let count = context
        .sql("SELECT count(*) FROM t")
        .await
        .expect("planned");
    let rows = count.collect().await.expect("counted");
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 5001);
}
