//! Definitions as SQL text: types, keys, indexes, views, defaults and functions
//! (table 9.76 "System Catalog Information Functions" of the Postgres manual).

use super::function::Function;
use super::value::Value;
use crate::error::Result;
use crate::names::quote_identifier;
use crate::pg_catalog::builtin::{self, FunctionFacts};
use crate::pg_catalog::snapshot::{Object, Relation, Seen};
use crate::pg_catalog::type_names::{Modifier, format_type};
use crate::sources::{Key, KeyKind};
use crate::types::{Oid, PgType};

pub const FUNCTIONS: &[Function] = &[
    Function::new("format_type", 2..=2, PgType::TEXT, type_text).passed_nulls(),
    Function::new("pg_get_expr", 2..=3, PgType::TEXT, expression),
    Function::new("pg_get_constraintdef", 1..=2, PgType::TEXT, constraint),
    Function::new("pg_get_indexdef", 1..=3, PgType::TEXT, index),
    Function::new("pg_get_viewdef", 1..=2, PgType::TEXT, not_known),
    Function::new("pg_get_ruledef", 1..=2, PgType::TEXT, not_known),
    Function::new("pg_get_triggerdef", 1..=2, PgType::TEXT, not_known),
    Function::new("pg_get_partkeydef", 1..=1, PgType::TEXT, not_known),
    Function::new(
        "pg_get_partition_constraintdef",
        1..=1,
        PgType::TEXT,
        not_known,
    ),
    Function::new("pg_get_statisticsobjdef", 1..=1, PgType::TEXT, not_known),
    Function::new(
        "pg_get_statisticsobjdef_columns",
        1..=1,
        PgType::TEXT,
        not_known,
    ),
    Function::new("pg_get_serial_sequence", 2..=2, PgType::TEXT, not_known),
    Function::new("pg_get_function_sqlbody", 1..=1, PgType::TEXT, not_known),
    Function::new(
        "pg_get_function_result",
        1..=1,
        PgType::TEXT,
        function_result,
    ),
    Function::new(
        "pg_get_function_arguments",
        1..=1,
        PgType::TEXT,
        function_arguments,
    ),
    Function::new(
        "pg_get_function_identity_arguments",
        1..=1,
        PgType::TEXT,
        function_arguments,
    ),
];

/// Sources have no such object, or do not tell its definition.
fn not_known(_seen: &Seen, _arguments: &[Value]) -> Result<Value> {
    Ok(Value::Null)
}

/// A modifier of NULL asks about the type alone.
fn type_text(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let modifier = match arguments[1].integer() {
        Some(typmod) => Modifier::Given(i32::try_from(typmod).unwrap_or(-1)),
        None => Modifier::NotAsked,
    };
    Ok(match arguments[0].oid() {
        Some(oid) => Value::text(seen.format_type(oid, modifier)),
        None => Value::Null,
    })
}

/// Expressions are kept as the SQL text that sources give.
fn expression(_seen: &Seen, arguments: &[Value]) -> Result<Value> {
    Ok(Value::text(arguments[0].display()))
}

fn constraint(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let builtin = arguments[0].oid().and_then(builtin::key);
    if let Some((index, primary)) = builtin {
        let kind = if primary { "PRIMARY KEY" } else { "UNIQUE" };
        let parts = index_parts(seen, index);
        return Ok(parts
            .map(|parts| format!("{kind} ({})", parts.columns.join(", ")))
            .into());
    }
    let check = arguments[0].oid().and_then(|oid| seen.domain_check(oid));
    if let Some(check) = check {
        return Ok(Value::text(check.definition.clone()));
    }
    let object = arguments[0].oid().and_then(|oid| seen.object(oid));
    let Some(Object::Constraint { relation, key }) = object else {
        return Ok(Value::Null);
    };
    let text = seen.snapshot.relations.get(relation).and_then(|relation| {
        let key = relation.table.keys.get(key)?;
        Some(constraint_text(seen, relation, key))
    });
    Ok(text.into())
}

/// "FOREIGN KEY (customer_id) REFERENCES shop.customers(id)"
fn constraint_text(seen: &Seen, relation: &Relation, key: &Key) -> String {
    let columns = key_columns(relation, key).join(", ");
    match &key.kind {
        KeyKind::Primary => format!("PRIMARY KEY ({columns})"),
        KeyKind::Unique => format!("UNIQUE ({columns})"),
        KeyKind::Foreign {
            table,
            columns: referenced,
        } => {
            let table = match seen.relation_named(table) {
                Some(relation) => seen.regclass_text(i64::from(relation.oid)),
                None => format!(
                    "{}.{}",
                    quote_identifier(&table.schema),
                    quote_identifier(&table.relation)
                ),
            };
            let referenced: Vec<String> = referenced
                .iter()
                .map(|name| quote_identifier(name))
                .collect();
            format!(
                "FOREIGN KEY ({columns}) REFERENCES {table}({})",
                referenced.join(", ")
            )
        }
    }
}

