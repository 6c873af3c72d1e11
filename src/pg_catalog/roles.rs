//! The roles that a session sees: those of every cluster and its own user.
//! Other users of the server are none of a session's business.

use super::data;
use super::oids::{self, Kind};
use crate::semantics::SessionVars;
use crate::types::Oid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub oid: Oid,
    pub name: String,
    /// The bootstrap role alone.
    pub superuser: bool,
    pub inherits: bool,
    /// The session's user alone.
    pub may_login: bool,
}

/// In the order of their OIDs.
pub fn roles(vars: &SessionVars) -> Vec<Role> {
    let mut all: Vec<Role> = match data::rows("pg_authid") {
        Some(rows) => rows
            .integers("oid")
            .into_iter()
            .zip(rows.texts("rolname"))
            .map(|(oid, name)| Role {
                oid: oid as Oid,
                superuser: oid == i64::from(oids::BOOTSTRAP_ROLE),
                inherits: true,
                may_login: *name == *vars.user,
                name: name.into_owned(),
            })
            .collect(),
        None => Vec::new(),
    };
    if !vars.user.is_empty() && all.iter().all(|role| *role.name != *vars.user) {
        all.push(Role {
            oid: oids::hashed(Kind::Role, &[&vars.user]),
            name: vars.user.to_string(),
            superuser: false,
            inherits: true,
            may_login: true,
        });
    }
    all
}

pub fn role(vars: &SessionVars, oid: Oid) -> Option<Role> {
    roles(vars).into_iter().find(|role| role.oid == oid)
}

pub fn role_named(vars: &SessionVars, name: &str) -> Option<Role> {
    roles(vars).into_iter().find(|role| role.name == name)
}

/// The session's user.
pub fn own_oid(vars: &SessionVars) -> Oid {
    role_named(vars, &vars.user).map_or(oids::BOOTSTRAP_ROLE, |role| role.oid)
}
