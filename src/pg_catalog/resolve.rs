//! Names to OIDs and back, as the input and output of `regclass`, `regtype`,
//! `regnamespace`, `regproc` and `regrole` (section 8.19 of the Postgres manual).
//!
//! Called by the planner where it sees such a cast, and by the functions.

use std::sync::Arc;

use super::builtin;
use super::oids;
use super::roles;
use super::snapshot::{Object, Seen, Snapshot};
use super::type_names::{self, Modifier};
use crate::catalog::Catalog;
use crate::error::{Error, Result, SqlState};
use crate::names::{RelationName, quote_identifier};
use crate::semantics::SessionVars;
use crate::types::Oid;

/// `'shop.orders'::regclass`. 42P01 where there is no such relation, or none that
/// the user may read; 42602 where the text is no name.
pub fn resolve_regclass(catalog: &Arc<Catalog>, vars: &SessionVars, text: &str) -> Result<i64> {
    let snapshot = Snapshot::of(catalog);
    Seen {
        snapshot: &snapshot,
        vars,
    }
    .regclass(text)
}

/// `'integer'::regtype`. 42704 where there is no such type, 3F000 no such schema.
pub fn resolve_regtype(catalog: &Arc<Catalog>, vars: &SessionVars, text: &str) -> Result<i64> {
    let snapshot = Snapshot::of(catalog);
    Seen {
        snapshot: &snapshot,
        vars,
    }
    .regtype(text)
}

/// `'shop'::regnamespace`. 3F000 where there is no such schema.
pub fn resolve_regnamespace(catalog: &Arc<Catalog>, vars: &SessionVars, text: &str) -> Result<i64> {
    let snapshot = Snapshot::of(catalog);
    Seen {
        snapshot: &snapshot,
        vars,
    }
    .regnamespace(text)
}

/// `'array_recv'::regproc`. 42883 where there is no such function, 42725 where there are several.
pub fn resolve_regproc(text: &str) -> Result<i64> {
    if let Some(oid) = number(text) {
        return Ok(oid);
    }
    let mut parts = split_name(text)?;
    let name = parts.pop().unwrap_or_default();
    let missing = Error::new(
        SqlState::UNDEFINED_FUNCTION,
        format!("function \"{text}\" does not exist"),
    );
    if parts.last().is_some_and(|schema| schema != "pg_catalog") {
        return Err(missing);
    }
    let mut overloads = builtin::functions_named(&name);
    match (overloads.next(), overloads.next()) {
        (Some(function), None) => Ok(i64::from(function.oid)),
        (Some(_), Some(_)) => Err(Error::new(
            SqlState::AMBIGUOUS_FUNCTION,
            format!("more than one function named \"{text}\""),
        )),
        _ => Err(missing),
    }
}

/// `'upper(text)'::regprocedure`. 42883 where there is no such function.
pub fn resolve_regprocedure(catalog: &Arc<Catalog>, vars: &SessionVars, text: &str) -> Result<i64> {
    let snapshot = Snapshot::of(catalog);
    Seen {
        snapshot: &snapshot,
        vars,
    }
    .regprocedure(text)
}

/// "upper(text)"
pub fn regprocedure_text(oid: i64) -> String {
    let Some(function) = Oid::try_from(oid).ok().and_then(builtin::function) else {
        return unnamed(oid);
    };
    let types = function
        .arguments
        .iter()
        .map(|oid| type_names::format_type(*oid, Modifier::NotAsked));
    format!(
        "{}({})",
        quote_identifier(&function.name),
        types.collect::<Vec<_>>().join(",")
    )
}

/// `'analyst'::regrole`. 42704 where there is no such role.
pub fn resolve_regrole(vars: &SessionVars, text: &str) -> Result<i64> {
    if let Some(oid) = number(text) {
        return Ok(oid);
    }
    let name = split_name(text)?.pop().unwrap_or_default();
    match roles::role_named(vars, &name) {
        Some(role) => Ok(i64::from(role.oid)),
        None => Err(Error::new(
            SqlState::UNDEFINED_OBJECT,
            format!("role \"{name}\" does not exist"),
        )),
    }
}

/// "array_recv"; qualified where the bare name is not one function's alone.
fn builtin_regproc_text(oid: i64) -> String {
    let Some(function) = Oid::try_from(oid).ok().and_then(builtin::function) else {
        return unnamed(oid);
    };
    let name = quote_identifier(&function.name);
    if function.namespace != oids::SCHEMA_PG_CATALOG {
        format!("information_schema.{name}")
    } else if builtin::functions_named(&function.name).count() > 1 {
        format!("pg_catalog.{name}")
    } else {
        name
    }
}

