//! Object identifiers that stay the same across restarts and processes: a hash
//! of the object's qualified name, above every OID that a young Postgres cluster
//! gives out. Objects whose hashes collide take the next free one in the order
//! of their names, so that the same set of objects always gets the same OIDs.
//!
//! Called by `snapshot`; the OIDs of built-in objects are Postgres's own.

use std::collections::HashSet;

use crate::types::Oid;

pub const PG_TYPE: Oid = 1247;
pub const PG_PROC: Oid = 1255;
pub const PG_CLASS: Oid = 1259;
pub const PG_DATABASE: Oid = 1262;
pub const PG_NAMESPACE: Oid = 2615;

pub const SCHEMA_PG_CATALOG: Oid = 11;
pub const SCHEMA_PUBLIC: Oid = 2200;
/// The role that owns everything, as initdb makes it.
pub const BOOTSTRAP_ROLE: Oid = 10;
pub const AM_HEAP: Oid = 2;
pub const AM_BTREE: Oid = 403;

const FIRST: u32 = 0x4000_0000;
const COUNT: u32 = 0x3fff_ffff;

/// What an object is: objects of different kinds may share a name.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Schema,
    Relation,
    Index,
    Constraint,
    Default,
    Role,
    Database,
}

/// Gives out OIDs for one set of objects.
#[derive(Debug, Default)]
pub struct Assigner {
    taken: HashSet<Oid>,
}

impl Assigner {
    /// Call in the order of the names, for collisions to resolve the same way each time.
    pub fn assign(&mut self, kind: Kind, parts: &[&str]) -> Oid {
        let mut oid = hashed(kind, parts);
        while !self.taken.insert(oid) {
            oid = if oid == FIRST + COUNT - 1 {
                FIRST
            } else {
                oid + 1
            };
        }
        oid
    }
}

/// The OID of a role or database, of which there are too few to collide.
pub fn hashed(kind: Kind, parts: &[&str]) -> Oid {
    let prefix: &[u8] = match kind {
        Kind::Schema => b"schema",
        Kind::Relation => b"relation",
        Kind::Index => b"index",
        Kind::Constraint => b"constraint",
        Kind::Default => b"default",
        Kind::Role => b"role",
        Kind::Database => b"database",
    };
    let mut hash = fnv(0xcbf2_9ce4_8422_2325, prefix);
    for part in parts {
        // a byte that no name holds keeps ("a","bc") and ("ab","c") apart
        hash = fnv(fnv(hash, &[0]), part.as_bytes());
    }
    FIRST + ((hash ^ (hash >> 32)) as u32 % COUNT)
}

/// FNV-1a, written out because it must never change.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids_never_change() {
        assert_eq!(
            hashed(Kind::Schema, &["shop"]),
            hashed(Kind::Schema, &["shop"])
        );
        assert_ne!(
            hashed(Kind::Schema, &["shop"]),
            hashed(Kind::Role, &["shop"])
        );
        assert_ne!(
            hashed(Kind::Relation, &["a", "bc"]),
            hashed(Kind::Relation, &["ab", "c"])
        );
        assert!(hashed(Kind::Schema, &["shop"]) >= FIRST);
    }

    #[test]
    fn collisions_take_the_next_free_one() {
        let mut assigner = Assigner::default();
        let first = assigner.assign(Kind::Schema, &["shop"]);
        assert_eq!(assigner.assign(Kind::Schema, &["shop"]), first + 1);
    }
}
