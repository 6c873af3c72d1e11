//! The relay's connections together: the cap that they share with scans, what
//! comes back clean, and what is closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use narrows::config::{PostgresSource as Declared, Secret, UpstreamRole};
use narrows::error::SqlState;
use narrows::sources::postgres::relay::{Role, TransactionStatus};
use tokio::time::{sleep, timeout};

use super::relay::{answer, lease, lease_with, relay, run, settings, value, writable};
use super::{admin, declared, int8, scan, url};

fn with_application(name: &str, max_connections: usize) -> Declared {
    let url = format!("{}?application_name={name}", url());
    Declared {
        writable: true,
        ..declared(&url, "shop", max_connections)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_holds_for_all_kinds_and_ends() {
    let source = relay(with_application("t_relay_cap", 4));
    let admin = admin().await;
    let tasks: Vec<_> = (0..50)
        .map(|i| {
            let source = source.clone();
            tokio::spawn(async move {
                for round in 0..6 {
                    match (i + round) % 6 {
                        0 => {
                            let one = scan(&source, "SELECT 1::int8", vec![int8("i")]);
                            super::run(&one).await.expect("readable");
                        }
                        1 => {
                            let mut lease = lease(&source).await;
                            run(&mut lease, "SELECT 1/0").await;
                            lease.release();
                        }
                        2 => {
                            let mut lease = lease(&source).await;
                            lease.query("SELECT pg_sleep(30)");
                            lease.flush().await;
                            drop(lease);
                        }
                        3 => {
                            let mut lease = lease(&source).await;
                            run(&mut lease, "BEGIN").await;
                            assert_eq!(value(&mut lease, "SELECT 1").await, "1");
                            lease.release();
                        }
                        _ => {
                            let zone = ["UTC", "Asia/Tokyo", "Europe/Paris"][i % 3];
                            let wanted = [("TimeZone", zone)];
                            let mut lease = lease_with(&source, &wanted).await.expect("free");
                            assert_eq!(value(&mut lease, "SHOW TimeZone").await, zone);
                            assert_eq!(lease.status(), TransactionStatus::Idle);
                            lease.release();
                        }
                    }
                }
            })
        })
        .collect();
    let mut most = 0;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 't_relay_cap'";
    let count = async || -> i64 { admin.query_one(sql, &[]).await.expect("answers").get(0) };
    let start = Instant::now();
    while !tasks.iter().all(|task| task.is_finished()) {
        most = most.max(count().await);
        assert!(start.elapsed() < Duration::from_secs(60), "stuck");
        sleep(Duration::from_millis(3)).await;
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    assert!((1..=4).contains(&most), "{most} connections");
    // All four places are there afterwards.
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(
            timeout(Duration::from_secs(10), lease(&source))
                .await
                .expect("free"),
        );
    }
    assert!(count().await <= 4);
}

#[tokio::test]
async fn nothing_of_one_user_is_left_for_the_next() {
    let source = writable(1);
    let mut process = 0;
    for (sql, tainted) in [
        ("SELECT 1", false),
        ("SELECT set_config('TimeZone', 'Asia/Tokyo', false)", true),
        ("SET work_mem = '1MB'", true),
        ("LISTEN t_relay", true),
        ("PREPARE leaked AS SELECT 1", true),
        (
            "BEGIN; SELECT set_config('TimeZone', 'Asia/Tokyo', true)",
            true,
        ),
        ("BEGIN; CREATE TEMP TABLE leaked (i int)", false),
        ("BEGIN; SELECT 1/0", false),
        ("SELECT 1/0", false),
    ] {
        let mut lease = lease(&source).await;
        assert!(
            process == 0 || lease.process() == process,
            "{sql}: a new connection"
        );
        process = lease.process();
        run(&mut lease, sql).await;
        assert_eq!(lease.taint_reason().is_some(), tainted, "{sql}");
        lease.release();
        let mut next = super::relay::lease(&source).await;
        assert_eq!(next.process(), process, "{sql}");
        for (sql, expected) in [
            ("SHOW TimeZone", "UTC"),
            ("SHOW client_connection_check_interval", "5s"),
            ("SELECT count(*) FROM pg_prepared_statements", "0"),
            ("SELECT count(*) FROM pg_listening_channels()", "0"),
            (
                "SELECT count(*) FROM pg_class WHERE relname = 'leaked'",
                "0",
            ),
            (
                "SELECT (SELECT setting = boot_val FROM pg_settings WHERE name = 'work_mem')",
                "t",
            ),
        ] {
            assert_eq!(value(&mut next, sql).await, expected, "{sql}");
        }
        next.release();
    }
}

#[tokio::test]
async fn what_is_dropped_is_cancelled_and_its_place_comes_back() {
    let source = relay(with_application("t_relay_drop", 1));
    let admin = admin().await;
    let active = "SELECT count(*) FROM pg_stat_activity \
                  WHERE application_name = 't_relay_drop' AND state = 'active'";
    for how in ["drop", "release"] {
        let mut lease = lease(&source).await;
        lease.query("SELECT pg_sleep(60)");
        lease.flush().await;
        sleep(Duration::from_millis(50)).await;
        let start = Instant::now();
        match how {
            "drop" => drop(lease),
            _ => lease.release(),
        }
        while admin
            .query_one(active, &[])
            .await
            .expect("answers")
            .get::<_, i64>(0)
            > 0
        {
            assert!(
                start.elapsed() < Duration::from_secs(1),
                "{how}: still running"
            );
            sleep(Duration::from_millis(5)).await;
        }
        let next = timeout(Duration::from_secs(2), super::relay::lease(&source)).await;
        let mut next = next.expect("its place is free");
        assert_eq!(value(&mut next, "SELECT 1").await, "1");
        next.release();
    }
}

#[tokio::test]
async fn connections_that_ended_are_not_given_out() {
    let source = writable(2);
    let admin = admin().await;
    let (one, two) = (lease(&source).await, lease(&source).await);
    let gone = [one.process(), two.process()];
    one.release();
    two.release();
    for process in gone {
        let process = process as i32;
        admin
            .execute("SELECT pg_terminate_backend($1)", &[&process])
            .await
            .expect("ended");
    }
    sleep(Duration::from_millis(200)).await;
    let mut fresh = lease(&source).await;
    assert!(!gone.contains(&fresh.process()));
    // The end in the middle of a statement is told, and the place comes back.
    let process = fresh.process() as i32;
    fresh.query("SELECT pg_sleep(30)");
    let (answered, _) = tokio::join!(answer(&mut fresh), async {
        sleep(Duration::from_millis(100)).await;
        admin
            .execute("SELECT pg_terminate_backend($1)", &[&process])
            .await
            .expect("ended");
    });
    let error = answered.expect_err("the connection ended");
    assert_eq!(error.state(), SqlState::CONNECTION_FAILURE);
    assert!(error.message().contains("\"shop\""));
    assert!(fresh.is_dead());
    fresh.release();
    let mut again = lease(&source).await;
    assert_eq!(value(&mut again, "SELECT 1").await, "1");
}

#[tokio::test]
async fn waiting_is_first_come_first_served() {
    let source = writable(1);
    let held = lease(&source).await;
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for i in 0..8 {
        let (source, order) = (source.clone(), order.clone());
        tasks.push(tokio::spawn(async move {
            let lease = lease(&source).await;
            order.lock().expect("whole").push(i);
            lease.release();
        }));
        sleep(Duration::from_millis(5)).await;
    }
    held.release();
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(*order.lock().expect("whole"), (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn settings_and_roles_have_connections_of_their_own() {
    admin()
        .await
        .batch_execute(
            "DROP ROLE IF EXISTS t_relay_role; CREATE ROLE t_relay_role LOGIN PASSWORD 'pw'",
        )
        .await
        .expect("valid DDL");
    let role = UpstreamRole {
        user: "t_relay_role".into(),
        password: Some(Secret::new("pw")),
    };
    let source = relay(Declared {
        roles: BTreeMap::from([("analyst".to_string(), role)]),
        ..with_application("t_relay_roles", 3)
    });
    let relay = source.relay();
    assert!(relay.has_own_role("analyst") && !relay.has_own_role("another"));
    assert_eq!(relay.role("another"), Role::default());
    let (utc, tokyo) = (settings(&[]), settings(&[("TimeZone", "Asia/Tokyo")]));
    let leases = [
        (relay.role("analyst"), &utc, "t_relay_role"),
        (Role::default(), &utc, "postgres"),
        (Role::default(), &tokyo, "postgres"),
    ];
    let mut processes = Vec::new();
    let mut held = Vec::new();
    for (role, settings, user) in &leases {
        let mut lease = relay.lease(*role, settings).await.expect("free");
        assert_eq!(value(&mut lease, "SELECT current_user").await, *user);
        processes.push(lease.process());
        held.push(lease);
    }
    held.into_iter().for_each(|lease| lease.release());
    // In any order, each finds the one that is ready for it.
    for i in [2, 0, 1, 1, 2, 0] {
        let (role, settings, _) = leases[i];
        let lease = relay.lease(role, settings).await.expect("free");
        assert_eq!(lease.process(), processes[i]);
        lease.release();
    }
    // A scan takes the place of an idle one.
    let one = scan(&source, "SELECT 1::int8", vec![int8("i")]);
    super::run(&one).await.expect("readable");
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 't_relay_roles'";
    let count: i64 = admin()
        .await
        .query_one(sql, &[])
        .await
        .expect("answers")
        .get(0);
    assert!(count <= 3, "{count}");
}

#[tokio::test]
async fn a_source_that_is_not_writable_is_not_written() {
    let source = relay(declared(&url(), "shop", 1));
    let mut lease = lease(&source).await;
    for sql in [
        "CREATE TABLE public.t_relay_written (i int)",
        "WITH made AS (SELECT 1) SELECT nextval('nothing')",
        "BEGIN; SELECT 1; SET TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', false)",
    ] {
        let answer = run(&mut lease, sql).await;
        assert_ne!(answer.error, "", "{sql}");
        if lease.status() != TransactionStatus::Idle {
            run(&mut lease, "ROLLBACK").await;
        }
    }
    let off = "SELECT set_config('default_transaction_read_only', 'off', false)";
    run(&mut lease, off).await;
    assert_eq!(lease.taint_reason(), Some("a setting changed"));
    lease.release();
    let mut next = super::relay::lease(&source).await;
    assert_eq!(
        value(&mut next, "SHOW default_transaction_read_only").await,
        "on"
    );
}
