//! Names to OIDs and back: to_regclass() and its kind, the text of `reg*` values,
//! quoting, and the parsing of identifiers.

use super::function::{Function, text_argument};
use super::value::Value;
use crate::error::{Result, SqlState};
use crate::names::quote_identifier;
use crate::pg_catalog::builtin;
use crate::pg_catalog::resolve;
use crate::pg_catalog::roles;
use crate::pg_catalog::snapshot::{Object, Seen};
use crate::types::{Oid, PgType};

const REGPROCEDURE: PgType = PgType {
    oid: 2202,
    typmod: -1,
};

pub const FUNCTIONS: &[Function] = &[
    Function::new("to_regclass", 1..=1, PgType::REGCLASS, |seen, arguments| {
        known(seen.regclass(text_argument("to_regclass", &arguments[0])?))
    }),
    Function::new("to_regtype", 1..=1, PgType::REGTYPE, |seen, arguments| {
        known(seen.regtype(text_argument("to_regtype", &arguments[0])?))
    }),
    Function::new(
        "to_regnamespace",
        1..=1,
        PgType::REGNAMESPACE,
        |seen, arguments| {
            known(seen.regnamespace(text_argument("to_regnamespace", &arguments[0])?))
        },
    ),
    Function::new("to_regproc", 1..=1, PgType::REGPROC, |_, arguments| {
        known(resolve::resolve_regproc(text_argument(
            "to_regproc",
            &arguments[0],
        )?))
    }),
    Function::new("to_regrole", 1..=1, PgType::REGROLE, |seen, arguments| {
        known(resolve::resolve_regrole(
            seen.vars,
            text_argument("to_regrole", &arguments[0])?,
        ))
    }),
    // The casts that the planner writes where it sees `x::regclass` and `x::regclass::text`.
    Function::new(
        "narrows_to_regclass",
        1..=1,
        PgType::REGCLASS,
        |seen, arguments| cast(&arguments[0], |text| seen.regclass(text)),
    ),
    Function::new(
        "narrows_to_regtype",
        1..=1,
        PgType::REGTYPE,
        |seen, arguments| cast(&arguments[0], |text| seen.regtype(text)),
    ),
    Function::new(
        "narrows_to_regnamespace",
        1..=1,
        PgType::REGNAMESPACE,
        |seen, arguments| cast(&arguments[0], |text| seen.regnamespace(text)),
    ),
    Function::new(
        "narrows_to_regproc",
        1..=1,
        PgType::REGPROC,
        |_, arguments| cast(&arguments[0], resolve::resolve_regproc),
    ),
    Function::new(
        "narrows_to_regprocedure",
        1..=1,
        REGPROCEDURE,
        |seen, arguments| cast(&arguments[0], |text| seen.regprocedure(text)),
    ),
    Function::new(
        "narrows_regprocedure_out",
        1..=1,
        PgType::TEXT,
        |_, arguments| printed(&arguments[0], resolve::regprocedure_text),
    ),
    Function::new(
        "narrows_to_regrole",
        1..=1,
        PgType::REGROLE,
        |seen, arguments| {
            cast(&arguments[0], |text| {
                resolve::resolve_regrole(seen.vars, text)
            })
        },
    ),
    Function::new(
        "narrows_regclass_out",
        1..=1,
        PgType::TEXT,
        |seen, arguments| printed(&arguments[0], |oid| seen.regclass_text(oid)),
    ),
    Function::new(
        "narrows_regtype_out",
        1..=1,
        PgType::TEXT,
        |seen, arguments| printed(&arguments[0], |oid| seen.regtype_text(oid)),
    ),
    Function::new(
        "narrows_regnamespace_out",
        1..=1,
        PgType::TEXT,
        |seen, arguments| printed(&arguments[0], |oid| seen.regnamespace_text(oid)),
    ),
    Function::new(
        "narrows_regproc_out",
        1..=1,
        PgType::TEXT,
        |seen, arguments| printed(&arguments[0], |oid| seen.regproc_text(oid)),
    ),
    Function::new(
        "narrows_regrole_out",
        1..=1,
        PgType::TEXT,
        |seen, arguments| printed(&arguments[0], |oid| resolve::regrole_text(seen.vars, oid)),
    ),
    Function::new("pg_get_userbyid", 1..=1, PgType::NAME, user_name),
    Function::new("quote_ident", 1..=1, PgType::TEXT, |_, arguments| {
        Ok(Value::text(quote_identifier(&arguments[0].display())))
    }),
    Function::new("quote_literal", 1..=1, PgType::TEXT, |_, arguments| {
        Ok(Value::text(literal(&arguments[0].display())))
    }),
    Function::new("quote_nullable", 1..=1, PgType::TEXT, |_, arguments| {
        Ok(Value::text(match &arguments[0] {
            Value::Null => "NULL".to_string(),
            other => literal(&other.display()),
        }))
    })
    .passed_nulls(),
    Function::new("parse_ident", 1..=2, PgType::TEXT_ARRAY, parse_identifier),
    Function::new(
        "pg_table_is_visible",
        1..=1,
        PgType::BOOL,
        |seen, arguments| {
            Ok(arguments[0]
                .oid()
                .and_then(|oid| class_is_visible(seen, oid))
                .into())
        },
    ),
    Function::new(
        "pg_type_is_visible",
        1..=1,
        PgType::BOOL,
        |seen, arguments| {
            let visible = arguments[0]
                .oid()
                .and_then(|oid| type_is_visible(seen, oid));
            Ok(visible.into())
        },
    ),
    Function::new(
        "pg_function_is_visible",
        1..=1,
        PgType::BOOL,
        |seen, arguments| {
            let schema = arguments[0].oid().and_then(|oid| {
                let of_source = || seen.source_function(oid).map(|(schema, _)| schema);
                builtin::function(oid)
                    .map(|facts| facts.namespace)
                    .or_else(of_source)
            });
            Ok(schema.map(|schema| in_path(seen, schema)).into())
        },
    ),
    Function::new(
        "pg_operator_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_opclass_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_opfamily_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_conversion_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_collation_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_ts_config_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_ts_dict_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_ts_parser_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_ts_template_is_visible",
        1..=1,
        PgType::BOOL,
        builtin_is_visible,
    ),
    Function::new(
        "pg_statistics_obj_is_visible",
        1..=1,
        PgType::BOOL,
        |_, _| Ok(Value::Null),
    ),
];

