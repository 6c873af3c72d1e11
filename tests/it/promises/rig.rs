//! A server of this process over a database of its own in the test Postgres,
//! with the fault proxy between them; and a second source beside it that is
//! reached directly, to see that others go on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::proxy::{Mode, Proxy};
use crate::fixture::{environment, psql};
use crate::wire::client::{Client, Message};
use crate::wire::running::{Running, start};

/// How a statement over one source is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Relay,
    Engine,
}

pub const ROUTES: [Route; 2] = [Route::Relay, Route::Engine];

/// What a test declares of its source, schema `shop` there and here.
pub struct Declared {
    pub ddl: &'static str,
    pub max_connections: usize,
    pub writable: bool,
    /// Whom the server logs in as; else the superuser.
    pub login: Option<(&'static str, &'static str)>,
    /// Of the source's url.
    pub options: &'static str,
    /// Of CREATE DATABASE.
    pub database: &'static str,
    /// As the url calls it.
    pub host: &'static str,
    /// Of the proxy, from the start.
    pub mode: Mode,
}

impl Default for Declared {
    fn default() -> Self {
        Declared {
            ddl: "",
            max_connections: 4,
            writable: false,
            login: None,
            options: "sslmode=disable&connect_timeout=1",
            database: "",
            host: "127.0.0.1",
            mode: Mode::Pass,
        }
    }
}

/// In this order, so that the database is dropped last.
pub struct Rig {
    pub server: Running,
    pub proxy: Proxy,
    pub source: Database,
}

/// A database of the test Postgres, and a superuser's connection to it.
pub struct Database {
    pub url: url::Url,
    home: url::Url,
    client: tokio_postgres::Client,
    runtime: tokio::runtime::Runtime,
}

const TABLES: &str = "
    CREATE SCHEMA shop;
    CREATE SCHEMA other;
    CREATE TABLE shop.items (id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2));
    INSERT INTO shop.items SELECT n, 'item ' || n, n * 1.25 FROM generate_series(1, 1000) AS n;
    CREATE VIEW shop.slow AS SELECT n FROM pg_sleep(60), generate_series(1, 2) AS n;
    CREATE VIEW shop.big AS
        SELECT n, repeat('x', 1000) AS filler FROM generate_series(1, 2000000) AS n;
    CREATE TABLE other.things AS SELECT n AS id FROM generate_series(1, 10) AS n;";

/// `None` under plain `cargo test`.
pub fn rig(declared: &Declared) -> Option<Rig> {
    let source = Database::create(&environment()?.postgres, declared.database);
    source.run(TABLES);
    source.run(declared.ddl);
    let address = source.address();
    let proxy = Proxy::start(address);
    proxy.set(declared.mode.clone());
    let mut url = source.url.clone();
    url.set_host(Some(declared.host)).expect("a host");
    url.set_port(Some(proxy.address.port())).expect("a port");
    if let Some((user, password)) = declared.login {
        url.set_username(user).expect("a name");
        url.set_password(Some(password)).expect("a password");
    }
    url.set_query(Some(declared.options));
    // metadata that is read again in the background would meet what a test spoils
    let server = start(&format!(
        "[limits]\nmetadata_ttl = \"1h\"\n[sources.shop]\nkind = \"postgres\"\nurl = \"{url}\"\nschemas = {{ shop = \"shop\" }}\n\
         max_connections = {}\nwritable = {}\n\
         [sources.other]\nkind = \"postgres\"\nurl = \"{}\"\nschemas = {{ other = \"other\" }}\n\
         max_connections = 2\n",
        declared.max_connections, declared.writable, source.url,
    ));
    Some(Rig {
        server,
        proxy,
        source,
    })
}

/// For threads, which cannot share a rig.
pub fn client_at(address: SocketAddr, route: Route) -> Client {
    let mut client = Client::connect(address);
    client.startup(0, &[("user", "tester")]);
    client.until_ready();
    let value = match route {
        Route::Relay => "relay",
        Route::Engine => "engine",
    };
    client.query(&format!("SET narrows.route = {value}"));
    client
}

