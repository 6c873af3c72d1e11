//! One raw connection of the relay's against a real server: logins, messages,
//! settings, prepared statements, COPY, cancel.

use std::sync::Arc;
use std::time::{Duration, Instant};

use narrows::config::PostgresSource as Declared;
use narrows::error::{Error, SqlState};
use narrows::names::SourceName;
use narrows::sources::postgres::PostgresSource;
use narrows::sources::postgres::relay::{
    Applied, Connection, Ensured, Lease, Report, Role, TransactionStatus, UpstreamSettings,
};

use super::{admin, declared, url, with_user};

pub fn relay(declared: Declared) -> Arc<PostgresSource> {
    PostgresSource::new(SourceName::new("shop"), &declared).expect("a valid source")
}

/// A writable source with this many connections.
pub fn writable(max_connections: usize) -> Arc<PostgresSource> {
    relay(Declared {
        writable: true,
        ..declared(&url(), "shop", max_connections)
    })
}

pub fn settings(pairs: &[(&str, &str)]) -> Arc<UpstreamSettings> {
    UpstreamSettings::new(pairs.iter().copied()).expect("valid settings")
}

pub async fn lease_with(source: &PostgresSource, pairs: &[(&str, &str)]) -> Result<Lease, Error> {
    source
        .relay()
        .lease(Role::default(), &settings(pairs))
        .await
}

pub async fn lease(source: &PostgresSource) -> Lease {
    lease_with(source, &[]).await.expect("a connection")
}

/// Everything up to ReadyForQuery: the first columns of rows as text, and the
/// SQLSTATE of an error.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    pub rows: Vec<String>,
    pub tags: Vec<String>,
    pub error: String,
    pub kinds: String,
}

pub async fn answer(connection: &mut Connection) -> Result<Answer, Error> {
    let mut answer = Answer::default();
    loop {
        while let Some(frame) = connection.next()? {
            let body = connection.body(frame);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            answer.kinds.push(frame.kind as char);
            match frame.kind {
                b'D' => answer.rows.push(text(body.get(6..).unwrap_or_default())),
                b'C' => answer.tags.push(text(&body[..body.len() - 1])),
                b'E' => answer.error = Report::new(body).code().into(),
                b'Z' => return Ok(answer),
                _ => {}
            }
        }
        connection.receive().await?;
    }
}

pub async fn run(connection: &mut Connection, sql: &str) -> Answer {
    connection.query(sql);
    answer(connection).await.expect("the connection lives")
}

pub async fn value(connection: &mut Connection, sql: &str) -> String {
    let answer = run(connection, sql).await;
    assert_eq!(answer.error, "", "{sql}");
    answer.rows.into_iter().next().expect("a row")
}

/// A Bind without parameters, all in text.
const NOTHING: &[u8] = &[0, 0, 0, 0, 0, 0];

#[tokio::test]
async fn both_protocols_reach_the_source() {
    let source = writable(1);
    let mut lease = lease(&source).await;
    assert!(lease.server_version() >= 150_000);
    let own = value(&mut lease, "SELECT pg_backend_pid()").await;
    assert_eq!(own, lease.process().to_string());
    let several = run(&mut lease, "SELECT 1; SELECT 2; SELECT 1/0; SELECT 3").await;
    assert_eq!(
        (several.rows, several.error),
        (vec!["1".into(), "2".into()], "22012".into())
    );
    for (name, base) in [
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("search_path", ""),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, MDY"),
        ("client_connection_check_interval", "5s"),
    ] {
        assert_eq!(
            value(&mut lease, &format!("SHOW {name}")).await,
            base,
            "{name}"
        );
    }
    lease.parse("", "SELECT $1 || 'x'", &[25]);
    lease.describe_statement("");
    lease.bind("", "", &[0, 0, 0, 1, 0, 0, 0, 2, b'a', b'b', 0, 0]);
    lease.execute("", 0);
    lease.sync();
    let extended = answer(&mut lease).await.expect("alive");
    assert_eq!(extended.kinds, "1tT2DCZ");
    assert_eq!(extended.rows, ["abx"]);
    // an error skips to Sync; what follows works
    lease.parse("", "SELECT nonsense", &[]);
    lease.execute("", 0);
    lease.sync();
    let failed = answer(&mut lease).await.expect("alive");
    assert_eq!(
        (failed.kinds.as_str(), failed.error.as_str()),
        ("EZ", "42703")
    );
    assert_eq!(run(&mut lease, "BEGIN").await.tags, ["BEGIN"]);
    assert_eq!(lease.status(), TransactionStatus::InTransaction);
    run(&mut lease, "SELECT 1/0").await;
    assert_eq!(lease.status(), TransactionStatus::Failed);
    lease.release();
}

