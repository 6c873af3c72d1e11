//! The connections to a source: capped, reused, and errors when there are none.

use std::time::Duration;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int32Type;
use narrows::error::SqlState;
use narrows::sources::Source;
use narrows::types::PgType;

use super::{admin, int8, run, scan, source, source_with, url, with_user};

#[tokio::test]
async fn connections_stay_below_the_cap_and_come_back() {
    source_with("t_cap", "").await;
    let source = source(&with_application(&url(), "t_cap"), "t_cap", 3);
    let admin = admin().await;
    let count = async || -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 't_cap'";
        admin.query_one(sql, &[]).await.expect("answers").get(0)
    };
    let scans: Vec<_> = (0..20)
        .map(|i| {
            // every end there is: success, error, dropped
            let sql = match i % 3 {
                0 => "SELECT 1::int8 FROM pg_sleep(0.1)",
                1 => "SELECT 1::int8 / 0 FROM pg_sleep(0.1)",
                _ => "SELECT 1::int8 FROM pg_sleep(60)",
            };
            let scan = scan(&source, sql, vec![int8("i")]);
            tokio::spawn(async move {
                tokio::time::timeout(Duration::from_secs(20), async {
                    match i % 3 {
                        2 => {
                            let short = Duration::from_millis(300);
                            tokio::time::timeout(short, run(&scan)).await.is_err()
                        }
                        _ => run(&scan).await.is_ok() == (i % 3 == 0),
                    }
                })
                .await
            })
        })
        .collect();
    let mut most = 0;
    while !scans.iter().all(|scan| scan.is_finished()) {
        most = most.max(count().await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!((1..=3).contains(&most), "{most} connections");
    for scan in scans {
        assert!(scan.await.expect("no panic").expect("in time"));
    }
    let scan = scan(&source, "SELECT 7::int8", vec![int8("i")]);
    assert_eq!(
        run(&scan).await.expect("a connection is free")[0].num_rows(),
        1
    );
}

fn with_application(url: &str, name: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}application_name={name}")
}

#[tokio::test]
async fn connections_are_reused_and_dead_ones_replaced() {
    source_with("t_reuse", "").await;
    let source = source(&url(), "t_reuse", 1);
    let admin = admin().await;
    let pid = async || {
        let field = PgType::INT4.field("pid", true).expect("int4 has a carrier");
        let scan = scan(&source, "SELECT pg_backend_pid()", vec![field]);
        let rows = run(&scan).await.expect("readable");
        rows[0].column(0).as_primitive::<Int32Type>().value(0)
    };
    let first = pid().await;
    assert_eq!(pid().await, first);
    admin
        .execute("SELECT pg_terminate_backend($1)", &[&first])
        .await
        .expect("ended");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_ne!(pid().await, first);
}

#[tokio::test]
async fn a_source_that_fails_says_so_without_secrets() {
    let refused = "postgres://reader:hunter2@127.0.0.1:1/shop".to_string();
    let wrong_user = with_user(&url(), "nobody_here", "hunter2");
    let no_tls = format!("{}?sslmode=require", url());
    for address in [refused, wrong_user, no_tls] {
        let error = source(&address, "t_down", 1)
            .discover()
            .await
            .expect_err("unreachable");
        assert_eq!(error.state(), SqlState::UNABLE_TO_CONNECT);
        assert!(error.message().contains("\"t_down\""), "{error}");
        assert!(
            !error.log_text().contains("hunter2"),
            "{}",
            error.log_text()
        );
    }
}

#[tokio::test]
async fn a_source_that_never_answers_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = silent.local_addr().expect("bound");
    let url = format!("postgres://u:p@{address}/d?connect_timeout=1");
    let source = source(&url, "t_silent", 1);
    let answer = tokio::time::timeout(Duration::from_secs(5), source.discover()).await;
    let error = answer.expect("in time").expect_err("unreachable");
    assert_eq!(error.state(), SqlState::UNABLE_TO_CONNECT);
}
