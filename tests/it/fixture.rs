//! What the tests serve: a database of its own in the Postgres that tests/run
//! started, lake tables written from it by their formats' own tools, and the
//! server over both, as its own process. Tests that run at the same time share
//! one; the last of them ends it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

pub const USER: &str = "analyst";
pub const PASSWORD: &str = "an alyst's \"secret\"";
pub const DATABASE: &str = "narrows";

pub struct Fixture {
    /// The server's.
    pub address: SocketAddr,
    /// The same tables, all in one Postgres: the answers to compare with.
    pub oracle: Oracle,
    server: Child,
    /// The lake's files; removed with the fixture.
    _folder: tempfile::TempDir,
}

/// A database of the test Postgres.
pub struct Oracle {
    pub url: url::Url,
    /// The superuser's database, from which this one is dropped.
    home: url::Url,
}

/// What tests/run provides, or `None` under plain `cargo test`, which says so
/// once. Under tests/run nothing may be missing.
pub fn environment() -> Option<Environment> {
    static SAID: Once = Once::new();
    let get = |name: &str| {
        let value = std::env::var(name).ok();
        let all = std::env::var_os("NARROWS_TEST_ALL").is_some();
        assert!(value.is_some() || !all, "tests/run did not set {name}");
        value
    };
    let found = (|| {
        Some(Environment {
            postgres: get("NARROWS_TEST_POSTGRES")?.parse().expect("a URL"),
            s3: get("NARROWS_TEST_S3")?,
            python: get("NARROWS_TEST_PYTHON")?.into(),
            node_modules: get("NARROWS_TEST_NODE_MODULES")?.into(),
            pgjdbc: get("NARROWS_TEST_PGJDBC")?.into(),
            rest_catalog: get("NARROWS_TEST_REST_CATALOG")?.into(),
        })
    })();
    if found.is_none() {
        SAID.call_once(|| {
            // Past the test harness, which keeps what tests print.
            let line = "note: tests that need Postgres, S3 or drivers run under tests/run\n";
            std::io::stderr().write_all(line.as_bytes()).ok();
        });
    }
    found
}

#[derive(Debug, Clone)]
pub struct Environment {
    pub postgres: url::Url,
    pub s3: String,
    pub python: PathBuf,
    pub node_modules: PathBuf,
    pub pgjdbc: PathBuf,
    /// The folder of the REST catalog server's jars.
    pub rest_catalog: PathBuf,
}

/// The running fixture, started if none is.
pub fn fixture(environment: &Environment) -> Arc<Fixture> {
    static RUNNING: Mutex<Weak<Fixture>> = Mutex::new(Weak::new());
    // After a start that failed, the next test tries again.
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fixture) = running.upgrade() {
        return fixture;
    }
    let fixture = Arc::new(Fixture::start(environment));
    *running = Arc::downgrade(&fixture);
    fixture
}

impl Fixture {
    fn start(environment: &Environment) -> Fixture {
        let folder = tempfile::Builder::new()
            .prefix("narrows-fixture-")
            .tempdir()
            .expect("a temporary folder");
        let oracle = Oracle::create(&environment.postgres);
        let part = write_lake(environment, &oracle, folder.path());
        let catalog = folder.path().join("catalog.toml");
        std::fs::copy(here("tests/fixture/catalog.toml"), &catalog).expect("copied");

        let mut server = Command::new(env!("CARGO_BIN_EXE_narrows"))
            .args(["serve", "--catalog"])
            .arg(&catalog)
            .env("FIXTURE_PASSWORD", PASSWORD)
            .env("FIXTURE_POSTGRES", oracle.url.as_str())
            .env("FIXTURE_ICE_PART", part)
            .env("FIXTURE_S3", &environment.s3)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        match listening_address(&mut server) {
            Ok(address) => Fixture {
                address,
                oracle,
                server,
                _folder: folder,
            },
            Err(output) => {
                end(&mut server);
                panic!("the server did not come up; it said:\n{output}");
            }
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

/// Politely first; promise 40 bounds how long that takes.
fn end(server: &mut Child) {
    let asked = Command::new("kill").arg(server.id().to_string()).status();
    let deadline = Instant::now() + Duration::from_secs(15);
    while asked.is_ok() && Instant::now() < deadline {
        if matches!(server.try_wait(), Ok(Some(_))) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill().ok();
    server.wait().ok();
}

/// The server's line `… listening on ADDR`, on either of its outputs; or all
/// that it said instead.
fn listening_address(server: &mut Child) -> Result<SocketAddr, String> {
    let (lines, received) = mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        server.stdout.take().map(|out| Box::new(out) as _),
        server.stderr.take().map(|out| Box::new(out) as _),
    ];
    for output in outputs.into_iter().flatten() {
        let lines = lines.clone();
        // Reads to the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                lines.send(line).ok();
            }
        });
    }
    drop(lines);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut said = String::new();
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let Ok(line) = received.recv_timeout(left) else {
            break;
        };
        if let Some((_, address)) = line.rsplit_once("listening on ")
            && let Ok(address) = address.trim().parse()
        {
            return Ok(address);
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(said)
}

impl Oracle {
    fn create(home: &url::Url) -> Oracle {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("narrows_{}_{count}", std::process::id());
        let mut url = home.clone();
        url.set_path(&name);
        let oracle = Oracle {
            url,
            home: home.clone(),
        };
        psql(home, &["-c", &format!("CREATE DATABASE {name}")]);
        let tables = here("tests/fixture/tables.sql");
        psql(&oracle.url, &["-1", "-f", &tables.to_string_lossy()]);
        oracle
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let name = self.url.path().trim_start_matches('/');
        psql(
            &self.home,
            &[
                "-c",
                &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            ],
        );
    }
}

/// The location of the Iceberg table's metadata.
fn write_lake(environment: &Environment, oracle: &Oracle, folder: &Path) -> String {
    let mut command = Command::new(&environment.python);
    command
        .arg(here("tests/fixture/lake.py"))
        .arg(oracle.url.as_str())
        .arg(folder)
        .arg(&environment.s3);
    run(&mut command).trim().to_string()
}

pub fn psql(url: &url::Url, arguments: &[&str]) -> String {
    run(Command::new("psql")
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url.as_str()])
        .args(arguments))
}

/// Standard output; a failure shows all that the program said.
pub fn run(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{:?} failed ({}):\n{}\n{}",
        command.get_program(),
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A file of the repository.
pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
