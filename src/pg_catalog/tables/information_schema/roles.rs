//! enabled_roles: the session's user.

use datafusion::arrow::array::RecordBatch;

use super::SCHEMA;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;

pub fn enabled_roles(seen: &Seen) -> Result<RecordBatch> {
    Frame::of(SCHEMA, "enabled_roles", 1)?
        .all_text("role_name", &seen.vars.user)
        .finish()
}
