//! Sizes as sources report them, and bytes as people read them
//! (table 9.100 "Database Object Size Functions" of the Postgres manual).
//! A size that a source does not tell is NULL, as it is for a missing relation.

use super::function::{Function, relation_argument, text_argument};
use super::value::Value;
use crate::error::{Error, Result, SqlState};
use crate::pg_catalog::builtin;
use crate::pg_catalog::snapshot::Seen;
use crate::types::PgType;

pub const FUNCTIONS: &[Function] = &[
    Function::new("pg_relation_size", 1..=2, PgType::INT8, relation_size),
    Function::new("pg_table_size", 1..=1, PgType::INT8, relation_size),
    Function::new("pg_total_relation_size", 1..=1, PgType::INT8, relation_size),
    Function::new("pg_indexes_size", 1..=1, PgType::INT8, |_, _| {
        Ok(Value::Int(0))
    }),
    Function::new("pg_database_size", 1..=1, PgType::INT8, |seen, _| {
        let relations = seen.relations();
        let bytes = relations
            .iter()
            .filter_map(|relation| relation.table.bytes)
            .sum::<u64>();
        Ok(Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX)))
    }),
    Function::new("pg_tablespace_size", 1..=1, PgType::INT8, |_, _| {
        Ok(Value::Null)
    }),
    Function::new("pg_size_pretty", 1..=1, PgType::TEXT, pretty),
    Function::new("pg_size_bytes", 1..=1, PgType::INT8, bytes),
];

fn relation_size(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let Some(oid) = relation_argument(seen, &arguments[0])? else {
        return Ok(Value::Null);
    };
    if builtin::class(oid).is_some() {
        return Ok(Value::Int(0));
    }
    let bytes = seen.relation(oid).and_then(|relation| relation.table.bytes);
    Ok(bytes.and_then(|bytes| i64::try_from(bytes).ok()).into())
}

/// Units and the bytes up to which Postgres prints them.
const UNITS: &[(&str, u32)] = &[
    ("bytes", 0),
    ("kB", 10),
    ("MB", 20),
    ("GB", 30),
    ("TB", 40),
    ("PB", 50),
];

fn pretty(_seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let size = match &arguments[0] {
        Value::Float(size) => *size as i128,
        // numeric comes as text
        Value::Text(text) => text
            .split('.')
            .next()
            .and_then(|t| t.parse().ok())
            .ok_or_else(|| {
                Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("invalid input syntax for type bigint: \"{text}\""),
                )
            })?,
        other => i128::from(other.integer().unwrap_or_default()),
    };
    Ok(Value::text(pretty_size(size)))
}

/// A unit is used up to 10239 of it, rounded half away from zero.
fn pretty_size(size: i128) -> String {
    let last = UNITS.len() - 1;
    let mut unit = 0;
    let rounded = |unit: usize| match UNITS[unit].1 {
        0 => size,
        shift => {
            let half = 1i128 << (shift - 1);
            (size.abs() + half) / (1i128 << shift) * size.signum()
        }
    };
    while unit < last && rounded(unit).abs() >= 10 * 1024 {
        unit += 1;
    }
    format!("{} {}", rounded(unit), UNITS[unit].0)
}

fn bytes(_seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let text = text_argument("pg_size_bytes", &arguments[0])?;
    let invalid = || {
        Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid size: \"{text}\""),
        )
    };
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(trimmed.len());
    let number: f64 = trimmed[..end].parse().map_err(|_| invalid())?;
    let unit = trimmed[end..].trim();
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 0,
        "kb" => 10,
        "mb" => 20,
        "gb" => 30,
        "tb" => 40,
        "pb" => 50,
        _ => {
            return Err(invalid()
                .with_detail(format!("Invalid size unit: \"{unit}\"."))
                .with_hint(
                    "Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".",
                ));
        }
    };
    Ok(Value::Int((number * (1i64 << shift) as f64).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_printed_as_postgres_prints_them() {
        for (size, text) in [
            (0, "0 bytes"),
            (10239, "10239 bytes"),
            (10240, "10 kB"),
            (-10240, "-10 kB"),
            (7740399, "7559 kB"),
            (10485247, "10239 kB"),
            (10485248, "10 MB"),
            (1 << 40, "1024 GB"),
        ] {
            assert_eq!(pretty_size(size), text);
        }
    }
}
