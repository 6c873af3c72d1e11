//! pg_database: the one database that clients see. Text compares by its bytes,
//! so its collation is C.

use datafusion::arrow::array::RecordBatch;

use super::owner;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::oids::{self, Kind};
use crate::pg_catalog::snapshot::Seen;

/// pg_tablespace's pg_default.
const DEFAULT_TABLESPACE: i64 = 1663;
/// UTF8, in pg_wchar.h.
const UTF8: i64 = 6;

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    Frame::of("pg_catalog", "pg_database", 1)?
        .all_int("oid", oid(seen))
        .all_text("datname", &seen.vars.database)
        .all_int("datdba", owner())
        .all_int("encoding", UTF8)
        .all_text("datlocprovider", "c")
        .all_bool("datallowconn", true)
        .all_int("datconnlimit", -1)
        .all_int("dattablespace", DEFAULT_TABLESPACE)
        .all_text("datcollate", "C")
        .all_text("datctype", "C.UTF-8")
        .finish()
}

pub fn oid(seen: &Seen) -> i64 {
    i64::from(oids::hashed(Kind::Database, &[&seen.vars.database]))
}
