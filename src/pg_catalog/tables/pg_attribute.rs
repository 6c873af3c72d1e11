//! pg_attribute: the columns of sources' relations and of their indexes, and the
//! attributes of their composite types. There are no rows for xmin and its kind,
//! which sources' tables do not have here.
//!
//! A relation's column has the type that the engine gives its values: text for
//! what it carries as text, such as an enum. A composite's attribute, whose values
//! only the source itself sends, has the source's own type.

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::builtin::{self, TypeFacts};
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::source_types::collation;
use crate::sources::{Attribute, Column, TypeKind};
use crate::types::Oid;

struct Row<'a> {
    relation: u32,
    number: i64,
    name: &'a str,
    oid: Oid,
    typmod: i32,
    dimensions: i64,
    collation: Oid,
    not_null: bool,
    has_default: bool,
    facts: Option<&'a TypeFacts>,
}

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let rows = all(seen);
    let text = |of: fn(&TypeFacts) -> &str, other: &'static str| {
        rows.iter().map(move |row| row.facts.map_or(other, of))
    };
    Frame::of("pg_catalog", "pg_attribute", rows.len())?
        .int("attrelid", rows.iter().map(|row| i64::from(row.relation)))
        .text("attname", rows.iter().map(|row| row.name))
        .int("atttypid", rows.iter().map(|row| i64::from(row.oid)))
        .int(
            "attlen",
            rows.iter().map(|row| row.facts.map_or(0, |f| f.length)),
        )
        .int("attnum", rows.iter().map(|row| row.number))
        .all_int("attcacheoff", -1)
        .int("atttypmod", rows.iter().map(|row| i64::from(row.typmod)))
        .int("attndims", rows.iter().map(|row| row.dimensions))
        .bool(
            "attbyval",
            rows.iter()
                .map(|row| row.facts.is_some_and(|facts| facts.by_value)),
        )
        .text("attalign", text(|facts| &facts.align, "i"))
        .text("attstorage", text(|facts| &facts.storage, "x"))
        .bool("attnotnull", rows.iter().map(|row| row.not_null))
        .bool("atthasdef", rows.iter().map(|row| row.has_default))
        .all_bool("attislocal", true)
        .int(
            "attcollation",
            rows.iter().map(|row| i64::from(row.collation)),
        )
        .finish()
}

/// Relation by relation, then composite by composite, in the order of their numbers.
fn all<'a>(seen: &Seen<'a>) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for relation in seen.relations() {
        let columns = &relation.table.columns;
        let numbered = columns.iter().zip(1..);
        rows.extend(numbered.map(|(column, number)| of_table(relation.oid, number, column)));
        for (index, key, _) in relation.indexes() {
            let columns = key
                .columns
                .iter()
                .filter_map(|at| columns.get(*at))
                .zip(1..);
            rows.extend(columns.map(|(column, number)| Row {
                not_null: false,
                has_default: false,
                ..of_table(index, number, column)
            }));
        }
    }
    for row in seen.source_types() {
        let TypeKind::Composite(composite) = &row.declared.kind else {
            continue;
        };
        if row.relation == composite.relation {
            let attributes = composite.attributes.iter();
            rows.extend(attributes.map(|attribute| of_type(seen, row.relation, attribute)));
        }
    }
    rows
}

fn of_table(relation: Oid, number: i64, column: &Column) -> Row<'_> {
    let facts = builtin::type_of(column.pg_type.oid);
    Row {
        relation,
        number,
        name: &column.name,
        oid: column.pg_type.oid,
        typmod: column.pg_type.typmod,
        dimensions: facts.map_or(0, |facts| i64::from(facts.category == 'A')),
        collation: facts.map_or(0, |facts| facts.collation),
        not_null: !column.nullable,
        has_default: column.default.is_some(),
        facts,
    }
}

fn of_type<'a>(seen: &Seen<'a>, relation: Oid, attribute: &'a Attribute) -> Row<'a> {
    Row {
        relation,
        number: i64::from(attribute.number),
        name: &attribute.name,
        oid: attribute.oid,
        typmod: attribute.typmod,
        dimensions: i64::from(attribute.dimensions),
        collation: collation(attribute.collation),
        not_null: false,
        has_default: false,
        facts: seen.type_facts(attribute.oid),
    }
}
