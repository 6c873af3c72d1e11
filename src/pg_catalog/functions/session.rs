//! What a session is told of itself and of the server (sections 9.26 "System
//! Information Functions" and 9.27.1 "Configuration Settings Functions" of the
//! Postgres manual).

use std::sync::LazyLock;

use chrono::{DateTime, Utc};

use super::function::{Function, text_argument};
use super::value::Value;
use crate::error::{Error, Result, SqlState};
use crate::pg_catalog::snapshot::Seen;
use crate::types::PgType;

const NAME_ARRAY: PgType = PgType {
    oid: 1003,
    typmod: -1,
};

pub const FUNCTIONS: &[Function] = &[
    Function::new("current_user", 0..=0, PgType::NAME, user),
    Function::new("session_user", 0..=0, PgType::NAME, user),
    Function::new("user", 0..=0, PgType::NAME, user),
    Function::new("current_role", 0..=0, PgType::NAME, user),
    Function::new("current_database", 0..=0, PgType::NAME, database),
    Function::new("current_catalog", 0..=0, PgType::NAME, database),
    Function::new("current_schema", 0..=0, PgType::NAME, |seen, _| {
        let path = seen.vars.search_path.iter();
        Ok(path
            .filter(|schema| seen.schema_exists(schema))
            .next()
            .cloned()
            .into())
    })
    .changing(),
    Function::new("current_schemas", 1..=1, NAME_ARRAY, schemas).changing(),
    Function::new("version", 0..=0, PgType::TEXT, |seen, _| {
        Ok(Value::text(version(seen)))
    }),
    Function::new("pg_backend_pid", 0..=0, PgType::INT4, |seen, _| {
        Ok(Value::Int(i64::from(seen.vars.pid)))
    }),
    Function::new("pg_is_in_recovery", 0..=0, PgType::BOOL, |_, _| {
        Ok(Value::Bool(false))
    }),
    Function::new("pg_is_wal_replay_paused", 0..=0, PgType::BOOL, |_, _| {
        Ok(Value::Bool(false))
    }),
    Function::new(
        "pg_postmaster_start_time",
        0..=0,
        PgType::TIMESTAMPTZ,
        started,
    ),
    Function::new("pg_conf_load_time", 0..=0, PgType::TIMESTAMPTZ, started),
    // As over a Unix socket: what address a client used is not the engine's to know.
    Function::new("inet_server_addr", 0..=0, PgType::TEXT, nothing),
    Function::new("inet_server_port", 0..=0, PgType::INT4, nothing),
    Function::new("inet_client_addr", 0..=0, PgType::TEXT, nothing),
    Function::new("inet_client_port", 0..=0, PgType::INT4, nothing),
    Function::new("txid_current", 0..=0, PgType::INT8, transaction).changing(),
    Function::new("pg_current_xact_id", 0..=0, PgType::INT8, transaction).changing(),
    Function::new("txid_current_if_assigned", 0..=0, PgType::INT8, nothing),
    Function::new(
        "pg_current_xact_id_if_assigned",
        0..=0,
        PgType::INT8,
        nothing,
    ),
    // age(xid), for the planner to take where the argument is no timestamp.
    Function::new("narrows_age_xid", 1..=1, PgType::INT4, |_, _| {
        Ok(Value::Int(0))
    }),
    Function::new("current_setting", 1..=2, PgType::TEXT, current_setting).changing(),
    // Its effect on the session is the session's work; this gives the value back.
    Function::new("set_config", 3..=3, PgType::TEXT, |_, arguments| {
        Ok(Value::text(arguments[1].display()))
    })
    .changing(),
    // There are no advisory locks to take, so none to give back.
    Function::new("pg_advisory_unlock_all", 0..=0, PgType::TEXT, void).changing(),
    Function::new("pg_advisory_unlock", 1..=2, PgType::BOOL, no).changing(),
    Function::new("pg_advisory_unlock_shared", 1..=2, PgType::BOOL, no).changing(),
    // Postgres answers false, too, for a process that is not a backend it knows.
    Function::new("pg_cancel_backend", 1..=1, PgType::BOOL, no).changing(),
    Function::new("pg_terminate_backend", 1..=2, PgType::BOOL, no).changing(),
    Function::new("pg_client_encoding", 0..=0, PgType::NAME, encoding),
    Function::new("getdatabaseencoding", 0..=0, PgType::NAME, encoding),
    Function::new(
        "pg_encoding_to_char",
        1..=1,
        PgType::NAME,
        |_, arguments| {
            let number = arguments[0].integer().unwrap_or(-1);
            let name = usize::try_from(number)
                .ok()
                .and_then(|at| ENCODINGS.get(at));
            Ok(Value::text(*name.unwrap_or(&"")))
        },
    ),
    Function::new(
        "pg_char_to_encoding",
        1..=1,
        PgType::INT4,
        |_, arguments| {
            let name = plain(&arguments[0].display());
            let at = ENCODINGS
                .iter()
                .position(|encoding| plain(encoding) == name);
            Ok(Value::Int(
                at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1),
            ))
        },
    ),
    Function::new("pg_my_temp_schema", 0..=0, PgType::OID, |_, _| {
        Ok(Value::Int(0))
    }),
    Function::new("pg_is_other_temp_schema", 1..=1, PgType::BOOL, no),
    Function::new("pg_relation_is_publishable", 1..=1, PgType::BOOL, no),
    Function::new("pg_relation_is_updatable", 2..=2, PgType::INT4, |_, _| {
        Ok(Value::Int(0))
    }),
    Function::new("pg_tablespace_location", 1..=1, PgType::TEXT, void),
    Function::new("pg_blocking_pids", 1..=1, PgType::INT8_ARRAY, |_, _| {
        Ok(Value::List(Vec::new()))
    }),
    // The partitioned ancestors of a relation: sources do not tell any.
    Function::new("pg_partition_ancestors", 1..=1, PgType::REGCLASS, nothing),
    Function::new("pg_partition_root", 1..=1, PgType::REGCLASS, nothing),
];

