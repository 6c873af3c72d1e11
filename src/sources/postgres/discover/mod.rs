//! Reads a database's metadata and makes tables of it. Called when the catalog
//! is loaded or refreshed; knows no statement of a client.

mod carried;
mod query;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use self::carried::OwnTypesOf;
use self::query::{CollationRow, ColumnRow, KeyRow, RelationRow};
use super::PostgresSource;
use super::error::from_postgres;
use super::stats::ColumnEstimate;
use super::table::{Collation, Delivery, Found, PostgresTable, RemoteColumn, RemoteTable};
use crate::auth::grants::matches;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::{
    Column, Discovered, Key, KeyKind, RelationKind, Representation, Table, TableState,
};
use crate::types::PgType;

/// For everything, the wait for a connection included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every relation of the mapped schemas that the globs let in, and the types that
/// the database defines, in one round trip.
pub(super) async fn discover(source: &Arc<PostgresSource>) -> Result<Discovered> {
    let schemas: Vec<String> = source.mapping().keys().cloned().collect();
    if schemas.is_empty() {
        return Ok(Discovered::default());
    }
    // the planner takes the recursive parts for large enough to compile: seconds for nothing
    let sql = format!(
        "BEGIN READ ONLY; SET LOCAL jit = off; {}; {}",
        query::sql(&schemas),
        types::sql(&schemas)
    );
    let answer = timeout(PATIENCE, ask(source, &sql)).await.map_err(|_| {
        Error::unreachable(source.source_name(), "its metadata did not arrive in time")
    })??;
    let unreadable = |why: Cause| {
        Error::new(
            SqlState::PROTOCOL_VIOLATION,
            format!(
                "the metadata of source \"{}\" could not be read",
                source.source_name()
            ),
        )
        .with_cause(why)
    };
    let mut relations = Vec::new();
    let mut type_rows = Vec::new();
    // BEGIN and SET end first, then the statement about relations
    let mut ended = 0;
    for message in &answer {
        match message {
            SimpleQueryMessage::CommandComplete(_) => ended += 1,
            SimpleQueryMessage::Row(row) if ended < 3 => {
                let relation = relation_row(row).map_err(unreadable)?;
                if source.includes(&relation.schema, &relation.name) {
                    relations.push(relation);
                }
            }
            SimpleQueryMessage::Row(row) => {
                type_rows.push(types::type_row(row).map_err(unreadable)?);
            }
            _ => {}
        }
    }
    let own_types = OwnTypesOf::new(&type_rows);
    let mut tables: Vec<Table> = relations
        .into_iter()
        .filter_map(|relation| table(source, relation, &own_types))
        .collect();
    keep_known_foreign_keys(&mut tables);
    let types = types::types(source, type_rows, &tables);
    Ok(Discovered { tables, types })
}

