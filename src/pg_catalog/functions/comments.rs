//! Comments on relations, their columns, types and built-in objects
//! (table 9.80 "Comment Information Functions" of the Postgres manual).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::function::Function;
use super::value::Value;
use crate::error::Result;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::source_types::Part;
use crate::pg_catalog::{builtin, data, oids};
use crate::sources::TypeKind;
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
    if class == oids::PG_TYPE
        && let Some(of) = seen.source_type(oid)
    {
        let itself = of.part == Part::Itself;
        return of.declared.comment.clone().filter(|_| itself);
    }
    BUILTIN.get(&(class, oid)).cloned()
}

fn column(seen: &Seen, arguments: &[Value]) -> Result<Value> {
    let (Some(oid), Some(number)) = (arguments[0].oid(), arguments[1].integer()) else {
        return Ok(Value::Null);
    };
    let comment = match seen.composite(oid).map(|of| &of.declared.kind) {
        Some(TypeKind::Composite(composite)) => {
            let mut attributes = composite.attributes.iter();
            attributes
                .find(|attribute| i64::from(attribute.number) == number)
                .and_then(|attribute| attribute.comment.clone())
        }
        _ => seen.relation(oid).and_then(|relation| {
            let at = usize::try_from(number - 1).ok()?;
            relation.table.columns.get(at)?.comment.clone()
        }),
    };
    Ok(comment.into())
}
