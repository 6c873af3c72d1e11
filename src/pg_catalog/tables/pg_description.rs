//! pg_description: comments on sources' relations and columns.

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids;
use crate::pg_catalog::snapshot::Seen;

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for relation in seen.relations() {
        let comments = relation.table.columns.iter().map(|column| &column.comment);
        for (number, comment) in std::iter::once(&relation.table.comment)
            .chain(comments)
            .enumerate()
        {
            if let Some(comment) = comment {
                rows.push((relation.oid, number as i64, comment));
            }
        }
    }
    Frame::of("pg_catalog", "pg_description", rows.len())?
        .int("objoid", rows.iter().map(|row| i64::from(row.0)))
        .all_int("classoid", i64::from(oids::PG_CLASS))
        .int("objsubid", rows.iter().map(|row| row.1))
        .text("description", rows.iter().map(|row| row.2))
        .finish()
}
