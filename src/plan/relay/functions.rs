//! What is known of functions by their names: whether they look at their
//! arguments alone, and which of their arguments name relations. Asked for every
//! call; facts of built-in functions are those of pg_proc.

use crate::pg_catalog::builtin;
use crate::pg_catalog::oids;
use crate::types::Oid;

/// What a function may do beside computing a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Harmless,
    /// Advances a sequence.
    Advances,
    /// Tells what the session got from one.
    Recalls,
    /// Leaves a lock in the session.
    Keeps,
    /// Changes settings.
    Settings,
    /// Changes what random() gives.
    Seeds,
    /// Built in, but reads or changes what the statement does not name.
    Reaches,
    /// Not built in: may do anything.
    Unknown,
}

/// A function by its folded name. An extension may overload a built-in name for
/// types of its own; who may create functions on the source is trusted.
pub(super) fn standing(schema: Option<&str>, name: &str) -> Standing {
    match schema {
        None | Some("pg_catalog") => {}
        Some("information_schema") => return Standing::Harmless,
        Some(_) => return Standing::Unknown,
    }
    match name {
        "nextval" | "setval" => return Standing::Advances,
        "currval" | "lastval" => return Standing::Recalls,
        "set_config" => return Standing::Settings,
        "setseed" => return Standing::Seeds,
        "ts_stat" | "ts_rewrite" | "currtid2" | "gin_clean_pending_list" => {
            return Standing::Reaches;
        }
        _ => {}
    }
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if SESSION_LOCKS.contains(&name) {
        Standing::Keeps
    } else if IN_GRAMMAR.contains(&name) {
        Standing::Harmless
    } else if !is_builtin(name) {
        Standing::Unknown
    } else if starts(REACHING) || (name.starts_with("pg_") && !PG_HARMLESS.contains(&name)) {
        Standing::Reaches
    } else {
        Standing::Harmless
    }
}

/// Is it a function of pg_catalog, whatever else is called so?
pub fn is_builtin(name: &str) -> bool {
    let in_catalog = |namespace: Oid| namespace == oids::SCHEMA_PG_CATALOG;
    builtin::functions_named(name).any(|function| in_catalog(function.namespace))
        // A type's name converts to it.
        || builtin::type_named(name).is_some()
}

/// Calls in the grammar alone (section 9.18 of the Postgres manual, and others).
const IN_GRAMMAR: &[&str] = &[
    "coalesce",
    "current_time",
    "current_timestamp",
    "greatest",
    "grouping",
    "least",
    "localtime",
    "localtimestamp",
    "merge_action",
    "nullif",
    "of",
    "row",
    "xmlconcat",
];

const SESSION_LOCKS: &[&str] = &[
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
];

/// Run SQL that they are given, or read relations, files and large objects.
const REACHING: &[&str] = &[
    "binary_upgrade_",
    "brin_",
    "cursor_to_xml",
    "database_to_xml",
    "lo_",
    "loread",
    "lowrite",
    "query_to_xml",
    "schema_to_xml",
    "table_to_xml",
];

/// Of the pg_… functions these tell of their arguments, of types and of the
/// session; the others read catalogs, files and other sessions or steer the server.
const PG_HARMLESS: &[&str] = &[
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_backend_pid",
    "pg_basetype",
    "pg_client_encoding",
    "pg_collation_for",
    "pg_column_compression",
    "pg_column_size",
    "pg_current_snapshot",
    "pg_current_xact_id",
    "pg_current_xact_id_if_assigned",
    "pg_get_serial_sequence",
    "pg_indexes_size",
    "pg_input_error_info",
    "pg_input_is_valid",
    "pg_is_in_recovery",
    "pg_relation_size",
    "pg_size_bytes",
    "pg_size_pretty",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_snapshot_xip",
    "pg_snapshot_xmax",
    "pg_snapshot_xmin",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_trigger_depth",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "pg_typeof",
    "pg_visible_in_snapshot",
    "pg_xact_status",
];

/// What a constant names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    Relation,
    /// A sequence that is advanced or asked for its value.
    Sequence,
    /// `schema.name` of anything.
    Object,
    /// `schema.name(types)`
    Signature,
    Schema,
}

/// What the argument at `index` of `count` names, if the function takes its
/// constant as a name.
pub(super) fn names_in(function: &str, index: usize, count: usize) -> Option<Naming> {
    let from_end = count - index;
    match (function, index, from_end) {
        ("nextval" | "setval" | "currval", 0, _) => return Some(Naming::Sequence),
        ("to_regclass" | "pg_get_serial_sequence", 0, _) => return Some(Naming::Relation),
        ("to_regtype" | "to_regproc", 0, _) => return Some(Naming::Object),
        ("to_regprocedure", 0, _) => return Some(Naming::Signature),
        ("to_regnamespace", 0, _) => return Some(Naming::Schema),
        ("has_table_privilege" | "has_any_column_privilege", _, 2)
        | ("has_column_privilege", _, 3)
        | ("has_sequence_privilege", _, 2) => return Some(Naming::Relation),
        ("has_schema_privilege", _, 2) => return Some(Naming::Schema),
        ("has_type_privilege", _, 2) => return Some(Naming::Object),
        ("has_function_privilege", _, 2) => return Some(Naming::Signature),
        _ => {}
    }
    // Where every overload takes a name, the constant is one.
    let mut types = builtin::functions_named(function)
        .filter(|facts| facts.arguments.len() == count)
        .filter_map(|facts| facts.arguments.get(index).copied());
    let first = types.next()?;
    types.all(|other| other == first).then(|| of_type(first))?
}

fn of_type(oid: Oid) -> Option<Naming> {
    REG_TYPES
        .iter()
        .find(|(_, known, _)| *known == oid)
        .map(|(.., naming)| *naming)
}

/// What a constant cast to this type names.
pub(super) fn names_in_cast(to: &str) -> Option<Naming> {
    REG_TYPES
        .iter()
        .find(|(name, ..)| *name == to)
        .map(|(.., naming)| *naming)
}

/// Section 8.19 of the Postgres manual. Names of text search configurations and
/// operators stay as they are.
const REG_TYPES: &[(&str, Oid, Naming)] = &[
    ("regclass", 2205, Naming::Relation),
    ("regcollation", 4191, Naming::Object),
    ("regnamespace", 4089, Naming::Schema),
    ("regproc", 24, Naming::Object),
    ("regprocedure", 2202, Naming::Signature),
    ("regtype", 2206, Naming::Object),
];
