//! The embedded Postgres and the generated data, at a tiny scale.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use parquet::file::reader::{FileReader, SerializedFileReader};
use tokio::io::AsyncWriteExt;
use tokio_postgres::{Client, NoTls};

use super::tpch::{LoadOptions, Table, load_postgres, write_delta, write_iceberg, write_parquet};
use super::{EmbeddedPostgres, Progress};

/// A thousandth of TPC-H: 1500 orders.
const TINY: f64 = 0.001;

async fn connect(postgres: &EmbeddedPostgres) -> Client {
    let (client, connection) = tokio_postgres::connect(&postgres.url(), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

async fn count(client: &Client, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    client.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_postgres_speaks_the_protocol_and_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(folder.path()).await.unwrap();
    let client = connect(&postgres).await;

    let row = client
        .query_one("SELECT $1::int4 + 1, $2::text", &[&41, &"é"])
        .await
        .unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get(1)), (42, "é"));

    client
        .batch_execute("CREATE TABLE t (a int, b text)")
        .await
        .unwrap();
    let mut sink = Box::pin(client.copy_in("COPY t FROM STDIN").await.unwrap());
    sink.send(Bytes::from("1\tone\n2\ttwo\n")).await.unwrap();
    assert_eq!(sink.as_mut().finish().await.unwrap(), 2);

    let out = client
        .copy_out("COPY (SELECT a FROM t ORDER BY a) TO STDOUT (FORMAT binary)")
        .await
        .unwrap();
    let bytes: Vec<Bytes> = out.try_collect().await.unwrap();
    let bytes = bytes.concat();
    assert!(bytes.starts_with(b"PGCOPY\n\xff\r\n\0"));
    // Header 19, two tuples of 2 + 4 + 4, trailer 2.
    assert_eq!(bytes.len(), 19 + 2 * 10 + 2);

    let error = client.simple_query("SELECT 1/0").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22012");

    // An open connection does not keep the server from stopping.
    postgres.shutdown().await.unwrap();
    let postgres = EmbeddedPostgres::start(folder.path()).await.unwrap();
    let again = EmbeddedPostgres::start(folder.path()).await;
    assert!(again.is_err(), "two servers share a data folder");
    assert_eq!(count(&connect(&postgres).await, "t").await, 2);
    postgres.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_postgres_serves_one_connection_after_another() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(folder.path()).await.unwrap();
    let first = connect(&postgres).await;

    // The canceller is not kept waiting, the query is not cancelled.
    let cancel = first.cancel_token();
    let (cancelled, slept) = tokio::join!(
        tokio::time::timeout(Duration::from_millis(900), cancel.cancel_query(NoTls)),
        first.simple_query("SELECT pg_sleep(1)")
    );
    cancelled.unwrap().unwrap();
    slept.unwrap();

    let mut waiting = Box::pin(connect(&postgres));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "two connections at a time");
    drop(first);
    let second = waiting.await;
    second
        .batch_execute("CREATE TABLE t AS SELECT generate_series(1, 200000) a")
        .await
        .unwrap();
    drop(second);

    vanish_in_the_middle_of_an_answer(&postgres).await;
    assert_eq!(count(&connect(&postgres).await, "t").await, 200_000);
    postgres.shutdown().await.unwrap();
}

