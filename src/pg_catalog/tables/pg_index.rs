//! pg_index: the primary and unique keys that sources report.

use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::{Relation, Seen};
use crate::pg_catalog::{builtin, data, oids};
use crate::sources::{Column, Key, KeyKind};
use crate::types::Oid;

struct Row<'a> {
    oid: Oid,
    relation: &'a Relation,
    key: &'a Key,
}

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for relation in seen.relations() {
        rows.extend(
            relation
                .indexes()
                .map(|(oid, key, _)| Row { oid, relation, key }),
        );
    }
    let count = || rows.iter().map(|row| row.key.columns.len() as i64);
    let each = |of: fn(&Column) -> i64| {
        rows.iter()
            .map(move |row| columns(row).map(of).collect::<Vec<i64>>())
    };
    Frame::of("pg_catalog", "pg_index", rows.len())?
        .int("indexrelid", rows.iter().map(|row| i64::from(row.oid)))
        .int(
            "indrelid",
            rows.iter().map(|row| i64::from(row.relation.oid)),
        )
        .int("indnatts", count())
        .int("indnkeyatts", count())
        .all_bool("indisunique", true)
        .bool(
            "indisprimary",
            rows.iter().map(|row| row.key.kind == KeyKind::Primary),
        )
        .all_bool("indimmediate", true)
        .all_bool("indisvalid", true)
        .all_bool("indisready", true)
        .all_bool("indislive", true)
        .ints("indkey", rows.iter().map(|row| numbers(row.key)))
        .ints("indcollation", each(collation))
        .ints("indclass", each(operator_class))
        .ints("indoption", each(|_| 0))
        .finish()
}

/// attnums.
pub fn numbers(key: &Key) -> Vec<i64> {
    key.columns.iter().map(|at| *at as i64 + 1).collect()
}

fn columns<'a>(row: &Row<'a>) -> impl Iterator<Item = &'a Column> {
    row.key
        .columns
        .iter()
        .filter_map(|at| row.relation.table.columns.get(*at))
}

fn collation(column: &Column) -> i64 {
    builtin::type_of(column.pg_type.oid).map_or(0, |facts| i64::from(facts.collation))
}

/// The default class of btree for the column's type; varchar has that of text.
fn operator_class(column: &Column) -> i64 {
    static DEFAULTS: LazyLock<HashMap<i64, i64>> = LazyLock::new(|| {
        let Some(rows) = data::rows("pg_opclass") else {
            return HashMap::new();
        };
        let (methods, defaults) = (rows.integers("opcmethod"), rows.texts("opcdefault"));
        let classes = rows
            .integers("opcintype")
            .into_iter()
            .zip(rows.integers("oid"));
        let is_default =
            |at: &usize| methods[*at] == i64::from(oids::AM_BTREE) && defaults[*at] == "t";
        classes
            .enumerate()
            .filter(|(at, _)| is_default(at))
            .map(|(_, class)| class)
            .collect()
    });
    let of_type = match column.pg_type.oid {
        1043 => 25,
        oid => i64::from(oid),
    };
    DEFAULTS.get(&of_type).copied().unwrap_or_default()
}
