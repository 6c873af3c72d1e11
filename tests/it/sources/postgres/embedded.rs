//! The embedded Postgres of the demo, which serves one connection at a time.

use std::time::Duration;

use narrows::sources::TableState;
use pglite_oxide::PgliteServer;

use super::{int8, read, relay, run, scan, source, tables};

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_is_enough() {
    let server = tokio::task::spawn_blocking(PgliteServer::temporary_tcp)
        .await
        .expect("no panic")
        .expect("the embedded server starts");
    let url = server.database_url();
    {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .expect("it answers");
        let task = tokio::spawn(connection);
        client
            .batch_execute(
                "CREATE TYPE mood AS ENUM ('sad'); \
                 CREATE TABLE t AS SELECT i::int8 AS id, i::text AS t, 'sad'::mood AS m \
                 FROM generate_series(1, 20000) i",
            )
            .await
            .expect("valid DDL");
        drop(client);
        let _ = task.await;
    }
    let source = source(&url, "public", 1);
    let tables = tables(&source).await;
    assert!(matches!(tables["t"].state, TableState::Ready(_)));
    let rows = read(&tables["t"]).await.expect("readable");
    assert_eq!(
        rows.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        20_000
    );
    // An end in the middle, then another statement.
    let endless = scan(
        &source,
        "SELECT generate_series(1, 300000::int8)",
        vec![int8("i")],
    );
    let cut = tokio::time::timeout(Duration::from_millis(20), run(&endless)).await;
    assert!(cut.is_err());
    let one = scan(&source, "SELECT 1::int8", vec![int8("i")]);
    let after = tokio::time::timeout(Duration::from_secs(20), run(&one));
    let rows = after.await.expect("in time").expect("readable");
    assert_eq!(rows[0].num_rows(), 1);
    // The relay and the scans take turns on it.
    for _ in 0..2 {
        let mut lease = relay::lease(&source).await;
        for (sql, expected) in [
            ("SELECT count(*) FROM public.t", "20000"),
            // a scan has another one
            ("SHOW DateStyle", "ISO, MDY"),
            ("SHOW search_path", ""),
        ] {
            assert_eq!(relay::value(&mut lease, sql).await, expected, "{sql}");
        }
        lease.release();
        run(&one).await.expect("readable");
    }
    // It stops only once nobody is connected: idle connections go with their source.
    drop((one, endless, tables, source));
    tokio::task::spawn_blocking(move || server.shutdown())
        .await
        .expect("no panic")
        .expect("it stops");
}