/// A client that asks for many rows, reads none and resets the connection.
async fn vanish_in_the_middle_of_an_answer(postgres: &EmbeddedPostgres) {
    let mut socket = tokio::net::TcpStream::connect(postgres.address())
        .await
        .unwrap();
    let startup = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    assert_eq!(startup.len(), 0x29);
    socket.write_all(startup).await.unwrap();
    socket
        .write_all(b"Q\0\0\0\x14SELECT * FROM t\0")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    drop(socket);
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_tables_with_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = EmbeddedPostgres::start(folder.path()).await.unwrap();
    let mut options = LoadOptions {
        scale: TINY,
        tables: Table::OPERATIONAL.to_vec(),
        connections: 1,
    };
    // Loading replaces: the second time finds the tables of the first.
    for _ in 0..2 {
        let rows = load_postgres(&postgres.url(), &options, &Progress::silent())
            .await
            .unwrap();
        assert_eq!(rows, 5 + 25 + 10 + 150 + 1500);
    }
    let client = connect(&postgres).await;
    for table in Table::OPERATIONAL {
        let expected = table.rows(TINY) as i64;
        assert_eq!(count(&client, table.name()).await, expected, "{table:?}");
    }
    let row = client
        .query_one(
            "SELECT string_agg(contype::text, '' ORDER BY contype),
                    (SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
                       FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0)
               FROM pg_constraint
              WHERE contype IN ('p', 'f') AND connamespace = 'public'::regnamespace",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "ffffppppp");
    assert_eq!(
        row.get::<_, &str>(1),
        "bigint, integer, character(1), numeric(15,2), date, character(15), \
         character(15), integer, character varying(79)"
    );
    drop(client);

    options.tables = Table::ALL.to_vec();
    let error = load_postgres(&postgres.url(), &options, &Progress::silent())
        .await
        .unwrap_err();
    assert_eq!(error.state().code(), "22023");
    postgres.shutdown().await.unwrap();
}

fn parquet_rows(folder: &Path) -> i64 {
    let files = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .map(|path| {
            let file = std::fs::File::open(path).unwrap();
            let reader = SerializedFileReader::new(file).unwrap();
            reader.metadata().file_metadata().num_rows()
        })
        .sum()
}

#[test]
fn delta_table_has_statistics_of_every_file() {
    let folder = tempfile::tempdir().unwrap();
    // Two files.
    let scale = 0.004;
    let rows = write_delta(folder.path(), Table::Lineitem, scale, &Progress::silent()).unwrap();
    assert_eq!(parquet_rows(folder.path()), rows as i64);

    let log = folder.path().join("_delta_log/00000000000000000000.json");
    let actions: Vec<serde_json::Value> = std::fs::read_to_string(log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let statistics: Vec<serde_json::Value> = actions
        .iter()
        .filter_map(|action| action.get("add"))
        .map(|add| serde_json::from_str(add["stats"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(statistics.len(), 2);
    let records: u64 = statistics
        .iter()
        .map(|s| s["numRecords"].as_u64().unwrap())
        .sum();
    assert_eq!(records, rows);
    // Order keys do not overlap between files, so a scan can skip one.
    let (one, two) = (&statistics[0], &statistics[1]);
    assert_eq!(one["minValues"]["l_orderkey"], 1);
    assert!(
        one["maxValues"]["l_orderkey"].as_i64().unwrap()
            < two["minValues"]["l_orderkey"].as_i64().unwrap()
    );
    assert_eq!(one["minValues"]["l_quantity"], 1.0);
    assert_eq!(one["maxValues"]["l_discount"], 0.1);
    assert_eq!(one["maxValues"]["l_returnflag"], "R");
    assert!(
        one["minValues"]["l_shipdate"]
            .as_str()
            .unwrap()
            .starts_with("1992-")
    );
    assert_eq!(one["nullCount"]["l_comment"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn iceberg_table_names_its_files_and_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let progress = Progress::silent();
    let location = write_iceberg(folder.path(), Table::Part, TINY, &progress)
        .await
        .unwrap();
    assert_eq!(parquet_rows(&folder.path().join("data")), 200);

    let io = iceberg::io::FileIO::new_with_fs();
    let metadata = iceberg::spec::TableMetadata::read_from(&io, &location)
        .await
        .unwrap();
    let summary = metadata.current_snapshot().unwrap().summary();
    assert_eq!(summary.additional_properties["total-records"], "200");
    assert_eq!(
        metadata.current_schema().field_id_by_name("p_comment"),
        Some(9)
    );
}

#[test]
fn parquet_files_hold_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let rows = write_parquet(folder.path(), Table::Partsupp, TINY, &Progress::silent()).unwrap();
    assert_eq!(rows, 800);
    assert_eq!(parquet_rows(folder.path()), 800);
}
