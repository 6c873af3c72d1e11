//! pg_constraint: primary, unique and foreign keys that sources report, and the
//! checks of their domains. A foreign key is listed where the user may read both
//! relations.

use std::collections::HashSet;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;

use super::pg_index::numbers;
use crate::error::Result;
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::{Relation, Seen};
use crate::pg_catalog::source_types::Type;
use crate::sources::{DomainCheck, Key, KeyKind, TypeKind};
use crate::types::Oid;

/// A key and what it needs of the relation that it refers to.
pub struct Constraint<'a> {
    pub oid: Oid,
    pub relation: &'a Relation,
    pub key: &'a Key,
    /// Its own index, or that of the key it refers to; 0: none.
    pub index: Oid,
    pub referenced: Option<Referenced<'a>>,
}

pub struct Referenced<'a> {
    pub relation: &'a Relation,
    /// Column positions, 0-based.
    pub columns: Vec<usize>,
    /// The key over these columns.
    pub key: Option<&'a Key>,
}

pub fn rows(seen: &Seen) -> Result<RecordBatch> {
    let keys = keys(seen)?;
    Ok(concat_batches(&keys.schema(), [&keys, &checks(seen)?])?)
}

fn checks(seen: &Seen) -> Result<RecordBatch> {
    let mut rows: Vec<(Oid, &Type, &DomainCheck)> = Vec::new();
    for of in seen.source_types() {
        if let TypeKind::Domain(domain) = &of.declared.kind {
            let checks = of.checks.iter().zip(&domain.checks);
            rows.extend(checks.map(|(oid, check)| (*oid, of, check)));
        }
    }
    Frame::of("pg_catalog", "pg_constraint", rows.len())?
        .int("oid", rows.iter().map(|row| i64::from(row.0)))
        .text("conname", rows.iter().map(|row| &row.2.name))
        .int(
            "connamespace",
            rows.iter().map(|row| i64::from(row.1.facts.namespace)),
        )
        .all_text("contype", "c")
        .bool("convalidated", rows.iter().map(|row| row.2.validated))
        .int(
            "contypid",
            rows.iter().map(|row| i64::from(row.1.facts.oid)),
        )
        .all_text("confupdtype", " ")
        .all_text("confdeltype", " ")
        .all_text("confmatchtype", " ")
        .all_bool("conislocal", true)
        .finish()
}

fn keys(seen: &Seen) -> Result<RecordBatch> {
    let rows = constraints(seen);
    let foreign = |text: &'static str| {
        rows.iter()
            .map(move |row| if row.referenced.is_some() { text } else { " " })
    };
    let referenced = |row: &Constraint| {
        row.referenced
            .as_ref()
            .map_or(0, |r| i64::from(r.relation.oid))
    };
    Frame::of("pg_catalog", "pg_constraint", rows.len())?
        .int("oid", rows.iter().map(|row| i64::from(row.oid)))
        .text("conname", rows.iter().map(|row| &row.key.name))
        .int(
            "connamespace",
            rows.iter().map(|row| i64::from(row.relation.namespace)),
        )
        .text("contype", rows.iter().map(|row| kind(row.key)))
        .all_bool("convalidated", true)
        .int(
            "conrelid",
            rows.iter().map(|row| i64::from(row.relation.oid)),
        )
        .int("conindid", rows.iter().map(|row| i64::from(row.index)))
        .int("confrelid", rows.iter().map(referenced))
        .text("confupdtype", foreign("a"))
        .text("confdeltype", foreign("a"))
        .text("confmatchtype", foreign("s"))
        .all_bool("conislocal", true)
        .all_bool("connoinherit", true)
        .ints("conkey", rows.iter().map(|row| numbers(row.key)))
        .ints(
            "confkey",
            rows.iter().map(|row| {
                let referenced = row.referenced.as_ref()?;
                Some(
                    referenced
                        .columns
                        .iter()
                        .map(|at| *at as i64 + 1)
                        .collect::<Vec<_>>(),
                )
            }),
        )
        .finish()
}

fn kind(key: &Key) -> &'static str {
    match key.kind {
        KeyKind::Primary => "p",
        KeyKind::Unique => "u",
        KeyKind::Foreign { .. } => "f",
    }
}

/// Every constraint that the user sees.
pub fn constraints<'a>(seen: &Seen<'a>) -> Vec<Constraint<'a>> {
    let mut all = Vec::new();
    for relation in seen.relations() {
        for (oids, key) in relation.keys.iter().zip(&relation.table.keys) {
            let referenced = match &key.kind {
                KeyKind::Foreign { table, columns } => match seen.relation_named(table) {
                    Some(target) => Some(refer(target, columns)),
                    None => continue,
                },
                _ => None,
            };
            let target_index = referenced.as_ref().and_then(|target| {
                let wanted = target.key?;
                target
                    .relation
                    .indexes()
                    .find(|(_, key, _)| *key == wanted)
                    .map(|(oid, ..)| oid)
            });
            all.push(Constraint {
                oid: oids.constraint,
                relation,
                key,
                index: oids.index.or(target_index).unwrap_or_default(),
                referenced,
            });
        }
    }
    all
}

/// The relations with a foreign key or referred to by one: Postgres enforces those
/// with triggers, and psql looks for foreign keys only where there are some.
pub fn with_triggers(seen: &Seen) -> HashSet<Oid> {
    let mut oids = HashSet::new();
    for constraint in constraints(seen) {
        if let Some(referenced) = &constraint.referenced {
            oids.extend([constraint.relation.oid, referenced.relation.oid]);
        }
    }
    oids
}

fn refer<'a>(relation: &'a Relation, names: &[String]) -> Referenced<'a> {
    let position = |name: &String| {
        relation
            .table
            .columns
            .iter()
            .position(|column| column.name == *name)
    };
    let columns: Vec<usize> = names.iter().filter_map(position).collect();
    let mut sorted = columns.clone();
    sorted.sort_unstable();
    let covers = |key: &&Key| {
        let mut own = key.columns.clone();
        own.sort_unstable();
        own == sorted && !matches!(key.kind, KeyKind::Foreign { .. })
    };
    Referenced {
        relation,
        key: relation.table.keys.iter().find(covers),
        columns,
    }
}