/// NULL for a name of nothing; malformed names stay errors.
fn known(found: Result<i64>) -> Result<Value> {
    match found {
        Ok(oid) => Ok(Value::Int(oid)),
        Err(error) if error.state() == SqlState::INVALID_NAME => Err(error),
        Err(_) => Ok(Value::Null),
    }
}

/// Text is looked up, numbers stay what they are.
fn cast(argument: &Value, look_up: impl Fn(&str) -> Result<i64>) -> Result<Value> {
    match argument {
        Value::Text(text) => look_up(text).map(Value::Int),
        other => Ok(other.integer().into()),
    }
}

fn printed(argument: &Value, text: impl Fn(i64) -> String) -> Result<Value> {
    Ok(argument.integer().map(text).into())
}

fn user_name(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let oid = arguments[0].integer().unwrap_or_default();
    let role = arguments[0]
        .oid()
        .and_then(|oid| roles::role(seen.vars, oid));
    Ok(Value::text(role.map_or_else(
        || format!("unknown (OID={oid})"),
        |role| role.name,
    )))
}

/// As Postgres quotes: E'…' where there is a backslash.
fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match text.contains('\\') {
        true => format!("E'{}'", doubled.replace('\\', "\\\\")),
        false => format!("'{doubled}'"),
    }
}

fn parse_identifier(_seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let text = text_argument("parse_ident", &arguments[0])?;
    let parts = resolve::split_name(text).map_err(|_| {
        crate::error::Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("string is not a valid identifier: \"{text}\""),
        )
    })?;
    Ok(Value::List(parts.into_iter().map(Value::Text).collect()))
}

/// NULL for what does not exist.
fn class_is_visible(seen: &Seen, oid: Oid) -> Option<bool> {
    let (schema, name) = seen.class_name(oid)?;
    if !seen.search_path().contains(&schema) {
        return Some(false);
    }
    match seen.object(oid) {
        // the names of keys may repeat within a schema of a lake
        Some(Object::Index { .. }) => Some(true),
        _ => Some(seen.in_search_path(&name) == Some(oid)),
    }
}

/// NULL for what does not exist.
fn type_is_visible(seen: &Seen, oid: Oid) -> Option<bool> {
    if let Some(facts) = builtin::type_of(oid) {
        return Some(in_path(seen, facts.namespace));
    }
    let of = seen.source_type(oid)?;
    let found = seen.type_in_search_path(&of.facts.name);
    Some(found.is_some_and(|found| found.oid == oid))
}

fn in_path(seen: &Seen, namespace: Oid) -> bool {
    let name = seen.namespace_name(namespace);
    name.is_some_and(|name| seen.search_path().contains(&name))
}

/// Objects that exist in pg_catalog alone.
fn builtin_is_visible(_seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::Bool(true))
}
