//! Comments on relations, their columns and built-in objects
//! (table 9.80 "Comment Information Functions" of the Postgres manual).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::function::Function;
use super::value::Value;
use crate::error::Result;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::{builtin, data, oids};
use crate::types::{Oid, PgType};

pub const FUNCTIONS: &[Function] = &[
    Function::new("obj_description", 1..=2, PgType::TEXT, object),
    Function::new("col_description", 2..=2, PgType::TEXT, column),
    Function::new("shobj_description", 2..=2, PgType::TEXT, |_, _| {
        Ok(Value::Null)
    }),
];

static BUILTIN: LazyLock<HashMap<(Oid, Oid), String>> = LazyLock::new(|| {
    let Some(rows) = data::rows("pg_description") else {
        return HashMap::new();
    };
    let keys = rows
        .integers("classoid")
        .into_iter()
        .zip(rows.integers("objoid"));
    let texts = rows
        .texts("description")
        .into_iter()
        .map(|text| text.into_owned());
    keys.map(|(class, object)| (class as Oid, object as Oid))
        .zip(texts)
        .collect()
});

/// Without the catalog's name, whichever object of that OID has a comment.
fn object(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let Some(oid) = arguments[0].oid() else {
        return Ok(Value::Null);
    };
    let class = arguments
        .get(1)
        .map(|name| builtin::class_named("pg_catalog", &name.display()));
    let comment = match class {
        Some(None) => None,
        Some(Some(class)) => comment(seen, class.oid, oid),
        None => [
            oids::PG_CLASS,
            oids::PG_PROC,
            oids::PG_TYPE,
            oids::PG_NAMESPACE,
        ]
        .into_iter()
        .find_map(|class| comment(seen, class, oid)),
    };
    Ok(comment.into())
}

fn comment(seen: &Seen, class: Oid, oid: Oid) -> Option<String> {
    if class == oids::PG_CLASS {
        return seen.relation(oid)?.table.comment.clone();
    }
    BUILTIN.get(&(class, oid)).cloned()
}

fn column(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let relation = arguments[0].oid().and_then(|oid| seen.relation(oid));
    let number = arguments[1]
        .integer()
        .and_then(|number| usize::try_from(number - 1).ok());
    let column = relation
        .zip(number)
        .and_then(|(relation, at)| relation.table.columns.get(at));
    Ok(column.and_then(|column| column.comment.clone()).into())
}
