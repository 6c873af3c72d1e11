//! TPC-H tables in a Postgres database: created, filled by COPY while they are
//! generated, then given keys and statistics. Works on any Postgres; the
//! demo's embedded one wants a single connection.

use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use futures::SinkExt;
use tokio::sync::mpsc;
use tokio_postgres::{Client, NoTls};

use super::Table;
use super::generate::Part;
use super::text::Chunk;
use crate::demo::progress::Progress;
use crate::error::{Error, Result, SqlState};

/// Chunks in flight between the generator and the socket.
const AHEAD: usize = 4;

#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub scale: f64,
    pub tables: Vec<Table>,
    /// Connections that fill tables side by side; one for the embedded server.
    pub connections: usize,
}

/// Replaces `options.tables` in the schema that the URL's role creates in.
/// 08001 where the server cannot be reached, else the server's own error;
/// 22023 for partsupp below scale 0.01. Answers the number of rows.
pub async fn load_postgres(url: &str, options: &LoadOptions, progress: &Progress) -> Result<u64> {
    // With fewer suppliers than that a part has the same one twice.
    if options.tables.contains(&Table::Partsupp) && options.scale < 0.01 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "the key of partsupp needs a scale of at least 0.01",
        ));
    }
    let client = connect(url).await?;
    let drops: Vec<&str> = options.tables.iter().map(|table| table.name()).collect();
    let mut create = format!("DROP TABLE IF EXISTS {} CASCADE;\n", drops.join(", "));
    for table in &options.tables {
        create.push_str(columns_sql(*table));
    }
    run(&client, &create).await?;
    let rows = fill(url, client, options, progress).await?;
    let client = connect(url).await?;
    progress.begin("Postgres: keys and statistics", rows);
    for statement in keys_sql(&options.tables) {
        run(&client, &statement).await?;
    }
    for table in &options.tables {
        run(&client, &format!("ANALYZE {}", table.name())).await?;
    }
    progress.finish(rows);
    close(client).await;
    Ok(rows)
}

/// A connection whose task ends with it.
struct Connected {
    client: Client,
    task: tokio::task::JoinHandle<()>,
}

async fn connect(url: &str) -> Result<Connected> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(refused)?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection that loads data ended");
        }
    });
    Ok(Connected { client, task })
}

/// Waits until the server has seen the end: the embedded one serves the next
/// connection only then.
async fn close(connected: Connected) {
    drop(connected.client);
    let _ = connected.task.await;
}

async fn run(connected: &Connected, sql: &str) -> Result<()> {
    connected.client.batch_execute(sql).await.map_err(refused)
}

/// Takes the parts of every table off one list, on so many connections.
async fn fill(
    url: &str,
    first: Connected,
    options: &LoadOptions,
    progress: &Progress,
) -> Result<u64> {
    let total = options.tables.iter().map(|t| t.rows(options.scale)).sum();
    let names: Vec<&str> = options.tables.iter().map(|table| table.name()).collect();
    progress.begin(format!("Postgres: {}", names.join(", ")), total);
    let mut jobs: Vec<(Table, Part)> = Vec::new();
    for table in &options.tables {
        jobs.extend(
            table
                .parts(options.scale)
                .iter()
                .map(|part| (*table, *part)),
        );
    }
    let jobs = Mutex::new(jobs.into_iter());
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut connections = vec![first];
    while connections.len() < options.connections {
        connections.push(connect(url).await?);
    }
    let workers = connections.into_iter().map(|connected| async {
        let mut rows = 0;
        while let Some((table, part)) = next() {
            rows += copy(&connected.client, table, part, progress).await?;
        }
        close(connected).await;
        Ok::<u64, Error>(rows)
    });
    let rows = futures::future::try_join_all(workers).await?.iter().sum();
    progress.finish(rows);
    Ok(rows)
}

/// One COPY of one part, generated a few chunks ahead of the socket.
async fn copy(client: &Client, table: Table, part: Part, progress: &Progress) -> Result<u64> {
    let (sender, mut receiver) = mpsc::channel::<Chunk>(AHEAD);
    let generator = tokio::task::spawn_blocking(move || {
        for chunk in table.csv(part) {
            // Nobody receives: the COPY has failed, and says why itself.
            if sender.blocking_send(chunk).is_err() {
                break;
            }
        }
    });
    let statement = format!("COPY {} FROM STDIN (FORMAT csv)", table.name());
    let sink = client
        .copy_in::<_, Bytes>(&statement)
        .await
        .map_err(refused)?;
    let mut sink = std::pin::pin!(sink);
    while let Some(chunk) = receiver.recv().await {
        sink.send(chunk.csv).await.map_err(refused)?;
        progress.advance(chunk.rows);
    }
    let rows = sink.as_mut().finish().await.map_err(refused)?;
    generator
        .await
        .map_err(|_| Error::internal("the thread that generates rows panicked"))?;
    Ok(rows)
}

