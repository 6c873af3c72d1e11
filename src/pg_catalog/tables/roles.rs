//! pg_authid, pg_roles, pg_user, pg_shadow: the roles that a session sees.
//! No relation here holds a password.

use datafusion::arrow::array::RecordBatch;

use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::roles::{Role, roles};
use crate::pg_catalog::snapshot::Seen;

const HIDDEN: &str = "********";

pub fn pg_authid(seen: &Seen) -> Result<RecordBatch> {
    let roles = roles(seen.vars);
    common(Frame::of("pg_catalog", "pg_authid", roles.len())?, &roles).finish()
}

pub fn pg_roles(seen: &Seen) -> Result<RecordBatch> {
    let roles = roles(seen.vars);
    common(Frame::of("pg_catalog", "pg_roles", roles.len())?, &roles)
        .all_text("rolpassword", HIDDEN)
        .finish()
}

pub fn pg_user(seen: &Seen) -> Result<RecordBatch> {
    users(seen, "pg_user", Some(HIDDEN))
}

pub fn pg_shadow(seen: &Seen) -> Result<RecordBatch> {
    users(seen, "pg_shadow", None)
}

fn common(frame: Frame, roles: &[Role]) -> Frame {
    frame
        .int("oid", roles.iter().map(|role| i64::from(role.oid)))
        .text("rolname", roles.iter().map(|role| &role.name))
        .bool("rolsuper", roles.iter().map(|role| role.superuser))
        .bool("rolinherit", roles.iter().map(|role| role.inherits))
        .bool("rolcreaterole", roles.iter().map(|role| role.superuser))
        .bool("rolcreatedb", roles.iter().map(|role| role.superuser))
        .bool("rolcanlogin", roles.iter().map(|role| role.may_login))
        .bool("rolreplication", roles.iter().map(|role| role.superuser))
        .bool("rolbypassrls", roles.iter().map(|role| role.superuser))
        .all_int("rolconnlimit", -1)
}

fn users(seen: &Seen, relation: &str, password: Option<&str>) -> Result<RecordBatch> {
    let mut users = roles(seen.vars);
    users.retain(|role| role.may_login);
    Frame::of("pg_catalog", relation, users.len())?
        .text("usename", users.iter().map(|role| &role.name))
        .int("usesysid", users.iter().map(|role| i64::from(role.oid)))
        .bool("usecreatedb", users.iter().map(|role| role.superuser))
        .bool("usesuper", users.iter().map(|role| role.superuser))
        .bool("userepl", users.iter().map(|role| role.superuser))
        .bool("usebypassrls", users.iter().map(|role| role.superuser))
        .maybe_text("passwd", users.iter().map(|_| password))
        .finish()
}
