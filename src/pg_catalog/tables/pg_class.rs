//! pg_class: sources' relations, the indexes of their keys and their composite
//! types. A page count of 0 keeps clients from splitting a read by ctid, which no relation here has.

use std::collections::HashMap;

use datafusion::arrow::array::RecordBatch;

use super::owner;
use super::pg_constraint::with_triggers;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids;
use crate::pg_catalog::snapshot::{Relation, Seen};
use crate::pg_catalog::source_types::{Part, Type};
use crate::sources::{RelationKind, TypeKind};

struct Row<'a> {
    oid: u32,
    name: &'a str,
    namespace: u32,
    /// `None`: a composite type.
    relation: Option<&'a Relation>,
    /// OID of the row type.
    row_type: u32,
    kind: char,
    access_method: u32,
    columns: usize,
}

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let types = seen.source_types();
    let row_types: HashMap<u32, u32> = types
        .iter()
        .map(|row| (row.relation, row.facts.oid))
        .collect();
    let mut rows = Vec::new();
    for relation in seen.relations() {
        rows.push(Row {
            row_type: row_types.get(&relation.oid).copied().unwrap_or_default(),
            ..of_relation(relation)
        });
        rows.extend(relation.indexes().map(|(oid, key, _)| Row {
            oid,
            name: &key.name,
            namespace: relation.namespace,
            relation: Some(relation),
            row_type: 0,
            kind: match relation.table.kind {
                RelationKind::PartitionedTable => 'I',
                _ => 'i',
            },
            access_method: oids::AM_BTREE,
            columns: key.columns.len(),
        }));
    }
    rows.extend(types.into_iter().filter_map(of_composite));
    let triggers = with_triggers(seen);
    let is_table = |row: &Row| matches!(row.kind, 'r' | 'p' | 'm' | 'f');
    Frame::of("pg_catalog", "pg_class", rows.len())?
        .int("oid", rows.iter().map(|row| i64::from(row.oid)))
        .text("relname", rows.iter().map(|row| row.name))
        .int(
            "relnamespace",
            rows.iter().map(|row| i64::from(row.namespace)),
        )
        .int("reltype", rows.iter().map(|row| i64::from(row.row_type)))
        .all_int("relowner", owner())
        .int("relam", rows.iter().map(|row| i64::from(row.access_method)))
        .float("reltuples", rows.iter().map(tuples))
        .bool(
            "relhasindex",
            rows.iter().map(|row| is_table(row) && has_index(row)),
        )
        .all_text("relpersistence", "p")
        .text("relkind", rows.iter().map(|row| row.kind.to_string()))
        .int("relnatts", rows.iter().map(|row| row.columns as i64))
        .bool(
            "relhasrules",
            rows.iter().map(|row| matches!(row.kind, 'v' | 'm')),
        )
        .bool(
            "relhastriggers",
            rows.iter().map(|row| triggers.contains(&row.oid)),
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
        namespace: relation.namespace,
        relation: Some(relation),
        row_type: 0,
        kind: relation.kind(),
        access_method: match relation.table.kind {
            RelationKind::Table | RelationKind::MaterializedView => oids::AM_HEAP,
            _ => 0,
        },
        columns: relation.table.columns.len(),
    }
}

fn of_composite(of: &Type) -> Option<Row<'_>> {
    let TypeKind::Composite(composite) = &of.declared.kind else {
        return None;
    };
    (of.part == Part::Itself).then(|| Row {
        oid: of.relation,
        name: &of.facts.name,
        namespace: of.facts.namespace,
        relation: None,
        row_type: of.facts.oid,
        kind: 'c',
        access_method: 0,
        // dropped attributes count
        columns: composite
            .attributes
            .last()
            .map_or(0, |last| usize::try_from(last.number).unwrap_or_default()),
    })
}

fn has_index(row: &Row) -> bool {
    row.relation
        .is_some_and(|relation| relation.indexes().next().is_some())
}

/// -1: never counted.
fn tuples(row: &Row) -> f64 {
    let rows = row.relation.and_then(|relation| relation.table.rows);
    match (rows, row.kind) {
        (_, 'v' | 'c') => 0.0,
        (Some(rows), _) => rows as f64,
        (None, _) => -1.0,
    }
}
