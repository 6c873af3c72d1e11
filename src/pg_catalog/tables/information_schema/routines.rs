//! routines and parameters: the built-in functions, which everybody may run.

use datafusion::arrow::array::RecordBatch;

use super::SCHEMA;
use crate::error::Result;
use crate::pg_catalog::builtin::{self, FunctionFacts};
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::type_names::{Modifier, format_type};
use crate::types::Oid;

pub fn routines(seen: &Seen) -> Result<RecordBatch> {
    let functions = builtin::functions();
    let database = &*seen.vars.database;
    Frame::of(SCHEMA, "routines", functions.len())?
        .all_text("specific_catalog", database)
        .text(
            "specific_schema",
            functions.iter().map(|function| schema(function)),
        )
        .text(
            "specific_name",
            functions.iter().map(|function| specific(function)),
        )
        .all_text("routine_catalog", database)
        .text(
            "routine_schema",
            functions.iter().map(|function| schema(function)),
        )
        .text(
            "routine_name",
            functions.iter().map(|function| &function.name),
        )
        .maybe_text(
            "routine_type",
            functions.iter().map(|function| match function.kind {
                'f' => Some("FUNCTION"),
                'p' => Some("PROCEDURE"),
                _ => None,
            }),
        )
        .text(
            "data_type",
            functions.iter().map(|function| data_type(function.result)),
        )
        .all_text("type_udt_catalog", database)
        .all_text("type_udt_schema", "pg_catalog")
        .maybe_text(
            "type_udt_name",
            functions.iter().map(|function| udt_name(function.result)),
        )
        .all_text("dtd_identifier", "0")
        .all_text("routine_body", "EXTERNAL")
        .all_text("parameter_style", "GENERAL")
        .all_text("sql_data_access", "MODIFIES")
        .all_text("security_type", "INVOKER")
        .finish()
}

pub fn parameters(seen: &Seen) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for function in builtin::functions() {
        let types = match function.all_arguments.is_empty() {
            true => &function.arguments,
            false => &function.all_arguments,
        };
        rows.extend(
            types
                .iter()
                .enumerate()
                .map(|(at, oid)| (function, at, *oid)),
        );
    }
    let database = &*seen.vars.database;
    let mode =
        |function: &FunctionFacts, at: usize| match function.modes.get(at).map(String::as_str) {
            Some("o" | "t") => "OUT",
            Some("b") => "INOUT",
            _ => "IN",
        };
    let name = |function: &'static FunctionFacts, at: usize| {
        function
            .names
            .get(at)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    };
    Frame::of(SCHEMA, "parameters", rows.len())?
        .all_text("specific_catalog", database)
        .text("specific_schema", rows.iter().map(|row| schema(row.0)))
        .text("specific_name", rows.iter().map(|row| specific(row.0)))
        .int("ordinal_position", rows.iter().map(|row| row.1 as i64 + 1))
        .text("parameter_mode", rows.iter().map(|row| mode(row.0, row.1)))
        .all_text("is_result", "NO")
        .all_text("as_locator", "NO")
        .maybe_text("parameter_name", rows.iter().map(|row| name(row.0, row.1)))
        .text("data_type", rows.iter().map(|row| data_type(row.2)))
        .all_text("udt_catalog", database)
        .all_text("udt_schema", "pg_catalog")
        .maybe_text("udt_name", rows.iter().map(|row| udt_name(row.2)))
        .text(
            "dtd_identifier",
            rows.iter().map(|row| (row.1 + 1).to_string()),
        )
        .finish()
}

fn schema(function: &FunctionFacts) -> &'static str {
    match function.namespace {
        oids::SCHEMA_PG_CATALOG => "pg_catalog",
        _ => SCHEMA,
    }
}

fn specific(function: &FunctionFacts) -> String {
    format!("{}_{}", function.name, function.oid)
}

fn data_type(oid: Oid) -> String {
    match builtin::type_of(oid) {
        Some(facts) if facts.category == 'A' && facts.length == -1 => "ARRAY".to_string(),
        _ => format_type(oid, Modifier::NotAsked),
    }
}

fn udt_name(oid: Oid) -> Option<&'static String> {
    builtin::type_of(oid).map(|facts| &facts.name)
}
