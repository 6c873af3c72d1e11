//! pg_attribute: the columns of sources' relations and of their indexes. There
//! are no rows for xmin and its kind, which sources' tables do not have here.

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::builtin::{self, TypeFacts};
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;
use crate::sources::Column;

struct Row<'a> {
    relation: u32,
    number: usize,
    column: &'a Column,
    facts: Option<&'static TypeFacts>,
    of_index: bool,
}

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let rows = all(seen);
    let fact = |of: fn(&TypeFacts) -> i64| rows.iter().map(move |row| row.facts.map_or(0, of));
    let text = |of: fn(&'static TypeFacts) -> &'static str, other: &'static str| {
        rows.iter().map(move |row| row.facts.map_or(other, of))
    };
    Frame::of("pg_catalog", "pg_attribute", rows.len())?
        .int("attrelid", rows.iter().map(|row| i64::from(row.relation)))
        .text("attname", rows.iter().map(|row| &row.column.name))
        .int(
            "atttypid",
            rows.iter().map(|row| i64::from(row.column.pg_type.oid)),
        )
        .int("attlen", fact(|facts| facts.length))
        .int("attnum", rows.iter().map(|row| row.number as i64))
        .all_int("attcacheoff", -1)
        .int(
            "atttypmod",
            rows.iter().map(|row| i64::from(row.column.pg_type.typmod)),
        )
        .int("attndims", fact(|facts| i64::from(facts.category == 'A')))
        .bool(
            "attbyval",
            rows.iter()
                .map(|row| row.facts.is_some_and(|facts| facts.by_value)),
        )
        .text("attalign", text(|facts| &facts.align, "i"))
        .text("attstorage", text(|facts| &facts.storage, "x"))
        .bool(
            "attnotnull",
            rows.iter().map(|row| !row.column.nullable && !row.of_index),
        )
        .bool(
            "atthasdef",
            rows.iter()
                .map(|row| row.column.default.is_some() && !row.of_index),
        )
        .all_bool("attislocal", true)
        .int("attcollation", fact(|facts| i64::from(facts.collation)))
        .finish()
}

fn all<'a>(seen: &Seen<'a>) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let row = |relation, number, column: &'a Column, of_index| Row {
        relation,
        number,
        column,
        facts: builtin::type_of(column.pg_type.oid),
        of_index,
    };
    for relation in seen.relations() {
        let columns = &relation.table.columns;
        let numbered = columns.iter().zip(1..);
        rows.extend(numbered.map(|(column, number)| row(relation.oid, number, column, false)));
        for (index, key, _) in relation.indexes() {
            let columns = key
                .columns
                .iter()
                .filter_map(|at| columns.get(*at))
                .zip(1..);
            rows.extend(columns.map(|(column, number)| row(index, number, column, true)));
        }
    }
    rows
}
