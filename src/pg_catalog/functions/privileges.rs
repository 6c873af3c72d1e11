//! has_…_privilege() and pg_has_role(), answered from what catalog.toml grants
//! (table 9.71 "Access Privilege Inquiry Functions" of the Postgres manual).
//! A leading user argument may name the session's user or the bootstrap role;
//! what others may do is not told.

use super::function::{Function, relation_argument, text_argument};
use super::value::Value;
use crate::error::{Error, Result, SqlState};
use crate::pg_catalog::builtin;
use crate::pg_catalog::roles::{self, Role};
use crate::pg_catalog::snapshot::Seen;
use crate::types::{Oid, PgType};

pub const FUNCTIONS: &[Function] = &[
    Function::new(
        "has_table_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| {
            let (role, [relation, privilege]) = split(seen, arguments)?;
            table(seen, &role, relation, privilege, TABLE)
        },
    ),
    Function::new(
        "has_any_column_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| {
            let (role, [relation, privilege]) = split(seen, arguments)?;
            table(seen, &role, relation, privilege, COLUMN)
        },
    ),
    Function::new(
        "has_column_privilege",
        3..=4,
        PgType::BOOL,
        |seen, arguments| {
            let (role, [relation, column, privilege]) = split(seen, arguments)?;
            match column_exists(seen, relation, column)? {
                true => table(seen, &role, relation, privilege, COLUMN),
                false => Ok(Value::Null),
            }
        },
    ),
    Function::new("has_schema_privilege", 2..=3, PgType::BOOL, schema),
    Function::new(
        "has_database_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| {
            named(
                seen,
                arguments,
                &["CREATE", "CONNECT", "TEMPORARY", "TEMP"],
                &["CONNECT"],
            )
        },
    ),
    Function::new(
        "has_function_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["EXECUTE"], &["EXECUTE"]),
    ),
    Function::new(
        "has_language_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["USAGE"], &["USAGE"]),
    ),
    Function::new(
        "has_type_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["USAGE"], &["USAGE"]),
    ),
    Function::new(
        "has_sequence_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["USAGE", "SELECT", "UPDATE"], &[]),
    ),
    Function::new(
        "has_server_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["USAGE"], &[]),
    ),
    Function::new(
        "has_foreign_data_wrapper_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["USAGE"], &[]),
    ),
    Function::new(
        "has_tablespace_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["CREATE"], &[]),
    ),
    Function::new(
        "has_parameter_privilege",
        2..=3,
        PgType::BOOL,
        |seen, arguments| named(seen, arguments, &["SET", "ALTER SYSTEM"], &["SET"]),
    ),
    Function::new("pg_has_role", 2..=3, PgType::BOOL, has_role),
    Function::new("row_security_active", 1..=1, PgType::BOOL, |_, _| {
        Ok(Value::Bool(false))
    }),
];

const TABLE: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "MAINTAIN",
];
const COLUMN: &[&str] = &["SELECT", "INSERT", "UPDATE", "REFERENCES"];

/// The role asked about, and the arguments after it.
fn split<'a, const N: usize>(
    seen: &Seen,
    arguments: &'a [Value],
) -> Result<(Role, &'a [Value; N])> {
    let (user, rest) = arguments.split_at(arguments.len().saturating_sub(N));
    let rest = rest
        .try_into()
        .map_err(|_| Error::internal("too few arguments"))?;
    let role = match user.first() {
        Some(user) => role_argument(seen, user)?,
        None => role_argument(seen, &Value::text(&*seen.vars.user))?,
    };
    Ok((role, rest))
}

fn role_argument(seen: &Seen, argument: &Value) -> Result<Role> {
    let missing = |what: String| Error::new(SqlState::UNDEFINED_OBJECT, what);
    match argument {
        Value::Text(name) => roles::role_named(seen.vars, name)
            .ok_or_else(|| missing(format!("role \"{name}\" does not exist"))),
        other => {
            let role = other.oid().and_then(|oid| roles::role(seen.vars, oid));
            let oid = other.integer().unwrap_or_default();
            role.ok_or_else(|| missing(format!("role with OID {oid} does not exist")))
        }
    }
}

