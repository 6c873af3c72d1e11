//! pg_stat_*_tables and pg_statio_*_tables: the row counts that sources estimate;
//! nothing is counted of reads and writes, which are 0.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;

use crate::error::Result;
use crate::pg_catalog::builtin;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::{Relation, Seen};
use crate::sources::RelationKind;

pub fn pg_stat_all_tables(seen: &Seen) -> Result<RecordBatch> {
    tables(seen, "pg_stat_all_tables")
}

pub fn pg_stat_user_tables(seen: &Seen) -> Result<RecordBatch> {
    tables(seen, "pg_stat_user_tables")
}

pub fn pg_statio_all_tables(seen: &Seen) -> Result<RecordBatch> {
    tables(seen, "pg_statio_all_tables")
}

pub fn pg_statio_user_tables(seen: &Seen) -> Result<RecordBatch> {
    tables(seen, "pg_statio_user_tables")
}

fn tables(seen: &Seen, name: &str) -> Result<RecordBatch> {
    let mut tables = seen.relations();
    tables.retain(|relation| {
        matches!(
            relation.table.kind,
            RelationKind::Table | RelationKind::MaterializedView
        )
    });
    let mut frame = Frame::of("pg_catalog", name, tables.len())?;
    let relation = builtin::system_relation("pg_catalog", name);
    for column in relation
        .into_iter()
        .flat_map(|relation| relation.arrow.fields())
    {
        frame = match (column.name().as_str(), column.data_type()) {
            ("relid", _) => frame.int("relid", tables.iter().map(|table| i64::from(table.oid))),
            ("schemaname", _) => {
                frame.text("schemaname", tables.iter().map(|table| table.schema()))
            }
            ("relname", _) => frame.text("relname", tables.iter().map(|table| table.name())),
            ("n_live_tup", _) => frame.int("n_live_tup", tables.iter().map(|table| rows(table))),
            (counter, DataType::Int64) => frame.all_int(counter, 0),
            _ => frame,
        };
    }
    frame.finish()
}

fn rows(relation: &Relation) -> i64 {
    relation
        .table
        .rows
        .and_then(|rows| i64::try_from(rows).ok())
        .unwrap_or_default()
}
