//! Keys in the standard's terms: which constraints there are, over which columns,
//! and which ones they refer to. NOT NULL is a check constraint there.

use datafusion::arrow::array::RecordBatch;

use super::SCHEMA;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::{Relation, Seen};
use crate::pg_catalog::tables::pg_constraint::{Constraint, constraints};
use crate::sources::KeyKind;

struct Row<'a> {
    name: String,
    kind: &'static str,
    relation: &'a Relation,
}

pub fn table_constraints(seen: &Seen) -> Result<RecordBatch> {
    let mut rows: Vec<Row> = constraints(seen)
        .into_iter()
        .map(|constraint| Row {
            name: constraint.key.name.clone(),
            kind: match constraint.key.kind {
                KeyKind::Primary => "PRIMARY KEY",
                KeyKind::Unique => "UNIQUE",
                KeyKind::Foreign { .. } => "FOREIGN KEY",
            },
            relation: constraint.relation,
        })
        .collect();
    rows.extend(not_nulls(seen));
    let database = &*seen.vars.database;
    Frame::of(SCHEMA, "table_constraints", rows.len())?
        .all_text("constraint_catalog", database)
        .text(
            "constraint_schema",
            rows.iter().map(|row| row.relation.schema()),
        )
        .text("constraint_name", rows.iter().map(|row| &row.name))
        .all_text("table_catalog", database)
        .text("table_schema", rows.iter().map(|row| row.relation.schema()))
        .text("table_name", rows.iter().map(|row| row.relation.name()))
        .text("constraint_type", rows.iter().map(|row| row.kind))
        .all_text("is_deferrable", "NO")
        .all_text("initially_deferred", "NO")
        .all_text("enforced", "YES")
        .maybe_text(
            "nulls_distinct",
            rows.iter()
                .map(|row| (row.kind == "UNIQUE").then_some("YES")),
        )
        .finish()
}

/// Named as Postgres names them: schema, relation and column by number.
fn not_nulls<'a>(seen: &Seen<'a>) -> impl Iterator<Item = Row<'a>> {
    let tables = seen
        .relations()
        .into_iter()
        .filter(|relation| matches!(relation.kind(), 'r' | 'p'));
    tables.flat_map(|relation| {
        let columns = relation
            .table
            .columns
            .iter()
            .zip(1..)
            .filter(|(column, _)| !column.nullable);
        columns.map(move |(_, number)| Row {
            name: format!("{}_{}_{number}_not_null", relation.namespace, relation.oid),
            kind: "CHECK",
            relation,
        })
    })
}

struct KeyColumn<'a> {
    constraint: &'a Constraint<'a>,
    column: &'a str,
    number: i64,
    /// Of a foreign key: which column of the key it refers to.
    position: Option<i64>,
}

pub fn key_column_usage(seen: &Seen) -> Result<RecordBatch> {
    let all = constraints(seen);
    let rows: Vec<KeyColumn> = all.iter().flat_map(key_columns).collect();
    let database = &*seen.vars.database;
    let schema = || rows.iter().map(|row| row.constraint.relation.schema());
    Frame::of(SCHEMA, "key_column_usage", rows.len())?
        .all_text("constraint_catalog", database)
        .text("constraint_schema", schema())
        .text(
            "constraint_name",
            rows.iter().map(|row| &row.constraint.key.name),
        )
        .all_text("table_catalog", database)
        .text("table_schema", schema())
        .text(
            "table_name",
            rows.iter().map(|row| row.constraint.relation.name()),
        )
        .text("column_name", rows.iter().map(|row| row.column))
        .int("ordinal_position", rows.iter().map(|row| row.number))
        .int(
            "position_in_unique_constraint",
            rows.iter().map(|row| row.position),
        )
        .finish()
}

