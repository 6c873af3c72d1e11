//! The rows of pg_type, by OID and by name.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::pg_catalog::{data, oids};
use crate::types::Oid;

/// A row of pg_type.
#[derive(Debug, Clone)]
pub struct TypeFacts {
    pub oid: Oid,
    pub name: String,
    pub namespace: Oid,
    pub length: i64,
    pub by_value: bool,
    /// typtype: b(ase), c(omposite), d(omain), e(num), m(ultirange), p(seudo), r(ange).
    pub kind: char,
    /// typcategory.
    pub category: char,
    pub element: Oid,
    pub array: Oid,
    /// Of a domain: what it is over.
    pub base: Oid,
    pub typmod: i32,
    pub collation: Oid,
    pub align: String,
    pub storage: String,
}

static TYPES: LazyLock<HashMap<Oid, TypeFacts>> = LazyLock::new(read);

/// Of pg_catalog alone: the names of information_schema's types need a schema.
static BY_NAME: LazyLock<HashMap<&'static str, Oid>> = LazyLock::new(|| {
    let of_pg_catalog = |facts: &&TypeFacts| facts.namespace == oids::SCHEMA_PG_CATALOG;
    TYPES
        .values()
        .filter(of_pg_catalog)
        .map(|facts| (facts.name.as_str(), facts.oid))
        .collect()
});

pub fn type_of(oid: Oid) -> Option<&'static TypeFacts> {
    TYPES.get(&oid)
}

/// By the name in pg_type ("int4", not "integer").
pub fn type_named(name: &str) -> Option<&'static TypeFacts> {
    type_of(*BY_NAME.get(name)?)
}

fn read() -> HashMap<Oid, TypeFacts> {
    let Some(rows) = data::rows("pg_type") else {
        return HashMap::new();
    };
    let one = |column| -> Vec<char> {
        let first = |text: &str| text.chars().next().unwrap_or(' ');
        rows.texts(column).iter().map(|text| first(text)).collect()
    };
    let (names, aligns, storages) = (
        rows.texts("typname"),
        rows.texts("typalign"),
        rows.texts("typstorage"),
    );
    let (oids, namespaces) = (rows.integers("oid"), rows.integers("typnamespace"));
    let (lengths, by_values) = (rows.integers("typlen"), one("typbyval"));
    let (kinds, categories) = (one("typtype"), one("typcategory"));
    let (elements, arrays) = (rows.integers("typelem"), rows.integers("typarray"));
    let (bases, typmods) = (rows.integers("typbasetype"), rows.integers("typtypmod"));
    let collations = rows.integers("typcollation");
    (0..rows.len())
        .map(|i| {
            let facts = TypeFacts {
                oid: oids[i] as Oid,
                name: names[i].to_string(),
                namespace: namespaces[i] as Oid,
                length: lengths[i],
                by_value: by_values[i] == 't',
                kind: kinds[i],
                category: categories[i],
                element: elements[i] as Oid,
                array: arrays[i] as Oid,
                base: bases[i] as Oid,
                typmod: typmods[i] as i32,
                collation: collations[i] as Oid,
                align: aligns[i].to_string(),
                storage: storages[i].to_string(),
            };
            (facts.oid, facts)
        })
        .collect()
}
