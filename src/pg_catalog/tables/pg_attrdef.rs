//! pg_attrdef: column defaults, as the SQL text that sources give.

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for relation in seen.relations() {
        for (at, (oid, column)) in relation
            .defaults
            .iter()
            .zip(&relation.table.columns)
            .enumerate()
        {
            if let (Some(oid), Some(default)) = (oid, &column.default) {
                rows.push((*oid, relation.oid, at as i64 + 1, default));
            }
        }
    }
    Frame::of("pg_catalog", "pg_attrdef", rows.len())?
        .int("oid", rows.iter().map(|row| i64::from(row.0)))
        .int("adrelid", rows.iter().map(|row| i64::from(row.1)))
        .int("adnum", rows.iter().map(|row| row.2))
        .text("adbin", rows.iter().map(|row| row.3))
        .finish()
}
