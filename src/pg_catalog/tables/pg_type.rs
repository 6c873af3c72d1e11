//! pg_type, pg_enum and pg_range: the types that sources define, and pg_proc: the
//! functions that they bring for their values, for clients that join the two.

use datafusion::arrow::array::RecordBatch;

use super::owner;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::source_types::{Part, Type, collation, fixed};
use crate::sources::{Domain, EnumLabel, Range, SourceFunction, TypeFunctions, TypeKind};
use crate::types::Oid;

/// Of every array type: array_in, array_out, array_recv, array_send, array_typanalyze
/// and array_subscript_handler.
static ARRAY_FUNCTIONS: TypeFunctions = TypeFunctions {
    input: 750,
    output: 751,
    receive: 2400,
    send: 2401,
    modifier_in: 0,
    modifier_out: 0,
    analyze: 3816,
    subscript: 6179,
    own: Vec::new(),
};
/// pg_language's C.
const LANGUAGE_C: i64 = 13;

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let types = seen.source_types();
    let oid = |of: fn(&Type) -> Oid| types.iter().map(move |row| i64::from(of(row)));
    let itself = |of: fn(&Type) -> bool| {
        types
            .iter()
            .map(move |row| row.part == Part::Itself && of(row))
    };
    let default = || types.iter().map(|row| default(row));
    Frame::of("pg_catalog", "pg_type", types.len())?
        .int("oid", oid(|row| row.facts.oid))
        .text("typname", types.iter().map(|row| &row.facts.name))
        .int("typnamespace", oid(|row| row.facts.namespace))
        .all_int("typowner", owner())
        .int("typlen", types.iter().map(|row| row.facts.length))
        .bool("typbyval", types.iter().map(|row| row.facts.by_value))
        .text(
            "typtype",
            types.iter().map(|row| row.facts.kind.to_string()),
        )
        .text(
            "typcategory",
            types.iter().map(|row| row.facts.category.to_string()),
        )
        .bool("typispreferred", itself(|row| row.declared.preferred))
        .all_bool("typisdefined", true)
        .text(
            "typdelim",
            types.iter().map(|row| row.declared.delimiter.to_string()),
        )
        .int("typrelid", oid(|row| row.relation))
        .int("typsubscript", oid(|row| functions(row).subscript))
        .int("typelem", oid(|row| row.facts.element))
        .int("typarray", types.iter().map(|row| array(seen, row)))
        .int("typinput", oid(|row| functions(row).input))
        .int("typoutput", oid(|row| functions(row).output))
        .int("typreceive", oid(|row| functions(row).receive))
        .int("typsend", oid(|row| functions(row).send))
        // an array's are those of its element
        .int("typmodin", oid(|row| row.declared.functions.modifier_in))
        .int("typmodout", oid(|row| row.declared.functions.modifier_out))
        .int("typanalyze", oid(|row| functions(row).analyze))
        .text("typalign", types.iter().map(|row| &row.facts.align))
        .text("typstorage", types.iter().map(|row| &row.facts.storage))
        .bool(
            "typnotnull",
            itself(|row| domain(row).is_some_and(|domain| domain.not_null)),
        )
        .int("typbasetype", oid(|row| row.facts.base))
        .int(
            "typtypmod",
            types.iter().map(|row| i64::from(row.facts.typmod)),
        )
        .int(
            "typndims",
            types
                .iter()
                .map(|row| domain(row).map_or(0, |domain| i64::from(domain.dimensions))),
        )
        .int("typcollation", oid(|row| row.facts.collation))
        .maybe_text("typdefaultbin", default())
        .maybe_text("typdefault", default())
        .finish()
}

fn functions(row: &Type) -> &TypeFunctions {
    match row.part {
        Part::Itself => &row.declared.functions,
        Part::Array => &ARRAY_FUNCTIONS,
    }
}

fn domain(row: &Type) -> Option<&Domain> {
    match (&row.declared.kind, row.part) {
        (TypeKind::Domain(domain), Part::Itself) => Some(domain),
        _ => None,
    }
}

fn default(row: &Type) -> Option<&String> {
    row.declared
        .default
        .as_ref()
        .filter(|_| row.part == Part::Itself)
}