impl Rig {
    /// Logged in; statements over one source go this way.
    pub fn client(&self, route: Route) -> Client {
        client_at(self.server.address, route)
    }

    /// The other source and the server itself go on.
    pub fn others_go_on(&self) {
        for route in ROUTES {
            let mut client = self.client(route);
            assert_eq!(client.value("SELECT count(*) FROM other.things"), "10");
        }
    }

    /// All connections are to be had, so none was lost: as many clients as there
    /// are places have a transaction at the same time.
    pub fn pool_is_whole(&self, places: usize) {
        let mut clients: Vec<Client> = (0..places).map(|_| self.client(Route::Relay)).collect();
        for client in &mut clients {
            client.query("BEGIN");
            assert_eq!(
                client.value("SELECT count(*) FROM shop.items WHERE id = 1"),
                "1"
            );
        }
        for client in &mut clients {
            client.query("ROLLBACK");
        }
    }
}

impl Database {
    fn create(home: &url::Url, options: &str) -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("narrows_promises_{}_{count}", std::process::id());
        psql(home, &["-c", &format!("CREATE DATABASE {name} {options}")]);
        let mut url = home.clone();
        url.set_path(&name);
        Database::connect(url, home.clone())
    }

    fn connect(url: url::Url, home: url::Url) -> Database {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls)
                .await
                .expect("the test Postgres");
            tokio::spawn(connection);
            client
        });
        Database {
            url,
            home,
            client,
            runtime,
        }
    }

    pub fn name(&self) -> &str {
        self.url.path().trim_start_matches('/')
    }

    fn address(&self) -> SocketAddr {
        let addresses = self.url.socket_addrs(|| Some(5432)).expect("an address");
        addresses[0]
    }

    pub fn run(&self, sql: &str) {
        let done = self.runtime.block_on(self.client.batch_execute(sql));
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The first value of the last statement.
    pub fn value(&self, sql: &str) -> String {
        self.rows(sql)
            .pop()
            .and_then(|mut row| row.swap_remove(0))
            .unwrap_or_default()
    }

    pub fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let answer = self.runtime.block_on(self.client.simple_query(sql));
        answer
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    let values = 0..row.len();
                    Some(values.map(|at| row.get(at).map(str::to_string)).collect())
                }
                _ => None,
            })
            .collect()
    }

    /// Connections of the source `shop`; the other source is called by its own name.
    pub fn backends(&self, condition: &str) -> usize {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND {condition}"
        );
        self.value(&sql).parse().expect("a count")
    }

    /// Those that run a statement that contains this.
    pub fn running(&self, text: &str) -> usize {
        self.backends(&format!("state = 'active' AND strpos(query, '{text}') > 0"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name());
        psql(&self.home, &["-c", &sql]);
    }
}

pub fn until(what: &str, limit: Duration, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < limit, "{what} took more than {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The error of an answer; without one, what came instead.
pub fn error_of(messages: &[Message]) -> Result<&Message, String> {
    messages
        .iter()
        .find(|message| message.kind == 'E')
        .ok_or_else(|| crate::wire::client::kinds(messages))
}

/// 08xxx or 58xxx, naming the source, and no internals.
pub fn says_source_failed(error: &Message) {
    let (code, text) = (error.code(), error.field('M').unwrap_or_default());
    assert!(
        code.starts_with("08") || code.starts_with("58"),
        "{code}: {text}"
    );
    assert!(text.contains("\"shop\""), "{code}: {text}");
}

/// The number once it has stood still for a while.
pub fn settled(mut number: impl FnMut() -> u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut last = number();
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = number();
        if now == last || Instant::now() > deadline {
            return now;
        }
        last = now;
    }
}
