//! REST catalogs that are strict, large, busy or broken, played by a small server.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{Answer, Http, Request};
use super::{failure, lines, versions};
use crate::fixture::{environment, run};
use crate::wire::running::{Running, start};

/// A table that pyiceberg wrote, as loadTable tells it.
struct Table {
    place: String,
    metadata: Value,
    _folder: tempfile::TempDir,
}

fn table() -> Option<Arc<Table>> {
    let (folder, written) = versions(&environment()?);
    let place = written["table"].as_str().expect("a place").to_string();
    let file = place.trim_start_matches("file://");
    let metadata = std::fs::read_to_string(file).expect("metadata");
    Some(Arc::new(Table {
        metadata: serde_json::from_str(&metadata).expect("JSON"),
        place,
        _folder: folder,
    }))
}

fn good(body: Value) -> Answer {
    (200, Vec::new(), body.to_string())
}

fn bad(status: u16, message: &str) -> Answer {
    let body = json!({"error": {"message": message, "type": "x", "code": status}});
    (status, Vec::new(), body.to_string())
}

fn load(table: &Table) -> Answer {
    good(json!({"metadata-location": table.place, "metadata": table.metadata, "config": {}}))
}

fn server(http: &Http, catalog: &str) -> Running {
    start(&format!(
        "[limits]\nmetadata_ttl = \"1h\"\n[sources.ice]\nkind = \"iceberg\"\nnamespaces = {{ sales = \"ice\" }}\n\
         catalog = {{ type = \"rest\", uri = \"{}/api\", {catalog} }}\n",
        http.url()
    ))
}

fn names(names: &[&str]) -> Answer {
    let names = names
        .iter()
        .map(|name| json!({"namespace": ["sales"], "name": name}));
    good(json!({"identifiers": names.collect::<Vec<_>>()}))
}