pub fn regrole_text(vars: &SessionVars, oid: i64) -> String {
    let role = Oid::try_from(oid)
        .ok()
        .and_then(|oid| roles::role(vars, oid));
    role.map_or_else(|| unnamed(oid), |role| quote_identifier(&role.name))
}

impl Seen<'_> {
    pub fn regclass(&self, text: &str) -> Result<i64> {
        if let Some(oid) = number(text) {
            return Ok(oid);
        }
        let parts = split_name(text)?;
        let found = match parts.as_slice() {
            [relation] => self.in_search_path(relation),
            [schema, relation] => self.in_schema(schema, relation),
            [database, schema, relation] if **database == *self.vars.database => {
                self.in_schema(schema, relation)
            }
            [_, _, _] => {
                return Err(Error::unsupported(format!(
                    "cross-database references are not implemented: {text}"
                )));
            }
            _ => {
                return Err(Error::new(
                    SqlState::SYNTAX_ERROR,
                    format!("improper relation name (too many dotted names): {text}"),
                ));
            }
        };
        if let Some(oid) = found {
            return Ok(i64::from(oid));
        }
        match parts.as_slice() {
            [.., schema, _] if !self.schema_exists(schema) => Err(no_schema(schema)),
            _ => Err(Error::new(
                SqlState::UNDEFINED_TABLE,
                format!("relation \"{}\" does not exist", parts.join(".")),
            )),
        }
    }

    pub fn regprocedure(&self, text: &str) -> Result<i64> {
        if let Some(oid) = number(text) {
            return Ok(oid);
        }
        let (name, arguments) = match text
            .trim()
            .strip_suffix(')')
            .and_then(|rest| rest.split_once('('))
        {
            Some(parts) => parts,
            None => {
                return Err(Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    "expected a left parenthesis",
                ));
            }
        };
        let name = split_name(name)?.pop().unwrap_or_default();
        let given = arguments
            .split(',')
            .map(str::trim)
            .filter(|argument| !argument.is_empty());
        let arguments = given
            .map(|argument| self.parse_type(argument))
            .collect::<Result<Vec<Oid>>>()?;
        let mut overloads = builtin::functions_named(&name);
        match overloads.find(|function| function.arguments == arguments) {
            Some(function) => Ok(i64::from(function.oid)),
            None => Err(Error::new(
                SqlState::UNDEFINED_FUNCTION,
                format!("function \"{text}\" does not exist"),
            )),
        }
    }

    pub fn regtype(&self, text: &str) -> Result<i64> {
        match number(text) {
            Some(oid) => Ok(oid),
            None => self.parse_type(text).map(i64::from),
        }
    }

    /// "integer"; "-" for 0 and the number itself where the user sees no such type.
    pub fn regtype_text(&self, oid: i64) -> String {
        match Oid::try_from(oid)
            .ok()
            .filter(|oid| self.type_facts(*oid).is_some())
        {
            Some(oid) => self.format_type(oid, Modifier::NotAsked),
            None => unnamed(oid),
        }
    }

    pub fn regnamespace(&self, text: &str) -> Result<i64> {
        if let Some(oid) = number(text) {
            return Ok(oid);
        }
        let name = split_name(text)?.pop().unwrap_or_default();
        self.namespace_oid(&name)
            .map(i64::from)
            .ok_or_else(|| no_schema(&name))
    }

    /// "orders" where the search path finds it under that name, else "shop.orders";
    /// "-" for 0 and the number itself where the user sees no such relation.
    pub fn regclass_text(&self, oid: i64) -> String {
        let Some((schema, name)) = Oid::try_from(oid).ok().and_then(|oid| self.class_name(oid))
        else {
            return unnamed(oid);
        };
        if self.in_search_path(&name).map(i64::from) == Some(oid) {
            quote_identifier(&name)
        } else {
            format!("{}.{}", quote_identifier(&schema), quote_identifier(&name))
        }
    }

    /// "citextrecv" where the search path has its schema, else "desk.citextrecv".
    pub fn regproc_text(&self, oid: i64) -> String {
        let of_source = Oid::try_from(oid)
            .ok()
            .and_then(|oid| self.source_function(oid));
        let Some((namespace, function)) = of_source else {
            return builtin_regproc_text(oid);
        };
        let name = quote_identifier(&function.name);
        match self.namespace_name(namespace) {
            Some(schema) if !self.search_path().contains(&schema) => {
                format!("{}.{name}", quote_identifier(&schema))
            }
            _ => name,
        }
    }

    pub fn regnamespace_text(&self, oid: i64) -> String {
        let name = Oid::try_from(oid)
            .ok()
            .and_then(|oid| self.namespace_name(oid));
        name.map_or_else(|| unnamed(oid), |name| quote_identifier(&name))
    }

    /// Schema and name of a relation, index or composite type.
    pub fn class_name(&self, oid: Oid) -> Option<(String, String)> {
        if let Some(class) = builtin::class(oid) {
            return Some((class.schema.to_string(), class.name.clone()));
        }
        if let Some(of) = self.composite(oid) {
            let schema = self.namespace_name(of.facts.namespace)?;
            return Some((schema, of.facts.name.clone()));
        }
        let (at, key) = match self.object(oid)? {
            Object::Relation(at) => (at, None),
            Object::Index { relation, key } => (relation, Some(key)),
            Object::Namespace(_) | Object::Constraint { .. } => return None,
        };
        let relation = self.snapshot.relations.get(at)?;
        let name = match key {
            Some(key) => &relation.table.keys.get(key)?.name,
            None => relation.name(),
        };
        Some((relation.schema().to_string(), name.to_string()))
    }

    /// The first of this name: pg_catalog first unless the path says otherwise.
    pub fn in_search_path(&self, name: &str) -> Option<Oid> {
        self.search_path()
            .iter()
            .find_map(|schema| self.in_schema(schema, name))
    }

    fn in_schema(&self, schema: &str, name: &str) -> Option<Oid> {
        if let Some(class) = builtin::class_named(schema, name) {
            return Some(class.oid);
        }
        let qualified = RelationName::new(schema, name);
        self.relation_named(&qualified)
            .map(|relation| relation.oid)
            .or_else(|| self.index_named(&qualified))
            .or_else(|| self.composite_named(schema, name))
    }

    fn composite_named(&self, schema: &str, name: &str) -> Option<Oid> {
        let of = self.source_type_named(self.namespace_oid(schema)?, name)?;
        self.composite(of.relation).map(|of| of.relation)
    }

    /// The schemas that unqualified names are looked for in, the implicit one included.
    pub fn search_path(&self) -> Vec<String> {
        let mut path: Vec<String> = self
            .vars
            .search_path
            .iter()
            .filter(|schema| self.schema_exists(schema))
            .cloned()
            .collect();
        if path.iter().all(|schema| schema != "pg_catalog") {
            path.insert(0, "pg_catalog".to_string());
        }
        path
    }

    pub fn schema_exists(&self, name: &str) -> bool {
        self.namespace_oid(name).is_some()
    }

    pub fn namespace_oid(&self, name: &str) -> Option<Oid> {
        let builtin = builtin::namespaces()
            .iter()
            .find(|schema| schema.1 == name)
            .map(|schema| schema.0);
        let of_source = || {
            self.namespaces()
                .into_iter()
                .find(|schema| schema.name == name)
        };
        builtin.or_else(|| of_source().map(|schema| schema.oid))
    }

    pub fn namespace_name(&self, oid: Oid) -> Option<String> {
        let builtin = builtin::namespaces().iter().find(|schema| schema.0 == oid);
        let of_source = || {
            self.namespaces()
                .into_iter()
                .find(|schema| schema.oid == oid)
        };
        builtin
            .map(|schema| schema.1.clone())
            .or_else(|| of_source().map(|schema| schema.name.clone()))
    }
}