fn columns_sql(table: Table) -> &'static str {
    match table {
        Table::Region => {
            "CREATE TABLE region (
                r_regionkey integer NOT NULL, r_name char(25) NOT NULL,
                r_comment varchar(152));\n"
        }
        Table::Nation => {
            "CREATE TABLE nation (
                n_nationkey integer NOT NULL, n_name char(25) NOT NULL,
                n_regionkey integer NOT NULL, n_comment varchar(152));\n"
        }
        Table::Supplier => {
            "CREATE TABLE supplier (
                s_suppkey integer NOT NULL, s_name char(25) NOT NULL,
                s_address varchar(40) NOT NULL, s_nationkey integer NOT NULL,
                s_phone char(15) NOT NULL, s_acctbal decimal(15,2) NOT NULL,
                s_comment varchar(101) NOT NULL);\n"
        }
        Table::Customer => {
            "CREATE TABLE customer (
                c_custkey integer NOT NULL, c_name varchar(25) NOT NULL,
                c_address varchar(40) NOT NULL, c_nationkey integer NOT NULL,
                c_phone char(15) NOT NULL, c_acctbal decimal(15,2) NOT NULL,
                c_mktsegment char(10) NOT NULL, c_comment varchar(117) NOT NULL);\n"
        }
        Table::Part => {
            "CREATE TABLE part (
                p_partkey integer NOT NULL, p_name varchar(55) NOT NULL,
                p_mfgr char(25) NOT NULL, p_brand char(10) NOT NULL,
                p_type varchar(25) NOT NULL, p_size integer NOT NULL,
                p_container char(10) NOT NULL, p_retailprice decimal(15,2) NOT NULL,
                p_comment varchar(23) NOT NULL);\n"
        }
        Table::Partsupp => {
            "CREATE TABLE partsupp (
                ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL,
                ps_availqty integer NOT NULL, ps_supplycost decimal(15,2) NOT NULL,
                ps_comment varchar(199) NOT NULL);\n"
        }
        Table::Orders => {
            "CREATE TABLE orders (
                o_orderkey bigint NOT NULL, o_custkey integer NOT NULL,
                o_orderstatus char(1) NOT NULL, o_totalprice decimal(15,2) NOT NULL,
                o_orderdate date NOT NULL, o_orderpriority char(15) NOT NULL,
                o_clerk char(15) NOT NULL, o_shippriority integer NOT NULL,
                o_comment varchar(79) NOT NULL);\n"
        }
        Table::Lineitem => {
            "CREATE TABLE lineitem (
                l_orderkey bigint NOT NULL, l_partkey integer NOT NULL,
                l_suppkey integer NOT NULL, l_linenumber integer NOT NULL,
                l_quantity decimal(15,2) NOT NULL, l_extendedprice decimal(15,2) NOT NULL,
                l_discount decimal(15,2) NOT NULL, l_tax decimal(15,2) NOT NULL,
                l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL,
                l_shipdate date NOT NULL, l_commitdate date NOT NULL,
                l_receiptdate date NOT NULL, l_shipinstruct char(25) NOT NULL,
                l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL);\n"
        }
    }
}

/// Primary keys first: foreign keys lean on them. A foreign key to a table
/// that lives elsewhere is left out. Foreign keys get indexes, as they would in
/// an operational database.
fn keys_sql(tables: &[Table]) -> Vec<String> {
    let primary = tables.iter().map(|table| {
        let columns = match table {
            Table::Region => "r_regionkey",
            Table::Nation => "n_nationkey",
            Table::Supplier => "s_suppkey",
            Table::Customer => "c_custkey",
            Table::Part => "p_partkey",
            Table::Partsupp => "ps_partkey, ps_suppkey",
            Table::Orders => "o_orderkey",
            Table::Lineitem => "l_orderkey, l_linenumber",
        };
        format!("ALTER TABLE {} ADD PRIMARY KEY ({columns})", table.name())
    });
    const FOREIGN: [(Table, &str, Table); 8] = [
        (Table::Nation, "n_regionkey", Table::Region),
        (Table::Supplier, "s_nationkey", Table::Nation),
        (Table::Customer, "c_nationkey", Table::Nation),
        (Table::Partsupp, "ps_partkey", Table::Part),
        (Table::Partsupp, "ps_suppkey", Table::Supplier),
        (Table::Orders, "o_custkey", Table::Customer),
        (Table::Lineitem, "l_orderkey", Table::Orders),
        (Table::Lineitem, "l_partkey, l_suppkey", Table::Partsupp),
    ];
    let here = || {
        FOREIGN
            .iter()
            .filter(|(from, _, to)| tables.contains(from) && tables.contains(to))
    };
    let foreign = here().map(|(from, columns, to)| {
        let (from, to) = (from.name(), to.name());
        format!("ALTER TABLE {from} ADD FOREIGN KEY ({columns}) REFERENCES {to}")
    });
    // Unless the primary key begins with the same columns.
    let indexes = here()
        .filter(|(_, columns, _)| !matches!(*columns, "ps_partkey" | "l_orderkey"))
        .map(|(from, columns, _)| format!("CREATE INDEX ON {} ({columns})", from.name()));
    primary.chain(foreign).chain(indexes).collect()
}

/// The server's words, or that there is no server.
fn refused(error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(said) => {
            let state = SqlState::from_code(said.code().code()).unwrap_or(SqlState::SYSTEM_ERROR);
            Error::new(state, said.message().to_string()).with_cause(error)
        }
        None => Error::new(
            SqlState::UNABLE_TO_CONNECT,
            "the Postgres server that takes the sample data cannot be reached",
        )
        .with_cause(error),
    }
}