#[tokio::test]
async fn logins_are_as_the_url_says() {
    let client = admin().await;
    client
        .batch_execute(
            "DROP ROLE IF EXISTS t_relay_scram; \
             CREATE ROLE t_relay_scram LOGIN PASSWORD 'pässwörd %&'",
        )
        .await
        .expect("valid DDL");
    let known = with_user(&url(), "t_relay_scram", "p%C3%A4ssw%C3%B6rd%20%25%26");
    let user = |url: String| async move {
        let source = relay(declared(&url, "shop", 1));
        let mut lease = lease_with(&source, &[]).await?;
        Ok::<_, Error>(value(&mut lease, "SELECT current_user").await)
    };
    let scram = format!("{known}?require_auth=scram-sha-256&channel_binding=prefer");
    assert_eq!(user(scram).await.expect("let in"), "t_relay_scram");
    for (url, expected) in [
        (
            with_user(&url(), "t_relay_scram", "wrong"),
            "password authentication failed",
        ),
        (format!("{known}?require_auth=md5"), "require_auth forbids"),
        (
            format!("{known}?channel_binding=require&sslmode=disable"),
            "channel_binding requires",
        ),
    ] {
        let error = user(url).await.expect_err("refused");
        assert_eq!(error.state(), SqlState::UNABLE_TO_CONNECT);
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.log_text().contains("wrong"), "{}", error.log_text());
    }
}

