//! The Postgres source against a real server, whose URL (a superuser's, with a
//! database) is in NARROWS_TEST_POSTGRES. Each test has a schema of its own.

mod connections;
mod defined_types;
mod discovery;
mod embedded;
mod join_keys;
mod relay;
mod relay_pool;
mod snapshots;
mod streams;
pub mod tls;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Statistics;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use narrows::config::{self, Secret};
use narrows::error::Error;
use narrows::names::SourceName;
use narrows::sources::postgres::{PostgresScan, PostgresSource, PostgresTable};
use narrows::sources::{Source, Table, TableState};
use narrows::types::PgType;

fn url() -> String {
    std::env::var("NARROWS_TEST_POSTGRES")
        .expect("NARROWS_TEST_POSTGRES holds the URL of a Postgres server for tests")
}

/// Runs statements as the superuser, outside of what is tested.
async fn admin() -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&url(), tokio_postgres::NoTls)
        .await
        .expect("the test server answers");
    tokio::spawn(connection);
    client
}

/// A schema with the given objects in it, as a source of the same name.
async fn source_with(schema: &str, ddl: &str) -> Arc<PostgresSource> {
    let script = format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; \
         SET search_path = {schema}; {ddl}"
    );
    admin()
        .await
        .batch_execute(&script)
        .await
        .expect("valid DDL");
    source(&url(), schema, 8)
}

fn source(url: &str, schema: &str, max_connections: usize) -> Arc<PostgresSource> {
    let config = declared(url, schema, max_connections);
    PostgresSource::new(SourceName::new(schema), &config).expect("a valid source")
}

fn declared(url: &str, schema: &str, max_connections: usize) -> config::PostgresSource {
    config::PostgresSource {
        url: Secret::new(url),
        schemas: BTreeMap::from([(schema.to_string(), schema.to_string())]),
        tables: vec!["*".into()],
        max_connections,
        writable: false,
        roles: BTreeMap::new(),
        functions: Vec::new(),
    }
}

async fn tables(source: &PostgresSource) -> BTreeMap<String, Table> {
    let tables = source.discover().await.expect("discovery succeeds");
    tables
        .tables
        .into_iter()
        .map(|table| (table.name.relation.to_string(), table))
        .collect()
}

fn provider(table: &Table) -> &PostgresTable {
    match &table.state {
        TableState::Ready(provider) => provider.downcast_ref().expect("a Postgres table"),
        TableState::Broken(error) => panic!("{} is broken: {error}", table.name),
        TableState::Listed(_) => panic!("{} was not read", table.name),
    }
}

/// All rows of a table, through the engine.
async fn read(table: &Table) -> Result<Vec<RecordBatch>, Error> {
    let TableState::Ready(provider) = &table.state else {
        panic!("{} is broken", table.name);
    };
    let rows = SessionContext::new().read_table(provider.clone())?;
    Ok(rows.collect().await?)
}

fn scan(source: &Arc<PostgresSource>, sql: &str, fields: Vec<Field>) -> PostgresScan {
    let schema = Arc::new(Schema::new(fields));
    let statistics = Statistics::new_unknown(&schema);
    PostgresScan::new(source.clone(), sql.into(), schema, statistics, Vec::new())
}

async fn run(scan: &PostgresScan) -> Result<Vec<RecordBatch>, Error> {
    let mut stream = scan.execute(0, Arc::new(TaskContext::default()))?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        batches.push(batch?);
    }
    Ok(batches)
}

fn int8(name: &str) -> Field {
    PgType::INT8.field(name, true).expect("int8 has a carrier")
}

fn cell(batch: &RecordBatch, column: &str, row: usize) -> String {
    let array = batch.column_by_name(column).expect("the column exists");
    if array.is_null(row) {
        return "NULL".into();
    }
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(array, &options).expect("printable");
    formatter.value(row).to_string()
}

fn with_user(url: &str, user: &str, password: &str) -> String {
    let at = url.find('@').expect("the URL names a user");
    format!("postgres://{user}:{password}{}", &url[at..])
}