fn key_columns(relation: &Relation, key: &Key) -> Vec<String> {
    let columns = key
        .columns
        .iter()
        .filter_map(|at| relation.table.columns.get(*at));
    columns
        .map(|column| quote_identifier(&column.name))
        .collect()
}

/// The whole index, or with a second argument above 0 one of its columns.
fn index(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let Some(oid) = arguments[0].oid() else {
        return Ok(Value::Null);
    };
    let column = arguments
        .get(1)
        .and_then(Value::integer)
        .unwrap_or_default();
    let pretty = arguments.get(2).map_or(Ok(false), Value::boolean)?;
    let Some(parts) = index_parts(seen, oid) else {
        return Ok(Value::Null);
    };
    if column > 0 {
        let one = usize::try_from(column - 1)
            .ok()
            .and_then(|at| parts.columns.get(at).cloned());
        return Ok(Value::text(one.unwrap_or_default()));
    }
    Ok(Value::text(index_text(seen, &parts, pretty)))
}

struct IndexParts {
    name: String,
    table: Oid,
    unique: bool,
    columns: Vec<String>,
}

/// "CREATE UNIQUE INDEX orders_pkey ON shop.orders USING btree (id)"; pretty text
/// leaves out a schema that is in the search path.
fn index_text(seen: &Seen, parts: &IndexParts, pretty: bool) -> String {
    let table = match (pretty, seen.class_name(parts.table)) {
        (false, Some((schema, name))) => {
            format!("{}.{}", quote_identifier(&schema), quote_identifier(&name))
        }
        _ => seen.regclass_text(i64::from(parts.table)),
    };
    format!(
        "CREATE {}INDEX {} ON {table} USING btree ({})",
        if parts.unique { "UNIQUE " } else { "" },
        quote_identifier(&parts.name),
        parts.columns.join(", ")
    )
}

/// pg_indexes.indexdef.
pub fn index_definition(seen: &Seen, index: Oid) -> Option<String> {
    Some(index_text(seen, &index_parts(seen, index)?, false))
}

fn index_parts(seen: &Seen, oid: Oid) -> Option<IndexParts> {
    let name = seen.class_name(oid)?.1;
    if let Some(index) = builtin::index(oid) {
        let table = builtin::system_relation_by_oid(index.table)?;
        let column = |number: &i64| table.columns.get(usize::try_from(number - 1).ok()?);
        let columns = index.columns.iter().filter_map(column);
        return Some(IndexParts {
            name,
            table: index.table,
            unique: index.unique,
            columns: columns
                .map(|column| quote_identifier(&column.name))
                .collect(),
        });
    }
    let Object::Index { relation, key } = seen.object(oid)? else {
        return None;
    };
    let relation = seen.snapshot.relations.get(relation)?;
    Some(IndexParts {
        name,
        table: relation.oid,
        unique: true,
        columns: key_columns(relation, relation.table.keys.get(key)?),
    })
}

fn function_result(_seen: &Seen, arguments: &[Value]) -> Result<Value> {
    Ok(arguments[0]
        .oid()
        .and_then(builtin::function)
        .and_then(result_text)
        .into())
}

/// NULL for a procedure, which returns nothing.
fn result_text(function: &FunctionFacts) -> Option<String> {
    if function.kind == 'p' {
        return None;
    }
    let table: Vec<String> = all_arguments(function)
        .filter(|argument| argument.mode == "t")
        .map(|argument| argument.text())
        .collect();
    if !table.is_empty() {
        return Some(format!("TABLE({})", table.join(", ")));
    }
    let set = if function.returns_set { "SETOF " } else { "" };
    Some(format!(
        "{set}{}",
        format_type(function.result, Modifier::NotAsked)
    ))
}

fn function_arguments(_seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let text = |function: &FunctionFacts| {
        let listed = all_arguments(function).filter(|argument| argument.mode != "t");
        listed
            .map(|argument| argument.text())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Ok(arguments[0]
        .oid()
        .and_then(builtin::function)
        .map(text)
        .into())
}

struct Argument<'a> {
    mode: &'a str,
    name: &'a str,
    type_oid: Oid,
}

fn all_arguments(function: &FunctionFacts) -> impl Iterator<Item = Argument<'_>> {
    let types = match function.all_arguments.is_empty() {
        true => &function.arguments,
        false => &function.all_arguments,
    };
    types.iter().enumerate().map(|(at, type_oid)| Argument {
        mode: function.modes.get(at).map_or("i", String::as_str),
        name: function.names.get(at).map_or("", String::as_str),
        type_oid: *type_oid,
    })
}

impl Argument<'_> {
    fn text(&self) -> String {
        let mode = match self.mode {
            "o" => "OUT ",
            "b" => "INOUT ",
            "v" => "VARIADIC ",
            _ => "",
        };
        let name = match self.name {
            "" => String::new(),
            name => format!("{} ", quote_identifier(name)),
        };
        format!(
            "{mode}{name}{}",
            format_type(self.type_oid, Modifier::NotAsked)
        )
    }
}
