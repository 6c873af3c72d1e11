//! pg_stat_activity and pg_stat_gssapi: this session alone. Other sessions are
//! none of its business.

use datafusion::arrow::array::RecordBatch;

use super::pg_database;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::roles;
use crate::pg_catalog::snapshot::Seen;

pub fn pg_stat_activity(seen: &Seen) -> Result<RecordBatch> {
    let vars = seen.vars;
    let application = vars.setting("application_name").unwrap_or_default();
    let started = [vars.statement_start.timestamp_micros()];
    Frame::of("pg_catalog", "pg_stat_activity", 1)?
        .all_int("datid", pg_database::oid(seen))
        .all_text("datname", &vars.database)
        .all_int("pid", i64::from(vars.pid))
        .all_int("usesysid", i64::from(roles::own_oid(vars)))
        .all_text("usename", &vars.user)
        .all_text("application_name", application)
        .time("xact_start", [vars.transaction_start.timestamp_micros()])
        .time("query_start", started)
        .time("state_change", started)
        .all_text("state", "active")
        .all_text("backend_type", "client backend")
        .finish()
}

pub fn pg_stat_gssapi(seen: &Seen) -> Result<RecordBatch> {
    Frame::of("pg_catalog", "pg_stat_gssapi", 1)?
        .all_int("pid", i64::from(seen.vars.pid))
        .all_bool("gss_authenticated", false)
        .all_bool("encrypted", false)
        .all_bool("credentials_delegated", false)
        .finish()
}
