//! pg_class: sources' relations and the indexes of their keys. A page count of 0
//! keeps clients from splitting a read by ctid, which no relation here has.

use datafusion::arrow::array::RecordBatch;

use super::owner;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids;
use crate::pg_catalog::snapshot::{Relation, Seen};
use crate::sources::RelationKind;

struct Row<'a> {
    oid: u32,
    name: &'a str,
    relation: &'a Relation,
    kind: char,
    access_method: u32,
    columns: usize,
}

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for relation in seen.relations() {
        rows.push(of_relation(relation));
        rows.extend(relation.indexes().map(|(oid, key, _)| Row {
            oid,
            name: &key.name,
            relation,
            kind: match relation.table.kind {
                RelationKind::PartitionedTable => 'I',
                _ => 'i',
            },
            access_method: oids::AM_BTREE,
            columns: key.columns.len(),
        }));
    }
    let is_table = |row: &Row| matches!(row.kind, 'r' | 'p' | 'm' | 'f');
    Frame::of("pg_catalog", "pg_class", rows.len())?
        .int("oid", rows.iter().map(|row| i64::from(row.oid)))
        .text("relname", rows.iter().map(|row| row.name))
        .int(
            "relnamespace",
            rows.iter().map(|row| i64::from(row.relation.namespace)),
        )
        .all_int("relowner", owner())
        .int("relam", rows.iter().map(|row| i64::from(row.access_method)))
        .float("reltuples", rows.iter().map(tuples))
        .bool(
            "relhasindex",
            rows.iter()
                .map(|row| is_table(row) && row.relation.indexes().next().is_some()),
        )
        .all_text("relpersistence", "p")
        .text("relkind", rows.iter().map(|row| row.kind.to_string()))
        .int("relnatts", rows.iter().map(|row| row.columns as i64))
        .bool(
            "relhasrules",
            rows.iter().map(|row| matches!(row.kind, 'v' | 'm')),
        )
        .all_bool("relispopulated", true)
        .text(
            "relreplident",
            rows.iter().map(|row| {
                if matches!(row.kind, 'r' | 'p' | 'm') {
                    "d"
                } else {
                    "n"
                }
            }),
        )
        .finish()
}

fn of_relation(relation: &Relation) -> Row<'_> {
    Row {
        oid: relation.oid,
        name: relation.name(),
        relation,
        kind: relation.kind(),
        access_method: match relation.table.kind {
            RelationKind::Table | RelationKind::MaterializedView => oids::AM_HEAP,
            _ => 0,
        },
        columns: relation.table.columns.len(),
    }
}

/// -1: never counted.
fn tuples(row: &Row) -> f64 {
    match (row.relation.table.rows, row.kind) {
        (_, 'v') => 0.0,
        (Some(rows), _) => rows as f64,
        (None, _) => -1.0,
    }
}
