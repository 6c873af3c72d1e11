//! The embedded Postgres and the generated data, at a tiny scale.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use tokio_postgres::NoTls;

use super::tpch::{LoadOptions, Table, load_postgres, write_delta, write_iceberg, write_parquet};
use super::{EmbeddedPostgres, Progress};

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let t = Instant::now();
    let pg = EmbeddedPostgres::start(folder.path()).await.unwrap();
    eprintln!("start {:?}", t.elapsed());
    let t = Instant::now();
    let c = connect(&pg.url()).await;
    eprintln!("connect {:?}", t.elapsed());
    let t = Instant::now();
    for sql in [
        "select version()",
        "select current_database(), current_user, pg_backend_pid()",
        "show max_connections",
        "show shared_buffers",
        "show TimeZone",
        "show server_encoding",
        "show lc_collate",
        "select datcollate, datctype, datlocprovider from pg_database where datname=current_database()",
        "show statement_timeout",
        "select datname from pg_database",
    ] {
        match c.simple_query(sql).await {
            Ok(m) => eprintln!(
                "{sql}: {:?}",
                m.iter()
                    .filter_map(|m| if let tokio_postgres::SimpleQueryMessage::Row(r) = m {
                        Some(
                            (0..r.len())
                                .map(|i| r.get(i).unwrap_or("NULL").to_string())
                                .collect::<Vec<_>>(),
                        )
                    } else {
                        None
                    })
                    .collect::<Vec<_>>()
            ),
            Err(e) => eprintln!("{sql}: ERR {e:?}"),
        }
    }
    eprintln!("queries {:?}", t.elapsed());
    // extended
    let row = c
        .query_one("select $1::int4 + 1, $2::text", &[&41i32, &"é"])
        .await
        .unwrap();
    eprintln!(
        "ext {:?} {:?}",
        row.get::<_, i32>(0),
        row.get::<_, String>(1)
    );
    // copy in binary + text
    c.batch_execute("create table t(a int, b text); insert into t select i, repeat('x', 100)||i from generate_series(1, 50000) i").await.unwrap();
    for sql in [
        "COPY t TO STDOUT (FORMAT binary)",
        "COPY (select * from t where a < 10) TO STDOUT (FORMAT binary)",
        "COPY t TO STDOUT",
    ] {
        let t = Instant::now();
        let r: Result<Vec<Bytes>, _> = async { c.copy_out(sql).await?.try_collect().await }.await;
        match r {
            Ok(v) => eprintln!(
                "{sql}: {} chunks {} bytes {:?}",
                v.len(),
                v.iter().map(|b| b.len()).sum::<usize>(),
                t.elapsed()
            ),
            Err(e) => eprintln!("{sql}: ERR {e:?}"),
        }
    }
    let t = Instant::now();
    let r: Result<u64, tokio_postgres::Error> = async {
        let s = c
            .copy_in::<_, Bytes>("COPY t FROM STDIN (FORMAT csv)")
            .await?;
        let mut s = std::pin::pin!(s);
        s.send(Bytes::from("1,a\n2,b\n")).await?;
        s.as_mut().finish().await
    }
    .await;
    eprintln!("copy in csv: {r:?} {:?}", t.elapsed());
    // snapshot, cursor, transactions
    for sql in [
        "begin isolation level repeatable read read only; select pg_export_snapshot(); commit",
        "begin; declare x cursor for select * from t; fetch 3 from x; commit",
        "select 1/0",
        "set statement_timeout = 300; select pg_sleep(1)",
        "reset statement_timeout; select 1",
        "create temp table q(a int); select * from q",
        "select count(*) from pg_class",
        "create extension if not exists plpgsql; do $$ begin raise notice 'hi'; end $$",
        "select ctid from t limit 1",
        "prepare p as select 1; execute p",
    ] {
        let t = Instant::now();
        let r = tokio::time::timeout(Duration::from_secs(20), c.simple_query(sql)).await;
        eprintln!(
            "{sql}: {} {:?}",
            match r {
                Ok(Ok(m)) => format!("ok {}", m.len()),
                Ok(Err(e)) => format!("ERR {e:?}"),
                Err(_) => "TIMEOUT".into(),
            },
            t.elapsed()
        );
    }
    // cancel
    let token = c.cancel_token();
    let t = Instant::now();
    let q = c.simple_query("select count(*) from generate_series(1, 3000000)");
    let (q, k) = tokio::join!(q, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        token.cancel_query(NoTls).await
    });
    eprintln!(
        "cancel: query {:?} cancel {k:?} {:?}",
        q.map(|m| m.len()),
        t.elapsed()
    );
    // second connection waits
    let url = pg.url();
    let second = tokio::spawn(async move {
        let t = Instant::now();
        let c = connect(&url).await;
        (t.elapsed(), c.simple_query("select 2").await.is_ok())
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    eprintln!("second finished early: {}", second.is_finished());
    drop(c);
    eprintln!(
        "second: {:?}",
        tokio::time::timeout(Duration::from_secs(20), second).await
    );
    // rude client: drop mid result
    {
        use tokio::io::AsyncWriteExt;
        let mut s = tokio::net::TcpStream::connect(pg.address()).await.unwrap();
        let mut p = vec![0, 0, 0, 0, 0, 3, 0, 0];
        p.extend_from_slice(b"user\0postgres\0database\0postgres\0\0");
        let n = p.len() as u32;
        p[..4].copy_from_slice(&n.to_be_bytes());
        s.write_all(&p).await.unwrap();
        let sql = b"select * from t\0";
        let mut q = vec![b'Q'];
        q.extend_from_slice(&(sql.len() as u32 + 4).to_be_bytes());
        q.extend_from_slice(sql);
        s.write_all(&q).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        drop(s);
    }
    let t = Instant::now();
    let c = connect(&pg.url()).await;
    eprintln!(
        "after rude: {:?} {:?}",
        c.query_one("select count(*) from t", &[])
            .await
            .map(|r| r.get::<_, i64>(0)),
        t.elapsed()
    );
    // rude in the middle of COPY IN
    {
        let s = c.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap();
        let mut s = std::pin::pin!(s);
        s.send(Bytes::from("1\ta\n2\tb\n")).await.unwrap();
    }
    eprintln!(
        "after copyfail: {:?}",
        c.query_one("select count(*) from t", &[])
            .await
            .map(|r| r.get::<_, i64>(0))
    );
    let t = Instant::now();
    pg.shutdown().await.unwrap();
    eprintln!("shutdown {:?}", t.elapsed());
    let t = Instant::now();
    let pg = EmbeddedPostgres::start(folder.path()).await.unwrap();
    eprintln!("restart {:?}", t.elapsed());
    let c = connect(&pg.url()).await;
    eprintln!(
        "persisted: {:?} {:?}",
        c.query_one("select count(*) from t", &[])
            .await
            .map(|r| r.get::<_, i64>(0)),
        t.elapsed()
    );
    drop(c);
    pg.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_data() {
    let root = std::path::Path::new("/tmp/demo-probe");
    let _ = std::fs::remove_dir_all(root);
    let scale = 0.01;
    let progress = Progress::on_stderr();
    let t = Instant::now();
    let n = {
        let (p, progress) = (root.join("lake/lineitem"), progress.clone());
        tokio::task::spawn_blocking(move || write_delta(&p, Table::Lineitem, scale, &progress))
            .await
            .unwrap()
            .unwrap()
    };
    eprintln!("lineitem {n} {:?}", t.elapsed());
    let t = Instant::now();
    let m = write_iceberg(&root.join("ice/part"), Table::Part, scale, &progress)
        .await
        .unwrap();
    eprintln!("part {m} {:?}", t.elapsed());
    let t = Instant::now();
    let n = write_parquet(
        &root.join("files/partsupp"),
        Table::Partsupp,
        scale,
        &progress,
    )
    .unwrap();
    eprintln!("partsupp {n} {:?}", t.elapsed());
    let t = Instant::now();
    let pg = EmbeddedPostgres::start(&root.join("postgres"))
        .await
        .unwrap();
    let n = load_postgres(
        &pg.url(),
        &LoadOptions {
            scale,
            tables: Table::OPERATIONAL.to_vec(),
            connections: 1,
        },
        &progress,
    )
    .await
    .unwrap();
    eprintln!("postgres {n} {:?}", t.elapsed());
    let n = load_postgres(
        &pg.url(),
        &LoadOptions {
            scale: 0.001,
            tables: Table::ALL.to_vec(),
            connections: 1,
        },
        &progress,
    )
    .await
    .unwrap();
    eprintln!("postgres all {n} {:?}", t.elapsed());
    pg.shutdown().await.unwrap();
}
