//! The tables and views of pg_catalog and information_schema and their columns,
//! as pg_class and pg_attribute describe them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::types::type_of;
use crate::pg_catalog::data::{self, Rows};
use crate::pg_catalog::oids;
use crate::types::{Oid, PgType};

/// A table or view of pg_catalog or information_schema.
#[derive(Debug)]
pub struct SystemRelation {
    pub oid: Oid,
    pub schema: &'static str,
    pub name: String,
    /// relkind.
    pub kind: char,
    pub columns: Vec<SystemColumn>,
    /// What scans produce.
    pub arrow: SchemaRef,
}

#[derive(Debug)]
pub struct SystemColumn {
    pub name: String,
    pub not_null: bool,
    /// As declared: may be a domain or a type that nothing carries.
    pub declared: Oid,
    /// What clients are told and rows hold.
    pub pg_type: PgType,
}

static RELATIONS: LazyLock<Vec<SystemRelation>> = LazyLock::new(read);

static BY_OID: LazyLock<HashMap<Oid, &'static SystemRelation>> = LazyLock::new(|| {
    RELATIONS
        .iter()
        .map(|relation| (relation.oid, relation))
        .collect()
});

static BY_NAME: LazyLock<HashMap<(&'static str, &'static str), &'static SystemRelation>> =
    LazyLock::new(|| {
        let keyed = |relation: &'static SystemRelation| {
            ((relation.schema, relation.name.as_str()), relation)
        };
        RELATIONS.iter().map(keyed).collect()
    });

pub fn system_relations() -> &'static [SystemRelation] {
    &RELATIONS
}

pub fn system_relation(schema: &str, name: &str) -> Option<&'static SystemRelation> {
    BY_NAME.get(&(schema, name)).copied()
}

pub fn system_relation_by_oid(oid: Oid) -> Option<&'static SystemRelation> {
    BY_OID.get(&oid).copied()
}

/// What psql before version 17 asks for under the name it had then.
const RENAMED_SINCE: &[(&str, &str)] = &[
    ("pg_database", "daticulocale"),
    ("pg_collation", "colliculocale"),
];

fn read() -> Vec<SystemRelation> {
    let (Some(classes), Some(attributes)) = (data::rows("pg_class"), data::rows("pg_attribute"))
    else {
        return Vec::new();
    };
    let mut columns = columns_by_relation(attributes);
    let (names, kinds) = (classes.texts("relname"), classes.texts("relkind"));
    let namespaces = classes.integers("relnamespace");
    let mut all = Vec::new();
    for (i, oid) in classes.integers("oid").into_iter().enumerate() {
        let kind = kinds[i].chars().next().unwrap_or('r');
        if !matches!(kind, 'r' | 'v') {
            continue;
        }
        let mut columns = columns.remove(&(oid as Oid)).unwrap_or_default();
        for (relation, column) in RENAMED_SINCE {
            if names[i] == *relation {
                columns.push(SystemColumn {
                    name: column.to_string(),
                    not_null: false,
                    declared: PgType::TEXT.oid,
                    pg_type: PgType::TEXT,
                });
            }
        }
        all.push(SystemRelation {
            oid: oid as Oid,
            schema: if namespaces[i] == i64::from(oids::SCHEMA_PG_CATALOG) {
                "pg_catalog"
            } else {
                "information_schema"
            },
            name: names[i].to_string(),
            kind,
            arrow: Arc::new(Schema::new(
                columns.iter().map(SystemColumn::field).collect::<Vec<_>>(),
            )),
            columns,
        });
    }
    all
}

fn columns_by_relation(attributes: &Rows) -> HashMap<Oid, Vec<SystemColumn>> {
    let names = attributes.texts("attname");
    let not_null = attributes.texts("attnotnull");
    let numbers = attributes.integers("attnum");
    let declared = attributes.integers("atttypid");
    let mut all: HashMap<Oid, Vec<SystemColumn>> = HashMap::new();
    for (i, relation) in attributes.integers("attrelid").into_iter().enumerate() {
        // negative numbers are xmin and its kind
        if numbers[i] > 0 {
            all.entry(relation as Oid).or_default().push(SystemColumn {
                name: names[i].to_string(),
                not_null: not_null[i] == "t",
                declared: declared[i] as Oid,
                pg_type: carrier(declared[i] as Oid),
            });
        }
    }
    all
}

impl SystemColumn {
    fn field(&self) -> Field {
        self.pg_type
            .field(&self.name, !self.not_null)
            .unwrap_or_else(|| Field::new(&self.name, DataType::Utf8View, !self.not_null))
    }
}

/// As Postgres's RowDescription does, a domain is told as its base type; what has
/// no Arrow form (aclitem, pg_node_tree, pg_lsn, inet) is text.
fn carrier(declared: Oid) -> PgType {
    let plain = PgType::new(declared, -1);
    if plain.arrow().is_some() {
        return plain;
    }
    match type_of(declared) {
        Some(domain) if domain.kind == 'd' => {
            let base = carrier(domain.base);
            PgType::new(base.oid, domain.typmod)
        }
        Some(array) if array.category == 'A' => PgType::TEXT_ARRAY,
        _ => PgType::TEXT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_relations_have_their_columns() {
        let class = system_relation("pg_catalog", "pg_class").expect("exists");
        assert_eq!((class.oid, class.columns.len()), (oids::PG_CLASS, 33));
        let columns = system_relation("information_schema", "columns").expect("exists");
        assert_eq!(columns.columns.len(), 44);
        assert_eq!(columns.columns[0].pg_type.oid, PgType::NAME.oid);
        assert_eq!(system_relations().len(), 64 + 78 + 4 + 65);
    }

    #[test]
    fn no_column_is_without_a_type() {
        for relation in system_relations() {
            for column in &relation.columns {
                assert_ne!(column.pg_type.oid, 0, "{}.{}", relation.name, column.name);
            }
        }
    }
}