pub fn no_schema(name: &str) -> Error {
    Error::new(
        SqlState::INVALID_SCHEMA_NAME,
        format!("schema \"{name}\" does not exist"),
    )
}

fn unnamed(oid: i64) -> String {
    if oid == 0 {
        "-".to_string()
    } else {
        oid.to_string()
    }
}

/// An OID written as a number, or "-" for none.
fn number(text: &str) -> Option<i64> {
    match text.trim() {
        "-" => Some(0),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse::<Oid>().ok().map(i64::from)
        }
        _ => None,
    }
}

/// `Shop."Odd Name"` → ["shop", "Odd Name"]. 42602 where the text is no name.
pub fn split_name(text: &str) -> Result<Vec<String>> {
    let invalid = || Error::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted).ok_or_else(invalid)?,
            None => {
                let end = rest
                    .find(|c: char| c == '.' || c.is_whitespace())
                    .unwrap_or(rest.len());
                (rest[..end].to_ascii_lowercase(), &rest[end..])
            }
        };
        if part.is_empty() || (!rest.starts_with('"') && part.contains('"')) {
            return Err(invalid());
        }
        parts.push(part);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

/// What stands before the closing quote, `""` undone, and what stands after it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_postgres_splits_them() {
        assert_eq!(
            split_name("Shop.\"Odd \"\"Name\"").expect("a name"),
            ["shop", "Odd \"Name"]
        );
        assert_eq!(split_name(" a . b ").expect("a name"), ["a", "b"]);
        for bad in ["", "a.", "a b", "\"a", "a\"b"] {
            assert!(split_name(bad).is_err(), "{bad}");
        }
    }
}