/// 0 where another source's type has the OID of the array type.
fn array(seen: &Seen, row: &Type) -> i64 {
    let array = seen.source_type(row.facts.array);
    let is_its = |array: &&Type| array.declared.is_copy_of(&row.declared);
    array
        .filter(is_its)
        .map_or(0, |array| i64::from(array.facts.oid))
}

pub fn enums(seen: &Seen) -> Result<RecordBatch> {
    let mut rows: Vec<(Oid, &EnumLabel)> = Vec::new();
    for row in of_itself(seen) {
        if let TypeKind::Enum(labels) = &row.declared.kind {
            rows.extend(labels.iter().map(|label| (row.facts.oid, label)));
        }
    }
    Frame::of("pg_catalog", "pg_enum", rows.len())?
        .int("oid", rows.iter().map(|(_, label)| i64::from(label.oid)))
        .int("enumtypid", rows.iter().map(|(of, _)| i64::from(*of)))
        .float(
            "enumsortorder",
            rows.iter().map(|(_, label)| f64::from(label.order)),
        )
        .text("enumlabel", rows.iter().map(|(_, label)| &label.label))
        .finish()
}

pub fn ranges(seen: &Seen) -> Result<RecordBatch> {
    let mut rows: Vec<(Oid, &Range)> = Vec::new();
    for row in of_itself(seen) {
        if let TypeKind::Range(range) = &row.declared.kind {
            rows.push((row.facts.oid, range));
        }
    }
    let multirange = |(of, range): &(Oid, &Range)| {
        let found = seen.source_type(range.multirange);
        let is_its = |found: &&Type| found.declared.kind == TypeKind::Multirange(*of);
        found
            .filter(is_its)
            .map_or(0, |found| i64::from(found.facts.oid))
    };
    let collations = rows
        .iter()
        .map(|(_, range)| i64::from(collation(range.collation)));
    Frame::of("pg_catalog", "pg_range", rows.len())?
        .int("rngtypid", rows.iter().map(|(of, _)| i64::from(*of)))
        .int(
            "rngsubtype",
            rows.iter().map(|(_, range)| i64::from(range.subtype)),
        )
        .int("rngmultitypid", rows.iter().map(multirange))
        .int("rngcollation", collations)
        .int(
            "rngsubopc",
            rows.iter().map(|(_, range)| fixed(range.operator_class)),
        )
        .int(
            "rngcanonical",
            rows.iter().map(|(_, range)| fixed(range.canonical)),
        )
        .int(
            "rngsubdiff",
            rows.iter().map(|(_, range)| fixed(range.difference)),
        )
        .finish()
}

/// In pg_proc.
pub fn value_functions(seen: &Seen) -> Result<RecordBatch> {
    let mut rows: Vec<(Oid, &SourceFunction)> = Vec::new();
    for row in of_itself(seen) {
        let own = row.declared.functions.own.iter();
        rows.extend(own.map(|function| (row.facts.namespace, function)));
    }
    rows.sort_by_key(|(_, function)| function.oid);
    // types may share one
    rows.dedup_by_key(|(_, function)| function.oid);
    Frame::of("pg_catalog", "pg_proc", rows.len())?
        .int("oid", rows.iter().map(|(_, f)| i64::from(f.oid)))
        .text("proname", rows.iter().map(|(_, f)| &f.name))
        .int(
            "pronamespace",
            rows.iter().map(|(namespace, _)| i64::from(*namespace)),
        )
        .all_int("proowner", owner())
        .all_int("prolang", LANGUAGE_C)
        .float("procost", rows.iter().map(|_| 1.0))
        .all_text("prokind", "f")
        .bool("proisstrict", rows.iter().map(|(_, f)| f.strict))
        .text(
            "provolatile",
            rows.iter().map(|(_, f)| f.volatility.to_string()),
        )
        .all_text("proparallel", "s")
        .int(
            "pronargs",
            rows.iter().map(|(_, f)| f.arguments.len() as i64),
        )
        .int("prorettype", rows.iter().map(|(_, f)| i64::from(f.result)))
        .ints(
            "proargtypes",
            rows.iter().map(|(_, f)| {
                f.arguments
                    .iter()
                    .map(|oid| i64::from(*oid))
                    .collect::<Vec<_>>()
            }),
        )
        .text("prosrc", rows.iter().map(|(_, f)| &f.name))
        .finish()
}

fn of_itself<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Type> {
    let types = seen.source_types().into_iter();
    types.filter(|row| row.part == Part::Itself)
}