/// By number, as in table 24.3 "PostgreSQL Character Sets" and pg_wchar.h.
const ENCODINGS: &[&str] = &[
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

/// The start of the first engine, which is the start of the server.
pub static STARTED: LazyLock<DateTime<Utc>> = LazyLock::new(Utc::now);

fn user(seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::text(&*seen.vars.user))
}

fn database(seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::text(&*seen.vars.database))
}

fn schemas(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let mut path = seen.search_path();
    let implicit = seen
        .vars
        .search_path
        .iter()
        .all(|schema| schema != "pg_catalog");
    if implicit && !arguments[0].boolean()? {
        path.retain(|schema| schema != "pg_catalog");
    }
    Ok(Value::List(path.into_iter().map(Value::Text).collect()))
}

/// Drivers read the number after "PostgreSQL".
fn version(seen: &Seen) -> String {
    format!(
        "PostgreSQL {} (Narrows {}) on {}-{}, compiled by rustc, {}-bit",
        seen.vars.setting("server_version").unwrap_or("17.5"),
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        usize::BITS
    )
}

fn started(_seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::Time(STARTED.timestamp_micros()))
}

/// One number a transaction, later ones larger: its start, since no transaction
/// here writes rows that carry its number.
fn transaction(seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(seen.vars.transaction_start.timestamp_micros()))
}

fn current_setting(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let name = text_argument("current_setting", &arguments[0])?;
    let missing_is_null = arguments.get(1).map_or(Ok(false), Value::boolean)?;
    match seen.vars.setting(name) {
        Some(value) => Ok(Value::text(value)),
        None if missing_is_null => Ok(Value::Null),
        None => Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("unrecognized configuration parameter \"{name}\""),
        )),
    }
}

/// "utf-8" and "UTF8" are the same encoding.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_ascii_alphanumeric());
    let name: String = kept.map(|c| c.to_ascii_lowercase()).collect();
    match name.as_str() {
        "unicode" => "utf8".into(),
        "iso88591" => "latin1".into(),
        _ => name,
    }
}

fn encoding(_seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::text("UTF8"))
}

fn nothing(_seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::Null)
}

/// What a function of type void prints.
fn void(_seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::text(""))
}

fn no(_seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::Bool(false))
}
