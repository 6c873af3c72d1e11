//! Prepared statements, by the protocol's Parse and by SQL's PREPARE: one
//! namespace a session, as in Postgres.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;

use super::commands::Command;
use super::named::Named;
use super::relay::{RelayPrepared, Relayed};
use crate::catalog::Catalog;
use crate::error::{Error, Result, SqlState};
use crate::execute;
use crate::plan::{self, Planned};
use crate::types::PgType;

/// A statement of a message before it is planned.
#[derive(Debug, Clone)]
pub enum Parsed {
    Empty,
    Session(SessionStatement),
    Query(plan::Statement),
    /// Runs on one source as it was written.
    Relay(Arc<Relayed>),
    /// Comes after a SET in its message, which may change what it means.
    Unread {
        text: String,
        offset: usize,
    },
}

impl Parsed {
    /// May carrying it out take planning or computing?
    pub fn is_of_engine(&self) -> bool {
        match self {
            Parsed::Empty | Parsed::Relay(_) => false,
            Parsed::Session(statement) => statement.command.is_of_engine(),
            Parsed::Query(_) | Parsed::Unread { .. } => true,
        }
    }

    /// So many characters of the message stand before it than it knows of.
    pub fn shift(&mut self, characters: usize) {
        match self {
            Parsed::Empty => {}
            Parsed::Session(statement) => statement.offset += characters,
            Parsed::Query(statement) => statement.offset += characters,
            Parsed::Relay(relayed) => {
                let mut moved = Relayed::clone(relayed);
                moved.offset += characters;
                *relayed = Arc::new(moved);
            }
            Parsed::Unread { offset, .. } => *offset += characters,
        }
    }
}

#[derive(Debug, Clone)]
pub struct SessionStatement {
    pub command: Command,
    /// The statement's own text, for the queries inside it.
    pub text: String,
    /// Characters of the message before it.
    pub offset: usize,
}

/// A statement that is ready to be bound and run.
#[derive(Debug)]
pub struct Prepared {
    pub parsed: Parsed,
    pub parameters: Vec<PgType>,
    /// The result's columns; `None`: it returns no rows.
    pub columns: Option<SchemaRef>,
    pub plan: Option<PlanState>,
    pub relay: Option<RelayPrepared>,
    /// Why it goes the way it goes: SHOW narrows.last_route.
    pub reason: String,
}

impl Prepared {
    /// Does running it take planning or computing?
    pub fn is_of_engine(&self) -> bool {
        let light = match &self.plan {
            Some(state) => execute::is_light(&state.planned),
            None => false,
        };
        !light && self.parsed.is_of_engine()
    }
}

/// A plan and what it was made under; it is made again when that changed.
#[derive(Debug)]
pub struct PlanState {
    pub planned: Planned,
    pub declared: Vec<Option<PgType>>,
    pub catalog: Arc<Catalog>,
    pub settings: Arc<std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
pub struct PreparedStatements {
    named: Named<Arc<Prepared>>,
}

impl PreparedStatements {
    pub fn get(&self, name: &str) -> Result<Arc<Prepared>> {
        self.named.get(name).cloned().ok_or_else(|| {
            Error::new(
                SqlState::INVALID_SQL_STATEMENT_NAME,
                match name {
                    "" => "unnamed prepared statement does not exist".to_string(),
                    _ => format!("prepared statement \"{name}\" does not exist"),
                },
            )
        })
    }

    /// 42P05 for a name in use; the unnamed one is replaced.
    pub fn check_free(&self, name: &str) -> Result<()> {
        if self.named.is_taken(name) {
            return Err(Error::new(
                SqlState::DUPLICATE_PREPARED_STATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        Ok(())
    }

    pub fn put(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.named.put(name, prepared);
    }

    pub fn remove(&mut self, name: &str) -> bool {
        self.named.remove(name)
    }

    pub fn clear(&mut self) {
        self.named.clear();
    }
}

/// The type that a name in PREPARE means; `None` for one that is not built in.
pub fn type_by_name(name: &str) -> Option<PgType> {
    let lower = name.trim().to_ascii_lowercase();
    let lower = lower.strip_prefix("pg_catalog.").unwrap_or(&lower);
    if let Some(element) = lower.strip_suffix("[]") {
        return type_by_name(element).map(|element| element.array());
    }
    let base = lower.split('(').next().unwrap_or_default().trim_end();
    Some(match base {
        "unknown" => PgType::UNKNOWN,
        "bool" | "boolean" => PgType::BOOL,
        "int2" | "smallint" => PgType::INT2,
        "int" | "int4" | "integer" => PgType::INT4,
        "int8" | "bigint" => PgType::INT8,
        "float4" | "real" => PgType::FLOAT4,
        "float" | "float8" | "double precision" => PgType::FLOAT8,
        "numeric" | "decimal" => PgType::NUMERIC,
        "text" => PgType::TEXT,
        "varchar" | "character varying" => PgType::VARCHAR,
        "char" | "character" | "bpchar" => PgType::BPCHAR,
        "name" => PgType::NAME,
        "bytea" => PgType::BYTEA,
        "uuid" => PgType::UUID,
        "json" => PgType::JSON,
        "jsonb" => PgType::JSONB,
        "date" => PgType::DATE,
        "time" | "time without time zone" => PgType::TIME,
        "timestamp" | "timestamp without time zone" => PgType::TIMESTAMP,
        "timestamptz" | "timestamp with time zone" => PgType::TIMESTAMPTZ,
        "interval" => PgType::INTERVAL,
        "oid" => PgType::OID,
        "regclass" => PgType::REGCLASS,
        "regtype" => PgType::REGTYPE,
        _ => return None,
    })
}
