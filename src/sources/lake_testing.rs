//! What the tests of the lake sources share: a configuration, files, queries.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::object_store::Stores;
use super::{Source, Table, TableState};
use crate::config::{Config, Limits, Server, Storage};
use crate::error::Result;

pub fn config(base: &Path, storage: BTreeMap<String, Storage>) -> Config {
    Config {
        base: base.to_path_buf(),
        server: Server {
            listen: ([127, 0, 0, 1], 5433).into(),
            database: "narrows".into(),
            tls: None,
        },
        limits: Limits {
            max_connections: 1,
            query_memory: 1,
            spill_dir: base.to_path_buf(),
            spill_limit: 1,
            statement_timeout: None,
            message_size: 1,
            login_timeout: std::time::Duration::from_secs(1),
            metadata_ttl: std::time::Duration::from_secs(1),
        },
        users: Vec::new(),
        sources: BTreeMap::new(),
        storage,
        workers: Vec::new(),
    }
}

pub fn stores(base: &Path) -> Arc<Stores> {
    Arc::new(Stores::new(&config(base, BTreeMap::new())).unwrap())
}

/// The tables that other people's writers wrote.
pub fn fixtures(kind: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/lake")
        .join(kind)
}

/// Bytes of the file. Row groups of `rows_per_group`.
pub fn write_parquet(path: &Path, batch: &RecordBatch, rows_per_group: usize) -> u64 {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows_per_group))
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    path.metadata().unwrap().len()
}

pub async fn table(source: &dyn Source, name: &str) -> Table {
    let tables = source.discover().await.unwrap().tables;
    tables
        .into_iter()
        .find(|table| &*table.name.relation == name)
        .unwrap()
}

/// A session that knows every table of `source` that can be read, by its bare name.
pub async fn session(source: &dyn Source) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(3);
    let session = SessionContext::new_with_config(config);
    for table in source.discover().await.unwrap().tables {
        match &table.state {
            TableState::Ready(provider) => {
                session
                    .register_table(&*table.name.relation, provider.clone())
                    .unwrap();
            }
            TableState::Broken(error) => eprintln!("{}: {}", table.name, error.log_text()),
            TableState::Listed(_) => eprintln!("{} was not read", table.name),
        }
    }
    session
}

/// One line a row, `|` between values; a result is compared as it comes.
pub async fn query(session: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let batches = session.sql(sql).await?.collect().await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<_> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(values.join("|"));
        }
    }
    Ok(rows)
}

#[track_caller]
pub fn assert_rows(rows: Result<Vec<String>>, expected: &[&str]) {
    match rows {
        Ok(rows) => assert_eq!(rows, expected),
        Err(error) => panic!("{}", error.log_text()),
    }
}

/// Names and Postgres types, `name oid` each, NOT NULL marked.
pub fn columns(table: &Table) -> Vec<String> {
    table
        .columns
        .iter()
        .map(|column| {
            let not_null = if column.nullable { "" } else { " not null" };
            let name = column
                .pg_type
                .known()
                .map_or("?".into(), |t| t.name().to_string());
            format!("{} {name}{not_null}", column.name)
        })
        .collect()
}
