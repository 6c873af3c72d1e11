//! The types that PREPARE declares for parameters. Called by `prepare_execute`.

use super::Session;
use super::prepared::type_by_name;
use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;
use crate::pg_catalog::builtin;
use crate::plan::lexer::{Kind, Lexer};
use crate::types::PgType;

/// A type's name as written, split.
#[derive(Debug, PartialEq, Eq)]
struct TypeName {
    /// The name last, schema and database before it.
    parts: Vec<String>,
    array: bool,
}

impl TypeName {
    /// `None`: not a plain name.
    fn read(text: &str) -> Option<TypeName> {
        let mut tokens = Lexer::new(text);
        let mut parts = Vec::new();
        loop {
            let part = tokens.next()?;
            if !matches!(part.kind, Kind::Word | Kind::QuotedName) {
                return None;
            }
            parts.push(part.name()?);
            match tokens.next() {
                Some(dot) if dot.is_symbol(".") => {}
                None => {
                    let array = false;
                    return Some(TypeName { parts, array });
                }
                // numbers of dimensions and their sizes say nothing
                Some(open) if open.is_symbol("[") || open.is_word("array") => {
                    let array = true;
                    return Some(TypeName { parts, array });
                }
                Some(_) => return None,
            }
        }
    }
}

impl Session {
    /// `source` has the statement; `None`: the engine. 42704 for what is no type there.
    pub(super) fn declared_type(
        &mut self,
        text: &str,
        source: Option<&SourceName>,
    ) -> Result<Option<PgType>> {
        if let Some(pg_type) = type_by_name(text) {
            return Ok((pg_type != PgType::UNKNOWN).then_some(pg_type));
        }
        let found = source.and_then(|source| self.type_at(text, source));
        found.map(Some).ok_or_else(|| {
            Error::new(
                SqlState::UNDEFINED_OBJECT,
                format!("type \"{text}\" does not exist"),
            )
        })
    }

    fn type_at(&mut self, text: &str, source: &SourceName) -> Option<PgType> {
        let named = TypeName::read(text)?;
        let (name, before) = named.parts.split_last()?;
        let schema = before.last().map(String::as_str);
        if schema.is_none_or(|schema| schema == "pg_catalog")
            && let Some(facts) = builtin::type_named(name)
        {
            let oid = if named.array { facts.array } else { facts.oid };
            return (oid != 0).then(|| PgType::new(oid, -1));
        }
        let (catalog, path, _) = self.names();
        let types = || {
            let all = catalog.types.get(source);
            all.into_iter().flatten().filter(|of| of.is_called(name))
        };
        let found = match schema {
            Some(schema) => types().find(|of| match &of.schema {
                Some(known) => known == schema,
                None => of.remote_schema == schema || catalog.schemas.contains_key(schema),
            }),
            None => path
                .iter()
                .find_map(|schema| types().find(|of| of.schema.as_ref() == Some(schema)))
                .or_else(|| types().find(|of| of.schema.is_none())),
        }?;
        let oid = match &found.array {
            Some(array) if named.array || array.name == *name => array.oid,
            None if named.array => return None,
            _ => found.oid,
        };
        Some(PgType::new(oid, -1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_they_are_written() {
        let named = |parts: &[&str], array| {
            Some(TypeName {
                parts: parts.iter().map(|part| part.to_string()).collect(),
                array,
            })
        };
        for (text, expected) in [
            ("Mood", named(&["mood"], false)),
            ("desk.mood[]", named(&["desk", "mood"], true)),
            (
                "narrows . \"desk\".\"Odd \"\"Name\" array",
                named(&["narrows", "desk", "Odd \"Name"], true),
            ),
            ("mood[3][4]", named(&["mood"], true)),
            ("1", None),
            ("desk.", None),
            ("timestamp(3)", None),
        ] {
            assert_eq!(TypeName::read(text), expected, "{text}");
        }
    }
}
