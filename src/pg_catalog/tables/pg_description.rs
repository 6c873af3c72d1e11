//! pg_description: comments on sources' relations, columns and types.

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::source_types::Part;
use crate::sources::TypeKind;

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for relation in seen.relations() {
        let comments = relation.table.columns.iter().map(|column| &column.comment);
        for (number, comment) in std::iter::once(&relation.table.comment)
            .chain(comments)
            .enumerate()
        {
            if let Some(comment) = comment {
                rows.push((oids::PG_CLASS, relation.oid, number as i64, comment));
            }
        }
    }
    for row in seen.source_types() {
        let itself = row.part == Part::Itself;
        if let Some(comment) = row.declared.comment.as_ref().filter(|_| itself) {
            rows.push((oids::PG_TYPE, row.facts.oid, 0, comment));
        }
        if let (true, TypeKind::Composite(composite)) = (itself, &row.declared.kind) {
            for attribute in &composite.attributes {
                if let Some(comment) = &attribute.comment {
                    let number = i64::from(attribute.number);
                    rows.push((oids::PG_CLASS, row.relation, number, comment));
                }
            }
        }
    }
    Frame::of("pg_catalog", "pg_description", rows.len())?
        .int("objoid", rows.iter().map(|row| i64::from(row.1)))
        .int("classoid", rows.iter().map(|row| i64::from(row.0)))
        .int("objsubid", rows.iter().map(|row| row.2))
        .text("description", rows.iter().map(|row| row.3))
        .finish()
}