/// Any of "SELECT, INSERT WITH GRANT OPTION": each with whether it may be granted on.
fn privileges(text: &Value, known: &[&str]) -> Result<Vec<(String, bool)>> {
    let text = text_argument("has_table_privilege", text)?;
    let one = |word: &str| {
        let word = word.trim().to_ascii_uppercase();
        let (name, grantable) = match word.strip_suffix(" WITH GRANT OPTION") {
            Some(name) => (name.trim_end().to_string(), true),
            None => (word, false),
        };
        match known.contains(&name.as_str()) {
            true => Ok((name, grantable)),
            false => Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!(
                    "unrecognized privilege type: \"{}\"",
                    name.to_ascii_lowercase()
                ),
            )),
        }
    };
    text.split(',').map(one).collect()
}

fn table(
    seen: &Seen,
    role: &Role,
    relation: &Value,
    privilege: &Value,
    known: &[&str],
) -> Result<Value> {
    let wanted = privileges(privilege, known)?;
    let Some(oid) = relation_argument(seen, relation)? else {
        return Ok(Value::Null);
    };
    let own = role.name == *seen.vars.user;
    let grants = &seen.vars.grants;
    let allowed = |name: &str| match seen.relation(oid) {
        Some(relation) => match name {
            "SELECT" => own && grants.may_read(&relation.table.name),
            "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" => {
                own && grants.may_write(&relation.table.name)
            }
            _ => false,
        },
        None => name == "SELECT",
    };
    if seen.relation(oid).is_none() && builtin::system_relation_by_oid(oid).is_none() {
        return Ok(Value::Null);
    }
    let any = wanted
        .iter()
        .any(|(name, grantable)| role.superuser || (!grantable && allowed(name)));
    Ok(Value::Bool(any))
}

/// 42703 for a name that is no column; false for a number that is none.
fn column_exists(seen: &Seen, relation: &Value, column: &Value) -> Result<bool> {
    let Some(oid) = relation_argument(seen, relation)? else {
        return Ok(false);
    };
    let names = column_names(seen, oid);
    match column {
        Value::Text(name) if names.contains(&name.as_str()) => Ok(true),
        Value::Text(name) => Err(Error::new(
            SqlState::UNDEFINED_COLUMN,
            format!(
                "column \"{name}\" of relation \"{}\" does not exist",
                relation.display()
            ),
        )),
        number => {
            let number = number
                .integer()
                .and_then(|number| usize::try_from(number).ok());
            Ok(number.is_some_and(|number| (1..=names.len()).contains(&number)))
        }
    }
}

fn column_names<'a>(seen: &Seen<'a>, oid: Oid) -> Vec<&'a str> {
    match (seen.relation(oid), builtin::system_relation_by_oid(oid)) {
        (Some(relation), _) => relation
            .table
            .columns
            .iter()
            .map(|c| c.name.as_str())
            .collect(),
        (None, Some(system)) => system.columns.iter().map(|c| c.name.as_str()).collect(),
        (None, None) => Vec::new(),
    }
}

fn schema(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let (role, [schema, privilege]) = split(seen, arguments)?;
    let wanted = privileges(privilege, &["CREATE", "USAGE"])?;
    match schema {
        Value::Text(name) if !seen.schema_exists(name) => {
            return Err(Error::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{name}\" does not exist"),
            ));
        }
        Value::Text(_) => {}
        other => {
            if other
                .oid()
                .and_then(|oid| seen.namespace_name(oid))
                .is_none()
            {
                return Ok(Value::Null);
            }
        }
    }
    Ok(Value::Bool(wanted.iter().any(|(name, grantable)| {
        role.superuser || (!grantable && name == "USAGE")
    })))
}

/// Of kinds of objects where every role has the same privileges.
fn named(seen: &Seen, arguments: &[Value], known: &[&str], held: &[&str]) -> Result<Value> {
    let (role, [_object, privilege]) = split(seen, arguments)?;
    let wanted = privileges(privilege, known)?;
    Ok(Value::Bool(wanted.iter().any(|(name, grantable)| {
        role.superuser || (!grantable && held.contains(&name.as_str()))
    })))
}

/// Nobody is a member of another role; the bootstrap role is of all.
fn has_role(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let (member, [role, privilege]) = split(seen, arguments)?;
    privileges(privilege, &["USAGE", "MEMBER", "SET"])?;
    let role = role_argument(seen, role)?;
    Ok(Value::Bool(member.superuser || member == role))
}