#[test]
fn tokens_are_asked_for_and_renewed() {
    let Some(table) = table() else { return };
    let given = Arc::new(AtomicUsize::new(0));
    let count = given.clone();
    let http = Http::start(move |request| {
        let path = request.path.as_str();
        if path == "/api/v1/oauth/tokens" {
            assert_eq!(request.method, "POST");
            assert_eq!(
                request.header("content-type"),
                "application/x-www-form-urlencoded"
            );
            for part in [
                "grant_type=client_credentials",
                "client_id=me",
                "client_secret=hush%3Ahush",
                "scope=PRINCIPAL_ROLE%3AALL",
            ] {
                assert!(request.body.contains(part), "{}", request.body);
            }
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            return good(
                json!({"access_token": format!("token-{number}"), "token_type": "bearer", "expires_in": 3600}),
            );
        }
        assert_eq!(request.header("x-team"), "data");
        // the first token is believed for the catalog's configuration and one listing only
        let token = request.header("authorization");
        match path {
            _ if token != format!("Bearer token-{}", count.load(Ordering::SeqCst)) => {
                bad(401, "who?")
            }
            "/api/v1/config?warehouse=wh" => {
                good(json!({"defaults": {"prefix": "not/this"}, "overrides": {"prefix": "the/wh"}}))
            }
            _ if path.starts_with("/api/v1/the/wh/namespaces/sales/tables?") => names(&["changes"]),
            _ if path.starts_with("/api/v1/the/wh/namespaces/sales/tables/changes?") => {
                assert_eq!(
                    request.header("x-iceberg-access-delegation"),
                    "vended-credentials"
                );
                load(&table)
            }
            _ => bad(404, path),
        }
    });
    let server = server(
        &http,
        "warehouse = \"wh\", credential = \"me:hush:hush\", scope = \"PRINCIPAL_ROLE:ALL\", headers = { x-team = \"data\" }",
    );
    let mut client = server.client();
    assert_eq!(
        lines(&mut client, "SELECT id, label FROM ice.changes ORDER BY id"),
        ["2|b", "3|c"]
    );
    assert_eq!(given.load(Ordering::SeqCst), 1);
    // the server forgets it
    given.fetch_add(1, Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(client.value("SELECT count(*) FROM ice.changes"), "2");
    assert_eq!(http.asked("/oauth/tokens").len(), 2);
}

#[test]
fn a_large_catalog_is_listed_by_pages_and_read_by_name() {
    let Some(table) = table() else { return };
    let http = Http::start(move |request| {
        let path = request.path.as_str();
        if path.contains("/tables/") {
            return load(&table);
        }
        if path.contains("/config") {
            return good(json!({}));
        }
        let token = path.split("pageToken=").nth(1).unwrap_or_default();
        let token = token.split('&').next().unwrap_or_default();
        let first: usize = token.parse().unwrap_or(0);
        let page = (first..first + 1000)
            .map(|number| json!({"namespace": ["sales"], "name": format!("t{number:04}")}));
        let next = (first + 1000 < 5000).then(|| (first + 1000).to_string());
        good(json!({"identifiers": page.collect::<Vec<_>>(), "next-page-token": next}))
    });
    let started = Instant::now();
    let server = server(&http, "token = \"t\"");
    let mut client = server.client();
    assert_eq!(
        client.value("SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]{4}$'"),
        "5000"
    );
    assert_eq!(http.asked("/tables/").len(), 0);
    assert_eq!(http.asked("/tables?").len(), 5);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    let attributes = "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                      WHERE c.relname IN ('t0007', 't0008') AND attnum > 0";
    assert_eq!(client.value(attributes), "0");
    assert_eq!(
        lines(&mut client, "SELECT id, label FROM ice.t0007 ORDER BY id"),
        ["2|b", "3|c"]
    );
    assert_eq!(
        client.value("SELECT count(*) FROM ice.t0007 FOR TAG 'first'"),
        "2"
    );
    assert_eq!(client.value("SELECT count(*) FROM ice.t0008$refs"), "3");
    client.query("CALL narrows.refresh('ice')");
    // what was read is known from then on
    assert_eq!(client.value(attributes), "8");
    assert!(
        http.asked("/tables/").len() <= 4,
        "{:?}",
        http.asked("/tables/")
    );
}

#[test]
fn what_a_catalog_refuses_is_said_without_secrets() {
    let Some(table) = table() else { return };
    let busy = Arc::new(AtomicUsize::new(0));
    let tries = busy.clone();
    let http = Http::start(move |request: &Request| {
        let path = request.path.as_str();
        let of = |name: &str| path.contains(&format!("/tables/{name}?"));
        match path {
            _ if path.contains("/config") => good(json!({})),
            _ if path.contains("/tables?") => names(&[
                "denied", "gone", "broken", "busy", "odd", "slow", "strict", "far",
            ]),
            _ if of("denied") => bad(403, "not for you, sesame-token"),
            _ if of("gone") => bad(404, "Table does not exist: sales.gone"),
            _ if of("broken") => bad(500, "boom"),
            _ if of("busy") && tries.fetch_add(1, Ordering::SeqCst) % 3 < 2 => bad(503, "later"),
            _ if of("busy") => load(&table),
            _ if of("odd") => (200, Vec::new(), "<html>".into()),
            _ if of("slow") => {
                std::thread::sleep(Duration::from_secs(11));
                load(&table)
            }
            _ if of("far") => (
                302,
                vec![("location", "http://127.0.0.1:1/".into())],
                String::new(),
            ),
            _ => bad(401, "no"),
        }
    });
    let server = server(
        &http,
        "token = \"sesame-token\", headers = { x-key = \"open-please\" }",
    );
    let mut client = server.client();
    for (name, code, message) in [
        (
            "denied",
            "42501",
            "the catalog of source \"ice\" does not let us read table \"ice.denied\" (403)",
        ),
        (
            "gone",
            "42P01",
            "table \"ice.gone\" is not in the catalog of source \"ice\" (404)",
        ),
        (
            "broken",
            "58030",
            "the catalog of source \"ice\" failed for table \"ice.broken\" (500)",
        ),
        (
            "odd",
            "58030",
            "the catalog of source \"ice\" gave an answer that cannot be read for table \"ice.odd\"",
        ),
        (
            "slow",
            "08001",
            "the catalog of source \"ice\" did not answer in time for table \"ice.slow\"",
        ),
        (
            "far",
            "58030",
            "the catalog of source \"ice\" failed for table \"ice.far\" (302)",
        ),
        (
            "strict",
            "08004",
            "the catalog of source \"ice\" does not know our credentials for table \"ice.strict\" (401)",
        ),
    ] {
        let messages = client.query(&format!("SELECT * FROM ice.{name}"));
        let said: String = super::texts(&messages);
        assert!(
            !said.contains("sesame") && !said.contains("open-please"),
            "{said}"
        );
        let error = messages.iter().find(|message| message.kind == 'E');
        let error = error.expect(name);
        let text = error.field('M').unwrap_or_default();
        assert_eq!((error.code().as_str(), text.as_str()), (code, message));
    }
    assert_eq!(client.value("SELECT count(*) FROM ice.busy"), "2");
    assert!(busy.load(Ordering::SeqCst) >= 3);
}

#[test]
fn a_catalog_that_is_away_does_not_stop_the_start() {
    if environment().is_none() {
        return;
    }
    let http = Http::start(|_| bad(401, "who are you?"));
    let server = server(&http, "credential = \"me:hush\"");
    let mut client = server.client();
    assert_eq!(client.value("SELECT 1"), "1");
    let [code, message, _, hint] = failure(&mut client, "SELECT * FROM ice.changes");
    assert_eq!(code, "08004");
    assert_eq!(
        message,
        "the catalog of source \"ice\" gives no token for namespace \"sales\" (401)"
    );
    assert!(hint.contains("credential"), "{hint}");
}

#[test]
fn vended_credentials_are_asked_for_again_before_they_end() {
    let Some(environment) = environment() else {
        return;
    };
    let Some(table) = table() else { return };
    // the table's files under a bucket, as the catalog says them
    let folder = table.place.trim_start_matches("file://");
    let root = folder
        .split("/metadata/")
        .next()
        .expect("a folder")
        .to_string();
    let bucket = format!("vended{}", std::process::id());
    let copied = format!(
        "import boto3, pathlib\n\
         s3 = boto3.client('s3', endpoint_url='{}', aws_access_key_id='a', aws_secret_access_key='b', region_name='us-east-1')\n\
         s3.create_bucket(Bucket='{bucket}')\n\
         root = pathlib.Path('{root}')\n\
         for file in root.rglob('*'):\n    file.is_file() and s3.upload_file(str(file), '{bucket}', 't/' + str(file.relative_to(root)))\n",
        environment.s3
    );
    run(Command::new(&environment.python).args(["-c", &copied]));
    let place = format!(
        "s3://{bucket}/t/metadata/{}",
        folder.rsplit('/').next().expect("a name")
    );
    let endpoint = environment.s3.clone();
    let http = Http::start(move |request| {
        let path = request.path.as_str();
        if path.contains("/tables/") {
            let ends = (chrono::Utc::now() + Duration::from_secs(60)).timestamp_millis();
            return good(json!({
                "metadata-location": place, "metadata": table.metadata,
                "config": {"s3.endpoint": endpoint, "client.region": "us-east-1", "s3.access-key-id": "not", "s3.secret-access-key": "these"},
                "storage-credentials": [{"prefix": "s3://", "config": {
                    "s3.access-key-id": "k", "s3.secret-access-key": "hush",
                    "s3.session-token": "token", "s3.session-token-expires-at-ms": ends.to_string(),
                }}],
            }));
        }
        match path.contains("/config") {
            true => good(json!({})),
            false => names(&["changes"]),
        }
    });
    let server = server(&http, "token = \"t\"");
    let mut client = server.client();
    let before = http.asked("/tables/changes").len();
    assert_eq!(
        lines(&mut client, "SELECT id, label FROM ice.changes ORDER BY id"),
        ["2|b", "3|c"]
    );
    // they end within two minutes, so that each request to the store asked for new ones
    assert!(http.asked("/tables/changes").len() > before + 1);
    let plan = lines(
        &mut client,
        "EXPLAIN ANALYZE VERBOSE SELECT * FROM ice.changes",
    )
    .join("\n");
    assert!(!plan.contains("hush"), "{plan}");
}
