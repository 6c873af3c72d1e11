//! Texts as clients write them and as sources get them, over a shop of two
//! schemas, a second Postgres and a lake.

mod facts;
mod names;
mod sameness;
mod texts;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Names, Reading, RelayStatement, Rewritten, Temporary, read};
use crate::catalog::{Catalog, Schema};
use crate::error::Error;
use crate::names::{RelationName, SourceName};
use crate::sources::{
    ArrayType, Layout, RelationKind, SourceType, Table, TableState, TypeFunctions, TypeKind,
};

/// `shop` and `shop_crm` are `public` and `CRM` of one source, `stock` is a schema
/// of the same name on another, `lake` holds files.
fn catalog() -> Catalog {
    let mut schemas = BTreeMap::new();
    for (schema, source, remote, tables) in [
        (
            "shop",
            "shop",
            Some("public"),
            &["orders", "items", "Odd Name", "é"][..],
        ),
        ("shop_crm", "shop", Some("CRM"), &["people", "orders"]),
        ("stock", "stock", Some("stock"), &["parts"]),
        ("lake", "lake", None, &["lineitem", "orders"]),
    ] {
        let table = |name: &&str| {
            let table = Table {
                name: RelationName::new(schema, name),
                source: SourceName::new(source),
                kind: RelationKind::Table,
                columns: Vec::new(),
                keys: Vec::new(),
                rows: None,
                bytes: None,
                comment: None,
                state: TableState::Broken(Arc::new(Error::internal("not read"))),
            };
            (name.to_string(), Arc::new(table))
        };
        let schema_of = Schema {
            source: Some(SourceName::new(source)),
            remote: remote.map(str::to_string),
            open: false,
            tables: tables.iter().map(table).collect(),
        };
        schemas.insert(schema.to_string(), schema_of);
    }
    let of = |schema: Option<&str>, remote: &str, name: &str| {
        Arc::new(SourceType {
            source: SourceName::new("shop"),
            schema: schema.map(str::to_string),
            remote_schema: remote.into(),
            name: name.into(),
            oid: 16_400,
            kind: TypeKind::Base,
            array: Some(ArrayType {
                oid: 16_401,
                name: format!("_{name}"),
            }),
            layout: Layout {
                length: -1,
                by_value: false,
                align: 'i',
                storage: 'x',
            },
            category: 'U',
            preferred: false,
            delimiter: ',',
            element: 0,
            collation: 0,
            default: None,
            comment: None,
            functions: TypeFunctions::default(),
        })
    };
    let types = vec![
        of(Some("shop_crm"), "CRM", "mood"),
        of(None, "extensions", "hstore"),
    ];
    Catalog {
        schemas,
        types: BTreeMap::from([(SourceName::new("shop"), types)]),
        ..Catalog::default()
    }
}

fn path(schemas: &[&str]) -> Vec<String> {
    schemas.iter().map(|schema| schema.to_string()).collect()
}

fn with_names<T>(search_path: &[&str], work: impl FnOnce(&Names) -> T) -> T {
    let (catalog, search_path) = (catalog(), path(search_path));
    work(&Names {
        catalog: &catalog,
        search_path: &search_path,
        database: "narrows",
        temporary: Temporary::default(),
    })
}

fn relayed(text: &str) -> (Arc<RelayStatement>, Rewritten) {
    match with_names(&["shop", "shop_crm"], |names| read(text, names)) {
        Reading::Relay(statement, rewritten) => (statement, rewritten),
        Reading::Engine(reason) => panic!("{:.200}: {reason}", text),
    }
}

fn reason(text: &str) -> String {
    match with_names(&["shop", "shop_crm"], |names| read(text, names)) {
        Reading::Relay(_, rewritten) => panic!("relayed: {}", rewritten.text()),
        Reading::Engine(reason) => reason.to_string(),
    }
}

/// Each text with what the source gets.
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(relayed(text).1.text(), *expected, "\n{text}");
    }
}