#[tokio::test]
async fn hosts_are_tried_in_order_until_one_fits() {
    let port = url::Url::parse(&url())
        .expect("a URL")
        .port()
        .expect("a port");
    let here = format!("127.0.0.1:{port}");
    let several = |options: &str| {
        let dead = format!("127.0.0.1:1,{here}");
        format!(
            "{}?connect_timeout=5&{options}",
            url().replace(&here, &dead)
        )
    };
    for (options, expected) in [
        ("", None),
        ("load_balance_hosts=random", None),
        ("target_session_attrs=any", None),
        ("target_session_attrs=primary", None),
        ("target_session_attrs=read-write", None),
        ("target_session_attrs=prefer-standby", None),
        ("target_session_attrs=standby", Some("it is not a standby")),
        (
            "target_session_attrs=read-only",
            Some("it is not read-only"),
        ),
    ] {
        let source = relay(Declared {
            writable: true,
            ..declared(&several(options), "shop", 1)
        });
        match (lease_with(&source, &[]).await, expected) {
            (Ok(mut lease), None) => assert_eq!(value(&mut lease, "SELECT 1").await, "1"),
            (Err(error), Some(expected)) => {
                assert_eq!(error.state(), SqlState::UNABLE_TO_CONNECT);
                let detail = error.detail().expect("what each host said");
                assert!(
                    detail.contains("refused") && detail.contains(expected),
                    "{detail}"
                );
            }
            (other, _) => panic!("{options}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn prepared_statements_are_shared_and_bounded() {
    let source = writable(1);
    let mut lease = lease(&source).await;
    let none = settings(&[]);
    let first = source.relay().statement("SELECT 'first'", &[], &none);
    for i in 0..300 {
        let statement = source.relay().statement(&format!("SELECT {i}"), &[], &none);
        let ensured = [lease.ensure(&statement), lease.ensure(&statement)];
        assert_eq!(ensured, [Ensured::Sent, Ensured::Known]);
        assert_eq!(lease.prepare(&first) == Ensured::Sent, i == 0);
        lease.bind("", statement.name(), NOTHING);
        lease.execute("", 0);
        lease.close_kept();
        lease.sync();
        let answer = answer(&mut lease).await.expect("alive");
        // one ParseComplete and one CloseComplete: what the client asked for
        assert_eq!(
            (answer.kinds.as_str(), answer.rows),
            ("12DC3Z", vec![i.to_string()])
        );
    }
    let count = "SELECT count(*) FROM pg_catalog.pg_prepared_statements";
    assert_eq!(value(&mut lease, count).await, "256");
    let gone = source.relay().statement("SELECT 0", &[], &none);
    assert_eq!(lease.ensure(&gone), Ensured::Sent);
    let bad = source.relay().statement("SELECT nonsense", &[], &none);
    assert_eq!(lease.ensure(&bad), Ensured::Sent);
    lease.sync();
    assert_eq!(answer(&mut lease).await.expect("alive").error, "42703");
    assert_eq!(lease.ensure(&gone), Ensured::Known);
    assert_eq!(lease.ensure(&bad), Ensured::Sent);
    lease.sync();
    answer(&mut lease).await.expect("alive");
    // what somebody else's statement threw away is parsed again
    assert_eq!(
        run(&mut lease, "DEALLOCATE ALL").await.tags,
        ["DEALLOCATE ALL"]
    );
    assert_eq!(lease.ensure(&gone), Ensured::Sent);
    lease.sync();
    assert_eq!(answer(&mut lease).await.expect("alive").error, "");
}

#[tokio::test]
async fn settings_are_replayed_when_they_differ() {
    let source = writable(1);
    let tokyo = [
        ("TimeZone", "Asia/Tokyo"),
        ("search_path", "\"Odd, \"\"One\"\"\", public"),
    ];
    let mut lease = lease_with(&source, &tokyo).await.expect("known settings");
    let process = lease.process();
    assert_eq!(value(&mut lease, "SHOW TimeZone").await, "Asia/Tokyo");
    let path = value(&mut lease, "SELECT current_setting('search_path')").await;
    assert_eq!(path, r#""Odd, ""One""", public"#);
    let hostile = r"x'; DROP TABLE t; -- \' $$ %";
    let wanted = settings(&[("application_name", hostile), ("search_path", "")]);
    assert_eq!(lease.apply(&wanted), Applied::Sent);
    assert_eq!(lease.apply(&wanted), Applied::Same);
    assert_eq!(value(&mut lease, "SHOW application_name").await, hostile);
    assert_eq!(value(&mut lease, "SHOW TimeZone").await, "UTC");
    lease.release();
    // A value that the source does not take: its error, and nothing has run.
    let error = lease_with(&source, &[("TimeZone", "Nowhere/Land")]).await;
    let error = error.expect_err("unknown there");
    assert_eq!(error.state(), SqlState::INVALID_PARAMETER_VALUE);
    let mut lease = lease_with(&source, &[("TimeZone", "Asia/Tokyo")])
        .await
        .expect("again");
    assert_eq!(lease.process(), process);
    assert_eq!(value(&mut lease, "SHOW TimeZone").await, "Asia/Tokyo");
    // In a transaction that is rolled back, what was applied is not believed.
    run(&mut lease, "BEGIN").await;
    lease.apply(&settings(&[("TimeZone", "Europe/Paris")]));
    assert_eq!(value(&mut lease, "SHOW TimeZone").await, "Europe/Paris");
    run(&mut lease, "ROLLBACK").await;
    assert_eq!(lease.taint_reason(), None);
    lease.release();
    let mut lease = lease_with(&source, &[("TimeZone", "Europe/Paris")])
        .await
        .expect("again");
    assert_eq!(lease.process(), process);
    assert_eq!(value(&mut lease, "SHOW TimeZone").await, "Europe/Paris");
}

#[tokio::test]
async fn copies_flow_both_ways() {
    let source = writable(1);
    let mut lease = lease(&source).await;
    let sql = "CREATE TEMP TABLE t (id int, v text); COPY t FROM STDIN";
    lease.query(sql);
    let mut kinds = String::new();
    while !kinds.contains('G') {
        lease.receive().await.expect("alive");
        while let Some(frame) = lease.next().expect("well-formed") {
            kinds.push(frame.kind as char);
        }
    }
    let line = format!("1\t{}\n", "x".repeat(1000));
    for _ in 0..20_000 {
        lease.copy_data(line.as_bytes());
        if lease.out().len() > 1 << 20 {
            lease.exchange().await.expect("alive");
        }
    }
    lease.copy_done();
    assert_eq!(
        answer(&mut lease).await.expect("alive").tags,
        ["COPY 20000"]
    );
    lease.query("COPY t TO STDOUT");
    let (mut bytes, mut done) = (0, false);
    while !done {
        lease.receive().await.expect("alive");
        loop {
            let bulk = lease.bulk().expect("rows");
            bytes += bulk.len;
            match lease.next().expect("well-formed") {
                Some(frame) => done = frame.kind == b'Z',
                None if bulk.len == 0 => break,
                None => {}
            }
        }
    }
    assert_eq!(bytes, 20_000 * (line.len() + 5));
}

#[tokio::test]
async fn cancel_hits_what_runs_and_nothing_else() {
    let source = writable(1);
    let mut lease = lease(&source).await;
    let canceller = lease.canceller();
    canceller
        .cancel()
        .await
        .expect("an idle cancel is harmless");
    let mut times = Vec::new();
    for _ in 0..100 {
        lease.query("SELECT pg_sleep(20)");
        lease.flush().await;
        let start = Instant::now();
        let stopped = canceller
            .cancel_until(answer(&mut lease))
            .await
            .expect("alive");
        times.push(start.elapsed());
        assert_eq!(stopped.error, "57014");
        assert_eq!(value(&mut lease, "SELECT 1").await, "1");
    }
    times.sort();
    assert!(
        times[98] < Duration::from_millis(200),
        "p99 {:?}",
        times[98]
    );
}
