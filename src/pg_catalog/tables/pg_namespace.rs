//! pg_namespace: the schemas that sources appear as.

use datafusion::arrow::array::RecordBatch;

use super::owner;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids;
use crate::pg_catalog::snapshot::Seen;

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let mut schemas = seen.namespaces();
    // every cluster has a schema of that name
    schemas.retain(|schema| schema.oid != oids::SCHEMA_PUBLIC);
    Frame::of("pg_catalog", "pg_namespace", schemas.len())?
        .int("oid", schemas.iter().map(|schema| i64::from(schema.oid)))
        .text("nspname", schemas.iter().map(|schema| &schema.name))
        .all_int("nspowner", owner())
        .finish()
}
