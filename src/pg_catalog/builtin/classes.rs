//! Names of what every cluster holds in pg_class and pg_namespace, and the
//! indexes of the system relations.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::pg_catalog::data::{self, elements};
use crate::pg_catalog::oids;
use crate::types::Oid;

/// A table, view or index.
#[derive(Debug)]
pub struct Class {
    pub oid: Oid,
    pub schema: &'static str,
    pub name: String,
}

#[derive(Debug)]
pub struct Index {
    pub table: Oid,
    pub unique: bool,
    /// attnums of the table.
    pub columns: Vec<i64>,
}

static CLASSES: LazyLock<HashMap<Oid, Class>> = LazyLock::new(|| {
    let Some(rows) = data::rows("pg_class") else {
        return HashMap::new();
    };
    let (oids, schemas) = (rows.integers("oid"), rows.integers("relnamespace"));
    let classes = oids.into_iter().zip(schemas).zip(rows.texts("relname"));
    classes
        .map(|((oid, schema), name)| {
            let class = Class {
                oid: oid as Oid,
                schema: schema_name(schema),
                name: name.into_owned(),
            };
            (class.oid, class)
        })
        .collect()
});

static BY_NAME: LazyLock<HashMap<(&'static str, &'static str), &'static Class>> =
    LazyLock::new(|| {
        CLASSES
            .values()
            .map(|class| ((class.schema, class.name.as_str()), class))
            .collect()
    });

static INDEXES: LazyLock<HashMap<Oid, Index>> = LazyLock::new(|| {
    let Some(rows) = data::rows("pg_index") else {
        return HashMap::new();
    };
    let (oids, tables) = (rows.integers("indexrelid"), rows.integers("indrelid"));
    let (unique, keys) = (rows.texts("indisunique"), rows.texts("indkey"));
    let numbers = |key: &str| {
        elements(key)
            .into_iter()
            .flatten()
            .flat_map(|n| n.parse())
            .collect()
    };
    (0..rows.len())
        .map(|i| {
            let index = Index {
                table: tables[i] as Oid,
                unique: unique[i] == "t",
                columns: numbers(&keys[i]),
            };
            (oids[i] as Oid, index)
        })
        .collect()
});

static NAMESPACES: LazyLock<Vec<(Oid, String)>> = LazyLock::new(|| {
    let Some(rows) = data::rows("pg_namespace") else {
        return Vec::new();
    };
    let names = rows
        .texts("nspname")
        .into_iter()
        .map(|name| name.into_owned());
    rows.integers("oid")
        .into_iter()
        .map(|oid| oid as Oid)
        .zip(names)
        .collect()
});

/// A system table, view or index by its OID.
pub fn class(oid: Oid) -> Option<&'static Class> {
    CLASSES.get(&oid)
}

pub fn class_named(schema: &str, name: &str) -> Option<&'static Class> {
    BY_NAME.get(&(schema, name)).copied()
}

/// An index of a system relation.
pub fn index(oid: Oid) -> Option<&'static Index> {
    INDEXES.get(&oid)
}

/// Every index of the system relations, by its OID.
pub fn indexes() -> impl Iterator<Item = (Oid, &'static Index)> {
    INDEXES.iter().map(|(oid, index)| (*oid, index))
}

/// The schemas of every cluster: OID and name.
pub fn namespaces() -> &'static [(Oid, String)] {
    &NAMESPACES
}

fn schema_name(oid: i64) -> &'static str {
    if oid == i64::from(oids::SCHEMA_PG_CATALOG) {
        "pg_catalog"
    } else {
        "information_schema"
    }
}
