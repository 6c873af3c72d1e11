//! Tables of the Iceberg project's own REST catalog server, which tests/run
//! fetched: made by pyiceberg through it, on disk and on S3.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{failure, lines};
use crate::fixture::{Environment, environment, here, run};
use crate::wire::client::Client;
use crate::wire::running::start;

struct Catalog {
    url: String,
    server: Child,
}

impl Catalog {
    fn start(environment: &Environment, folder: &Path, settings: &[(&str, &str)]) -> Catalog {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let server = Command::new("java")
            .arg("-cp")
            .arg(environment.rest_catalog.join("*"))
            .arg("org.apache.iceberg.rest.RESTCatalogServer")
            .env("CATALOG_REST_PORT", port.to_string())
            .env(
                "CATALOG_URI",
                format!("jdbc:sqlite:{}/catalog.db", folder.display()),
            )
            .env(
                "CATALOG_CATALOG__IMPL",
                "org.apache.iceberg.jdbc.JdbcCatalog",
            )
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("java");
        let catalog = Catalog {
            url: format!("http://127.0.0.1:{port}"),
            server,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the REST catalog did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        catalog
    }

    fn tables(&self, environment: &Environment, more: &[&str]) {
        run(Command::new(&environment.python)
            .arg(here("tests/fixture/rest/tables.py"))
            .arg(&self.url)
            .args(more));
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn schemas(client: &mut Client) -> Vec<String> {
    lines(
        client,
        "SELECT schemaname || ' ' || tablename FROM pg_tables WHERE tablename IN ('orders', 'empty', 'late') ORDER BY 1",
    )
}

#[test]
fn namespaces_are_schemas_and_tables_are_read() {
    let Some(environment) = environment() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let warehouse = format!("file://{}", folder.path().display());
    let catalog = Catalog::start(
        &environment,
        folder.path(),
        &[("CATALOG_WAREHOUSE", &warehouse)],
    );
    catalog.tables(&environment, &["", "make"]);
    let server = start(&format!(
        "[limits]\nmetadata_ttl = \"1h\"\n\
         [sources.ice]\nkind = \"iceberg\"\n\
         catalog = {{ type = \"rest\", uri = \"{0}\", credential = \"me:secret\" }}\n\
         [sources.some]\nkind = \"iceberg\"\nnamespaces = {{ \"sales.eu\" = \"eu\" }}\n\
         catalog = {{ type = \"rest\", uri = \"{0}\", token = \"some-token\" }}\n",
        catalog.url
    ));
    let mut client = server.client();
    assert_eq!(
        schemas(&mut client),
        [
            "eu orders",
            "ice_other empty",
            "ice_sales orders",
            "ice_sales.eu orders"
        ]
    );
    for (sql, expected) in [
        (
            "SELECT id, name FROM ice_sales.orders ORDER BY id",
            &["1|order 1", "2|order 2", "3|order 3"][..],
        ),
        ("SELECT * FROM \"ice_sales.eu\".orders", &["7|order 7"]),
        ("SELECT count(*) FROM ice_other.empty", &["0"]),
        (
            "SELECT a.name FROM eu.orders a JOIN \"ice_sales.eu\".orders b USING (id)",
            &["order 7"],
        ),
        // the first version, and what is known of them all
        (
            "SELECT max(id) FROM ice_sales.orders FOR VERSION AS OF 1",
            &["2"],
        ),
        (
            "SELECT operation FROM ice_sales.\"orders$snapshots\"",
            &["append", "append"],
        ),
        (
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'eu' ORDER BY 1",
            &["id|bigint", "name|text"],
        ),
    ] {
        assert_eq!(lines(&mut client, sql), expected, "{sql}");
    }
    client.query("PREPARE counted AS SELECT count(*) FROM ice_sales.orders");
    assert_eq!(client.value("EXECUTE counted"), "3");

    catalog.tables(&environment, &["", "append"]);
    // a second is how long a version is believed
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(client.value("SELECT count(*) FROM ice_sales.orders"), "4");
    assert_eq!(client.value("EXECUTE counted"), "4");
    assert_eq!(client.error("SELECT * FROM ice_sales.late"), "42P01");
    client.query("CALL narrows.refresh('ice')");
    assert_eq!(client.value("SELECT count(*) FROM ice_sales.late"), "0");

    drop(catalog);
    std::thread::sleep(Duration::from_millis(1100));
    let [code, message, ..] = failure(&mut client, "SELECT * FROM ice_sales.orders");
    assert_eq!(code, "08001", "{message}");
    assert_eq!(
        message,
        "the catalog of source \"ice\" cannot be reached for table \"ice_sales.orders\""
    );
}

#[test]
fn tables_on_s3_are_read_with_what_the_catalog_vends() {
    let Some(environment) = environment() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let bucket = folder.path().file_name().expect("a name").to_string_lossy();
    let bucket = bucket.to_lowercase().replace(['.', '_'], "");
    let made = format!(
        "import boto3; boto3.client('s3', endpoint_url='{}', aws_access_key_id='a', \
         aws_secret_access_key='b', region_name='us-east-1').create_bucket(Bucket='rest{bucket}')",
        environment.s3
    );
    run(Command::new(&environment.python).args(["-c", &made]));
    let warehouse = format!("s3://rest{bucket}/warehouse");
    let vended = [
        ("CATALOG_WAREHOUSE", warehouse.as_str()),
        ("CATALOG_IO__IMPL", "org.apache.iceberg.aws.s3.S3FileIO"),
        ("CATALOG_S3_ENDPOINT", &environment.s3),
        ("CATALOG_S3_ACCESS__KEY__ID", "narrows"),
        ("CATALOG_S3_SECRET__ACCESS__KEY", "narrows-secret"),
        ("CATALOG_S3_PATH__STYLE__ACCESS", "true"),
        ("CATALOG_CLIENT_REGION", "us-east-1"),
        ("CATALOG_INCLUDE__CREDENTIALS", "true"),
        ("AWS_REGION", "us-east-1"),
    ];
    let catalog = Catalog::start(&environment, folder.path(), &vended);
    catalog.tables(&environment, &[&environment.s3, "make"]);
    // where the store is, and no keys to it
    let server = start(&format!(
        "[sources.ice]\nkind = \"iceberg\"\nnamespaces = {{ sales = \"sales\" }}\nstorage = \"s3\"\n\
         catalog = {{ type = \"rest\", uri = \"{}\" }}\n\
         [storage.s3]\nkind = \"s3\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n",
        catalog.url, environment.s3
    ));
    let mut client = server.client();
    assert_eq!(
        lines(&mut client, "SELECT id, name FROM sales.orders ORDER BY id"),
        ["1|order 1", "2|order 2", "3|order 3"]
    );
    assert_eq!(
        client.value("SELECT count(*) FROM sales.orders FOR VERSION AS OF 1"),
        "2"
    );
}
