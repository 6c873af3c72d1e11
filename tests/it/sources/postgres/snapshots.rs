//! The scans of one statement: they see one snapshot, however many connections
//! there are for them, and never wait for each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use narrows::sources::TableState;
use narrows::sources::postgres::{
    PinnedSources, PostgresSource, ReadOptions, StatementReads, counted,
};
use tokio::time::timeout;

use super::{admin, int8, scan, source, source_with, tables, url};

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A session that knows the tables of the source, by their own names.
pub(super) async fn session(source: &PostgresSource, options: &ReadOptions) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(4)
        .set_bool("datafusion.catalog.information_schema", false);
    config.set_extension(Arc::new(options.clone()));
    let context = SessionContext::new_with_config(config);
    for (name, table) in tables(source).await {
        let TableState::Ready(provider) = table.state else {
            panic!("{name} is broken");
        };
        context.register_table(name, provider).expect("a new name");
    }
    context
}

pub(super) async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    let rows = context.sql(sql).await.expect("valid SQL");
    rows.create_physical_plan().await.expect("plannable")
}

/// What a statement's plan is run with.
pub(super) fn task(
    context: &SessionContext,
    plan: &Arc<dyn ExecutionPlan>,
    options: &ReadOptions,
) -> Arc<TaskContext> {
    let reads = StatementReads::of_plan(plan, &PinnedSources::default(), options.clone());
    let mut config = context.copied_config();
    config.set_extension(Arc::new(reads));
    Arc::new(TaskContext::from(&context.state()).with_session_config(config))
}

pub(super) async fn run(
    context: &SessionContext,
    sql: &str,
    options: &ReadOptions,
) -> Vec<RecordBatch> {
    let plan = plan(context, sql).await;
    let task = task(context, &plan, options);
    timeout(PATIENCE, collect(plan, task))
        .await
        .expect("in time")
        .expect("readable")
}