async fn ask(source: &PostgresSource, sql: &str) -> Result<Vec<SimpleQueryMessage>> {
    let loan = source.pool().borrow().await?;
    let answer = loan
        .client()?
        .simple_query(sql)
        .await
        .map_err(|error| from_postgres(source.source_name(), error))?;
    loan.give_back();
    Ok(answer)
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

fn relation_row(row: &SimpleQueryRow) -> Result<RelationRow, Cause> {
    let text = |at: usize| row.try_get(at).map_err(Cause::from);
    let required = |at: usize| text(at)?.ok_or_else(|| Cause::from(format!("column {at} is NULL")));
    let number = |at: usize| text(at)?.map(str::parse).transpose().map_err(Cause::from);
    Ok(RelationRow {
        schema: required(0)?.into(),
        name: required(1)?.into(),
        kind: required(2)?.into(),
        rows: number(3)?,
        bytes: number(4)?,
        comment: text(5)?.map(String::from),
        has_children: required(6)? == "t",
        schema_usage: required(7)? == "t",
        columns: serde_json::from_str(required(8)?)?,
        keys: serde_json::from_str(required(9)?)?,
        blocks: number(10)?,
    })
}

/// `None` for what is no relation that can be selected from.
fn table(
    source: &Arc<PostgresSource>,
    relation: RelationRow,
    own_types: &OwnTypesOf,
) -> Option<Table> {
    let name = RelationName::new(source.mapping().get(&relation.schema)?, &relation.name);
    let kind = match relation.kind.as_str() {
        "r" => RelationKind::Table,
        "p" => RelationKind::PartitionedTable,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        _ => return None,
    };
    let denied = denied(&relation);
    // Columns without SELECT are left out, unless nothing can be read anyway.
    let mut rows = relation.columns;
    rows.retain(|column| column.readable || denied.is_some());
    let keys: Vec<(Key, Enforced)> = relation
        .keys
        .into_iter()
        .filter_map(|key| table_key(source, key, &rows))
        .collect();
    // What inherits is read with its parent, and no key spans both.
    let primary_key = keys
        .iter()
        .filter(|(key, enforced)| {
            key.kind == KeyKind::Primary && *enforced == Enforced::Always && !relation.has_children
        })
        .map(|(key, _)| key.columns.clone())
        .next();
    let (columns, remote): (Vec<Column>, Vec<RemoteColumn>) =
        rows.into_iter().map(|row| column(row, own_types)).unzip();
    let mut table = Table {
        name,
        source: source.source_name().clone(),
        kind,
        columns,
        keys: keys.into_iter().map(|(key, _)| key).collect(),
        rows: relation.rows.map(|rows| rows as u64),
        bytes: relation.bytes.map(|bytes| bytes as u64),
        comment: relation.comment,
        state: TableState::Broken(Arc::new(Error::internal("a table was not finished"))),
    };
    table.state = match denied {
        Some(error) => TableState::Broken(Arc::new(error)),
        None => {
            let found = Found {
                remote: RemoteTable {
                    schema: relation.schema,
                    relation: relation.name,
                },
                kind,
                columns: remote,
                rows: table.rows,
                blocks: relation.blocks.map(|blocks| blocks as u64),
                primary_key,
            };
            let schema = table.arrow_schema();
            TableState::Ready(Arc::new(PostgresTable::new(source.clone(), found, schema)))
        }
    };
    Some(table)
}

/// 42501, in Postgres's words, if nothing of it may be selected.
fn denied(relation: &RelationRow) -> Option<Error> {
    let what = if !relation.schema_usage {
        format!("permission denied for schema {}", relation.schema)
    } else if !relation.columns.is_empty() && !relation.columns.iter().any(|c| c.readable) {
        let kind = match relation.kind.as_str() {
            "v" => "view",
            "m" => "materialized view",
            "f" => "foreign table",
            _ => "table",
        };
        format!("permission denied for {kind} {}", relation.name)
    } else {
        return None;
    };
    Some(
        Error::new(SqlState::INSUFFICIENT_PRIVILEGE, what)
            .with_detail("The role that this server uses on the source has no such privilege."),
    )
}

fn column(row: ColumnRow, own_types: &OwnTypesOf) -> (Column, RemoteColumn) {
    let sent = own_types.sent(&row);
    let base = PgType::new(row.base_oid, row.base_typmod);
    let representation = match base.arrow() {
        Some(_) => Representation::Native,
        None => Representation::Text {
            reason: reason_for_text(&row, base),
            type_name: row.type_name.clone(),
        },
    };
    let pg_type = match representation {
        Representation::Native => base,
        Representation::Text { .. } => PgType::TEXT,
    };
    let remote = RemoteColumn {
        name: row.name.clone(),
        pg_type,
        remote_type: row.type_name,
        remote_oid: row.type_oid,
        collation: collation(row.collation),
        nullable: !row.not_null,
        representation: representation.clone(),
        output_function: row.output_function,
        send_function: row.send_function,
        sent,
        labels: own_types.labels(base.oid),
        delivery: Delivery::Plain,
        estimate: ColumnEstimate {
            null_fraction: row.null_fraction,
            distinct: row.distinct,
            width: row.width,
        },
    };
    let column = Column {
        name: row.name,
        pg_type,
        nullable: !row.not_null,
        representation,
        default: row.default,
        comment: row.comment,
    };
    (column, remote)
}

fn reason_for_text(row: &ColumnRow, base: PgType) -> String {
    let name = &row.type_name;
    if base.numeric_precision().is_some() {
        return format!("type {name} has more digits than any Arrow decimal");
    }
    match row.base_kind.as_str() {
        "e" => format!("type {name} is an enum"),
        "c" => format!("type {name} is a row type"),
        "r" | "m" => format!("type {name} is a range type"),
        _ => format!("type {name} has no Arrow form"),
    }
}

fn collation(row: Option<CollationRow>) -> Collation {
    let Some(row) = row else {
        return Collation::None;
    };
    let locale = row.locale.as_deref().unwrap_or_default();
    match row.provider.as_str() {
        _ if !row.deterministic => Collation::Nondeterministic(row.name),
        _ if !row.utf8 => Collation::OtherEncoding(row.name),
        "c" if matches!(locale, "C" | "POSIX") => Collation::C,
        // The built-in provider (Postgres 17) orders all its locales by code point.
        "b" => Collation::C,
        _ => Collation::Deterministic(row.name),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enforced {
    Always,
    /// May be violated inside of a transaction.
    AtCommit,
}

/// `None` if a column of it is not visible here.
fn table_key(
    source: &PostgresSource,
    key: KeyRow,
    columns: &[ColumnRow],
) -> Option<(Key, Enforced)> {
    let kind = match key.kind.as_str() {
        "p" => KeyKind::Primary,
        "u" => KeyKind::Unique,
        "f" => KeyKind::Foreign {
            table: RelationName::new(
                source.mapping().get(&key.foreign_schema?)?,
                &key.foreign_table?,
            ),
            columns: key.foreign_columns?,
        },
        _ => return None,
    };
    let columns = key
        .columns
        .iter()
        .map(|number| columns.iter().position(|column| column.number == *number))
        .collect::<Option<Vec<_>>>()?;
    let enforced = match key.deferrable {
        true => Enforced::AtCommit,
        false => Enforced::Always,
    };
    let key = Key {
        name: key.name,
        kind,
        columns,
    };
    Some((key, enforced))
}

/// Drops foreign keys to tables that the globs leave out.
fn keep_known_foreign_keys(tables: &mut [Table]) {
    let known: BTreeMap<RelationName, Vec<String>> = tables
        .iter()
        .map(|table| {
            let columns = table.columns.iter().map(|c| c.name.clone()).collect();
            (table.name.clone(), columns)
        })
        .collect();
    for table in tables {
        table.keys.retain(|key| match &key.kind {
            KeyKind::Foreign { table, columns } => known
                .get(table)
                .is_some_and(|all| columns.iter().all(|column| all.contains(column))),
            _ => true,
        });
    }
}

impl PostgresSource {
    /// Does one of the globs name the table, with or without its remote schema?
    fn includes(&self, schema: &str, table: &str) -> bool {
        let qualified = format!("{schema}.{table}");
        self.globs()
            .iter()
            .any(|glob| matches(glob, table) || matches(glob, &qualified))
    }
}