fn key_columns<'a>(constraint: &'a Constraint<'a>) -> impl Iterator<Item = KeyColumn<'a>> {
    let columns = &constraint.relation.table.columns;
    let positions = constraint.key.columns.iter().zip(1..);
    positions.filter_map(move |(at, number)| {
        let referenced = constraint.referenced.as_ref();
        let position = referenced.and_then(|referenced| {
            let target = referenced.columns.get(usize::try_from(number - 1).ok()?)?;
            let position = referenced
                .key?
                .columns
                .iter()
                .position(|column| column == target)?;
            i64::try_from(position).ok().map(|position| position + 1)
        });
        Some(KeyColumn {
            constraint,
            column: &columns.get(*at)?.name,
            number,
            position,
        })
    })
}

pub fn referential_constraints(seen: &Seen) -> Result<RecordBatch> {
    let mut rows = constraints(seen);
    rows.retain(|row| row.referenced.is_some());
    let database = &*seen.vars.database;
    let unique = |row: &Constraint| {
        let referenced = row.referenced.as_ref()?;
        Some((
            referenced.relation.schema().to_string(),
            referenced.key?.name.clone(),
        ))
    };
    Frame::of(SCHEMA, "referential_constraints", rows.len())?
        .all_text("constraint_catalog", database)
        .text(
            "constraint_schema",
            rows.iter().map(|row| row.relation.schema()),
        )
        .text("constraint_name", rows.iter().map(|row| &row.key.name))
        .maybe_text(
            "unique_constraint_catalog",
            rows.iter().map(|row| unique(row).map(|_| database)),
        )
        .maybe_text(
            "unique_constraint_schema",
            rows.iter().map(|row| unique(row).map(|key| key.0)),
        )
        .maybe_text(
            "unique_constraint_name",
            rows.iter().map(|row| unique(row).map(|key| key.1)),
        )
        .all_text("match_option", "NONE")
        .all_text("update_rule", "NO ACTION")
        .all_text("delete_rule", "NO ACTION")
        .finish()
}

/// The columns that a constraint is over; of a foreign key, those it refers to.
pub fn constraint_column_usage(seen: &Seen) -> Result<RecordBatch> {
    let all = constraints(seen);
    let rows: Vec<(&Relation, &str, &Constraint)> = all
        .iter()
        .flat_map(|constraint| {
            let (relation, columns) = used(constraint);
            let names = columns
                .iter()
                .filter_map(|at| relation.table.columns.get(*at));
            names
                .map(move |column| (relation, column.name.as_str(), constraint))
                .collect::<Vec<_>>()
        })
        .collect();
    let database = &*seen.vars.database;
    Frame::of(SCHEMA, "constraint_column_usage", rows.len())?
        .all_text("table_catalog", database)
        .text("table_schema", rows.iter().map(|row| row.0.schema()))
        .text("table_name", rows.iter().map(|row| row.0.name()))
        .text("column_name", rows.iter().map(|row| row.1))
        .all_text("constraint_catalog", database)
        .text(
            "constraint_schema",
            rows.iter().map(|row| row.2.relation.schema()),
        )
        .text("constraint_name", rows.iter().map(|row| &row.2.key.name))
        .finish()
}

/// The table that a constraint is over; of a foreign key, the one it refers to.
pub fn constraint_table_usage(seen: &Seen) -> Result<RecordBatch> {
    let all = constraints(seen);
    let rows: Vec<(&Relation, &Constraint)> = all.iter().map(|row| (used(row).0, row)).collect();
    let database = &*seen.vars.database;
    Frame::of(SCHEMA, "constraint_table_usage", rows.len())?
        .all_text("table_catalog", database)
        .text("table_schema", rows.iter().map(|row| row.0.schema()))
        .text("table_name", rows.iter().map(|row| row.0.name()))
        .all_text("constraint_catalog", database)
        .text(
            "constraint_schema",
            rows.iter().map(|row| row.1.relation.schema()),
        )
        .text("constraint_name", rows.iter().map(|row| &row.1.key.name))
        .finish()
}

fn used<'a>(constraint: &'a Constraint<'a>) -> (&'a Relation, &'a [usize]) {
    match &constraint.referenced {
        Some(referenced) => (referenced.relation, &referenced.columns),
        None => (constraint.relation, &constraint.key.columns),
    }
}