pub(super) fn number(batches: &[RecordBatch]) -> i64 {
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

pub(super) fn parallel(connections: usize) -> ReadOptions {
    ReadOptions {
        parallel_reads: connections,
        ..ReadOptions::default()
    }
}

/// Moves amounts between two tables until told to stop.
async fn transfer(schema: String, stop: Arc<AtomicBool>) {
    let client = admin().await;
    let mut round = 0i64;
    while !stop.load(Ordering::Relaxed) {
        let (id, amount) = (round % 40_000 + 1, round % 17 + 1);
        let sql = format!(
            "BEGIN; UPDATE {schema}.a SET v = v - {amount} WHERE id = {id}; \
             UPDATE {schema}.b SET v = v + {amount} WHERE id = {}; COMMIT",
            40_001 - id
        );
        client.batch_execute(&sql).await.expect("updates");
        round += 997;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_between_tables_never_change_their_sum() {
    let schema = "t_transfers";
    // wide enough to be read in pieces
    let table = "(id int8 PRIMARY KEY, v int8 NOT NULL, pad text) WITH (fillfactor = 80)";
    let fill = "SELECT i, 1000, repeat('x', 400) FROM generate_series(1, 40000) i";
    source_with(
        schema,
        &format!(
            "CREATE TABLE a {table}; CREATE TABLE b {table}; \
             INSERT INTO a {fill}; INSERT INTO b {fill}; ANALYZE a; ANALYZE b;"
        ),
    )
    .await;
    let stop = Arc::new(AtomicBool::new(false));
    let sql = "SELECT sum(v) FROM (SELECT v FROM a UNION ALL SELECT v FROM b) t";
    let transfers: Vec<_> = (0..2)
        .map(|_| tokio::spawn(transfer(schema.into(), stop.clone())))
        .collect();
    for (connections, streams) in [(8, 1), (8, 4), (3, 4), (2, 4), (1, 4), (1, 1)] {
        let source = source(&url(), schema, connections);
        let options = parallel(streams);
        let context = session(&source, &options).await;
        for sql in [
            sql,
            "SELECT sum(x.v + y.v) FROM a x JOIN b y ON x.id = y.id",
            "SELECT sum(v) FROM (SELECT v FROM a WHERE id <= (SELECT max(id) FROM b) \
             UNION ALL SELECT v FROM b) t",
            "SELECT (SELECT sum(v) FROM a) + (SELECT sum(v) FROM b)",
        ] {
            for _ in 0..2 {
                let sum = number(&run(&context, sql, &options).await);
                assert_eq!(sum, 80_000_000, "{connections} {streams} {sql}");
            }
        }
    }
    // that the transfers are seen at all: scans that know nothing of each other
    let source = source(&url(), schema, 8);
    let context = session(&source, &parallel(1)).await;
    let plan = plan(&context, sql).await;
    let mut torn = false;
    for _ in 0..100 {
        let rows = collect(plan.clone(), context.task_ctx()).await;
        torn |= number(&rows.expect("readable")) != 80_000_000;
        if torn {
            break;
        }
    }
    assert!(torn, "every sum was right by chance");
    stop.store(true, Ordering::Relaxed);
    for transfer in transfers {
        transfer.await.expect("no update failed");
    }
}

/// What two scans that are read in step give, a batch each in turns.
async fn in_step(connections: usize) -> (usize, usize) {
    let source = source(&url(), "public", connections);
    let sql = |marker| format!("SELECT generate_series(1::int8, 100000) AS i /* {marker} */");
    let scans: Vec<Arc<dyn ExecutionPlan>> = ["left", "right"]
        .iter()
        .map(|marker| Arc::new(scan(&source, &sql(marker), vec![int8("i")])) as _)
        .collect();
    let plan = UnionExec::try_new(scans).expect("two inputs");
    let context = SessionContext::new();
    let task = task(&context, &plan, &ReadOptions::default());
    let mut left = plan.execute(0, task.clone()).expect("starts");
    let mut right = plan.execute(1, task).expect("starts");
    let mut rows = (0, 0);
    loop {
        let (l, r) = (left.next().await, right.next().await);
        if l.is_none() && r.is_none() {
            return rows;
        }
        rows.0 += l.map_or(0, |batch| batch.expect("readable").num_rows());
        rows.1 += r.map_or(0, |batch| batch.expect("readable").num_rows());
    }
}

#[tokio::test]
async fn scans_in_step_share_the_connections_there_are() {
    for connections in [1, 2, 3] {
        let rows = timeout(PATIENCE, in_step(connections)).await;
        assert_eq!(rows.expect("no deadlock"), (100_000, 100_000));
    }
}

#[tokio::test]
async fn a_sort_merge_join_works_over_one_connection() {
    source_with(
        "t_merge",
        "CREATE TABLE a AS SELECT i::int8 AS id FROM generate_series(1, 50000) i; \
         CREATE TABLE b AS SELECT i::int8 AS id FROM generate_series(1, 50000, 2) i; \
         ANALYZE a; ANALYZE b;",
    )
    .await;
    let source = source(&url(), "t_merge", 1);
    let options = parallel(4);
    let context = session(&source, &options).await;
    context
        .sql("SET datafusion.optimizer.prefer_hash_join = false")
        .await
        .expect("a setting")
        .collect()
        .await
        .expect("set");
    let sql = "SELECT count(*) FROM a JOIN b ON a.id = b.id";
    let plan = plan(&context, sql).await;
    let text = displayable(plan.as_ref()).indent(false).to_string();
    assert!(text.contains("SortMergeJoin"), "{text}");
    assert_eq!(number(&run(&context, sql, &options).await), 25_000);
}

/// Two statements that read two sources in opposite order.
#[tokio::test]
async fn statements_over_two_sources_do_not_wait_for_each_other() {
    let sources = ["s_one", "s_two"].map(|name| source(&url(), name, 1));
    let endless = "SELECT generate_series(1::int8, 100000000) AS i";
    let start = |order: [usize; 2]| {
        let scans: Vec<Arc<dyn ExecutionPlan>> = order
            .iter()
            .map(|&at| Arc::new(scan(&sources[at], endless, vec![int8("i")])) as _)
            .collect();
        let plan = UnionExec::try_new(scans).expect("two inputs");
        let task = task(&SessionContext::new(), &plan, &ReadOptions::default());
        let both = [0, 1].map(|at| plan.execute(at, task.clone()).expect("starts"));
        async move {
            for mut stream in both {
                stream.next().await.expect("rows").expect("readable");
            }
        }
    };
    for _ in 0..5 {
        let both = futures::future::join(start([0, 1]), start([1, 0]));
        timeout(PATIENCE, both).await.expect("no deadlock");
    }
}

#[tokio::test]
async fn without_export_one_connection_serves_all() {
    let admin = admin().await;
    for sql in [
        "DROP DATABASE IF EXISTS narrows_no_export WITH (FORCE)",
        "DROP ROLE IF EXISTS narrows_no_export",
        "CREATE ROLE narrows_no_export LOGIN PASSWORD 'p'",
        "CREATE DATABASE narrows_no_export",
    ] {
        admin.batch_execute(sql).await.expect("valid DDL");
    }
    let mut home = url::Url::parse(&url()).expect("a URL");
    home.set_path("narrows_no_export");
    let (client, connection) = tokio_postgres::connect(home.as_str(), tokio_postgres::NoTls)
        .await
        .expect("connects");
    tokio::spawn(connection);
    client
        .batch_execute(
            "REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM PUBLIC; CREATE SCHEMA s; \
             CREATE TABLE s.a AS SELECT i::int8 AS v FROM generate_series(1, 30000) i; \
             CREATE TABLE s.b AS SELECT * FROM s.a; \
             GRANT USAGE ON SCHEMA s TO narrows_no_export; \
             GRANT SELECT ON ALL TABLES IN SCHEMA s TO narrows_no_export;",
        )
        .await
        .expect("valid DDL");
    let other = super::with_user(home.as_str(), "narrows_no_export", "p");
    let source = source(&other, "s", 8);
    let options = parallel(4);
    let context = session(&source, &options).await;
    let sql = "SELECT count(*) FROM (SELECT v FROM a UNION ALL SELECT v FROM b) t";
    let plan = plan(&context, sql).await;
    let task = task(&context, &plan, &options);
    let rows = timeout(PATIENCE, collect(plan.clone(), task)).await;
    let rows = rows.expect("in time").expect("readable");
    assert_eq!(number(&rows), 60_000);
    // one of them at least took turns
    assert!(total(&plan, counted::TURNS) >= 1);
    drop((context, source, client));
}

pub(super) fn total(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let own = plan
        .metrics()
        .and_then(|metrics| metrics.sum_by_name(name))
        .map_or(0, |value| value.as_usize());
    let below = plan.children().into_iter().map(|child| total(child, name));
    own + below.sum::<usize>()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_tables_are_read_over_several_connections() {
    let fill = "SELECT i, repeat('y', 300) FROM generate_series(1, 120000) i";
    source_with(
        "t_large",
        &format!(
            "CREATE TABLE plain (id int8, pad text); INSERT INTO plain {fill}; \
             CREATE TABLE parted (id int8, pad text) PARTITION BY RANGE (id); \
             CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (90000); \
             CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (90000) TO (1000000); \
             INSERT INTO parted {fill}; \
             CREATE VIEW seen AS SELECT * FROM plain; \
             CREATE TABLE parent (id int8, pad text); \
             CREATE TABLE child () INHERITS (parent); INSERT INTO child {fill}; \
             VACUUM ANALYZE plain; ANALYZE parted; ANALYZE parent;"
        )
        .replace("VACUUM ANALYZE", "ANALYZE"),
    )
    .await;
    let source = source(&url(), "t_large", 8);
    let options = parallel(3);
    let context = session(&source, &options).await;
    // blocks that the metadata does not know of
    admin()
        .await
        .batch_execute(
            "INSERT INTO t_large.plain SELECT i, repeat('z', 300) \
             FROM generate_series(120001, 150000) i",
        )
        .await
        .expect("more rows");
    for (table, rows, streams) in [
        ("plain", 150_000i64, 3),
        ("parted", 120_000, 3),
        ("seen", 150_000, 1),
        ("parent", 120_000, 1),
    ] {
        let sql = format!("SELECT count(*), sum(id), count(DISTINCT id) FROM {table}");
        let plan = plan(&context, &sql).await;
        let task = task(&context, &plan, &options);
        let result = collect(plan.clone(), task).await.expect("readable");
        let column = |at: usize| result[0].column(at).as_primitive::<Int64Type>().value(0);
        assert_eq!(column(0), rows, "{table}");
        assert_eq!(column(1), rows * (rows + 1) / 2, "{table}");
        assert_eq!(column(2), rows, "{table}");
        assert_eq!(total(&plan, counted::CONNECTIONS), streams, "{table}");
    }
    // with one connection, one stream reads all pieces
    let source = super::source(&url(), "t_large", 1);
    let context = session(&source, &options).await;
    let counted = run(&context, "SELECT count(*) FROM plain", &options).await;
    assert_eq!(number(&counted), 150_000);
}
