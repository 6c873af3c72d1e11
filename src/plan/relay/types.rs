//! Names of types: those that a source's database defines count for where a
//! statement runs, Postgres's own are everywhere.

use super::names::{Names, SchemaIs};
use super::statement::Reason;
use super::tree::Id;
use super::walk::{SourceIs, Walk, Weight};
use crate::names::SourceName;
use crate::pg_catalog::builtin;
use crate::sources::SourceType;

impl Walk<'_, '_> {
    /// At a type outside of its definition.
    pub(super) fn type_name(&mut self, parts: &[Id]) -> Result<(), Reason> {
        let names = self.names;
        match self.without_database(parts)? {
            [name] => {
                let name = self.part(*name)?;
                if builtin::type_named(&name).is_none()
                    && let Some(source) = names.type_on_path(&name)
                {
                    self.found.suggest(source);
                }
                Ok(())
            }
            [schema, last] => {
                let (schema, name) = (self.part(*schema)?, self.part(*last)?);
                match names.schema(&schema) {
                    SchemaIs::Postgres { source, .. } => {
                        let Some(remote) = names.unmapped_schema(source, &schema, &name) else {
                            return self.object(parts);
                        };
                        let written = self.written(parts);
                        let schema = schema.into_owned();
                        self.mention(source, SourceIs::Postgres, written, Weight::Full);
                        self.set_schema(parts, *last, &schema, remote);
                        Ok(())
                    }
                    SchemaIs::Unknown => {
                        let owners = names.owners_there(&schema, &name);
                        let written = self.written(parts);
                        match owners.is_empty() {
                            true => self.unknown(&written, None),
                            false => self.found.elsewhere.push((written, owners)),
                        }
                        Ok(())
                    }
                    _ => self.object(parts),
                }
            }
            _ => self.object(parts),
        }
    }
}

impl<'a> Names<'a> {
    fn types_of(&self, source: &SourceName) -> impl Iterator<Item = &'a SourceType> {
        let types = self.catalog.types.get(source);
        types.into_iter().flatten().map(|of| &**of)
    }

    /// The source whose type is found first by the search_path.
    fn type_on_path(&self, name: &str) -> Option<&'a SourceName> {
        self.search_path.iter().find_map(|schema| {
            let SchemaIs::Postgres { source, .. } = self.schema(schema) else {
                return None;
            };
            let here = |of: &SourceType| {
                of.schema.as_ref().is_none_or(|known| known == schema) && of.is_called(name)
            };
            self.types_of(source).any(here).then_some(source)
        })
    }

    /// Where a type lies that pg_type lists in `schema` for want of its own, which
    /// is not mapped.
    fn unmapped_schema(&self, source: &SourceName, schema: &str, name: &str) -> Option<&'a str> {
        let mut lies = None;
        for of in self.types_of(source).filter(|of| of.is_called(name)) {
            match &of.schema {
                Some(known) if known == schema => return None,
                None => lies = Some(of.remote_schema.as_str()),
                Some(_) => {}
            }
        }
        lies
    }

    /// Sources that have the type in a schema that is not mapped, by its name there.
    fn owners_there(&self, schema: &str, name: &str) -> Vec<SourceName> {
        let has = |source: &&SourceName| {
            self.types_of(source)
                .any(|of| of.schema.is_none() && of.remote_schema == schema && of.is_called(name))
        };
        self.catalog.types.keys().filter(has).cloned().collect()
    }
}
