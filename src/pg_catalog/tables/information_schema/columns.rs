//! columns and element_types: every column that the user sees, in the standard's terms.

use datafusion::arrow::array::RecordBatch;

use super::relations::KINDS;
use super::{SCHEMA, yes_or_no};
use crate::error::Result;
use crate::pg_catalog::builtin::{self, TypeFacts};
use crate::pg_catalog::frame::Frame;
use crate::pg_catalog::snapshot::Seen;
use crate::pg_catalog::type_names::{Modifier, format_type};
use crate::types::Oid;

/// pg_collation's "C", that of `name`.
const COLLATION_C: Oid = 950;

struct Row<'a> {
    schema: &'a str,
    table: &'a str,
    name: &'a str,
    number: usize,
    nullable: bool,
    default: Option<&'a str>,
    updatable: bool,
    described: Described,
}

/// A type with its domain looked through.
#[derive(Clone, Copy)]
struct Described {
    oid: Oid,
    typmod: i32,
    facts: Option<&'static TypeFacts>,
    domain: Option<&'static TypeFacts>,
}

impl Described {
    fn new(oid: Oid, typmod: i32) -> Described {
        match builtin::type_of(oid) {
            Some(domain) if domain.kind == 'd' => Described {
                oid: domain.base,
                typmod: domain.typmod,
                facts: builtin::type_of(domain.base),
                domain: Some(domain),
            },
            facts => Described {
                oid,
                typmod,
                facts,
                domain: None,
            },
        }
    }

    fn is_array(&self) -> bool {
        self.facts
            .is_some_and(|facts| facts.category == 'A' && facts.length == -1)
    }

    fn data_type(&self) -> String {
        match self.is_array() {
            true => "ARRAY".to_string(),
            false => format_type(self.oid, Modifier::NotAsked),
        }
    }

    fn characters(&self) -> Option<i64> {
        match (self.oid, self.typmod) {
            (_, -1) => None,
            (1042 | 1043, typmod) => Some(i64::from(typmod) - 4),
            (1560 | 1562, typmod) => Some(i64::from(typmod)),
            _ => None,
        }
    }

    /// Four bytes a character in UTF8; a gigabyte where there is no limit.
    fn octets(&self) -> Option<i64> {
        match (self.oid, self.characters()) {
            (1042 | 1043, Some(characters)) => Some(characters * 4),
            (25 | 1042 | 1043, None) => Some(1 << 30),
            _ => None,
        }
    }

    /// Precision, its radix, scale.
    fn numeric(&self) -> Option<(Option<i64>, i64, Option<i64>)> {
        match self.oid {
            21 => Some((Some(16), 2, Some(0))),
            23 => Some((Some(32), 2, Some(0))),
            20 => Some((Some(64), 2, Some(0))),
            700 => Some((Some(24), 2, None)),
            701 => Some((Some(53), 2, None)),
            1700 if self.typmod == -1 => Some((None, 10, None)),
            1700 => {
                let packed = i64::from(self.typmod) - 4;
                Some((Some((packed >> 16) & 0xffff), 10, Some(packed & 0x7ff)))
            }
            _ => None,
        }
    }

    fn fraction(&self) -> Option<i64> {
        match (self.oid, self.typmod) {
            (1082, _) => Some(0),
            (1083 | 1114 | 1184 | 1266, typmod) if typmod >= 0 => Some(i64::from(typmod)),
            (1186, typmod) if typmod >= 0 && typmod & 0xffff != 0xffff => {
                Some(i64::from(typmod & 0xffff))
            }
            (1083 | 1114 | 1184 | 1266 | 1186, _) => Some(6),
            _ => None,
        }
    }

    fn collation(&self) -> Option<&'static str> {
        let facts = self.domain.or(self.facts)?;
        (facts.collation == COLLATION_C).then_some("C")
    }
}

pub fn columns(seen: &Seen) -> Result<RecordBatch> {
    let rows = rows(seen);
    let database = &*seen.vars.database;
    let each = || rows.iter().map(|row| row.described);
    let numeric = || each().map(|described| described.numeric());
    let if_collated = |text| each().map(move |described| described.collation().map(|_| text));
    let if_domain = |text| each().map(move |described| described.domain.map(|_| text));
    Frame::of(SCHEMA, "columns", rows.len())?
        .all_text("table_catalog", database)
        .text("table_schema", rows.iter().map(|row| row.schema))
        .text("table_name", rows.iter().map(|row| row.table))
        .text("column_name", rows.iter().map(|row| row.name))
        .int("ordinal_position", rows.iter().map(|row| row.number as i64))
        .maybe_text("column_default", rows.iter().map(|row| row.default))
        .text(
            "is_nullable",
            rows.iter().map(|row| yes_or_no(row.nullable)),
        )
        .text("data_type", each().map(|described| described.data_type()))
        .int(
            "character_maximum_length",
            each().map(|described| described.characters()),
        )
        .int(
            "character_octet_length",
            each().map(|described| described.octets()),
        )
        .int("numeric_precision", numeric().map(|numeric| numeric?.0))
        .int(
            "numeric_precision_radix",
            numeric().map(|numeric| Some(numeric?.1)),
        )
        .int("numeric_scale", numeric().map(|numeric| numeric?.2))
        .int(
            "datetime_precision",
            each().map(|described| described.fraction()),
        )
        .maybe_text("collation_catalog", if_collated(database))
        .maybe_text("collation_schema", if_collated("pg_catalog"))
        .maybe_text(
            "collation_name",
            each().map(|described| described.collation()),
        )
        .maybe_text("domain_catalog", if_domain(database))
        .maybe_text("domain_schema", if_domain(SCHEMA))
        .maybe_text(
            "domain_name",
            each().map(|described| Some(&described.domain?.name)),
        )
        .all_text("udt_catalog", database)
        .all_text("udt_schema", "pg_catalog")
        .maybe_text(
            "udt_name",
            each().map(|described| Some(&described.facts?.name)),
        )
        .text(
            "dtd_identifier",
            rows.iter().map(|row| row.number.to_string()),
        )
        .all_text("is_self_referencing", "NO")
        .all_text("is_identity", "NO")
        .all_text("identity_cycle", "NO")
        .all_text("is_generated", "NEVER")
        .text(
            "is_updatable",
            rows.iter().map(|row| yes_or_no(row.updatable)),
        )
        .finish()
}

/// What the elements of array columns are.
pub fn element_types(seen: &Seen) -> Result<RecordBatch> {
    let rows: Vec<_> = rows(seen)
        .into_iter()
        .filter(|row| row.described.is_array())
        .filter_map(|row| {
            let element = builtin::type_of(row.described.facts?.element)?;
            Some((row, element))
        })
        .collect();
    let database = &*seen.vars.database;
    Frame::of(SCHEMA, "element_types", rows.len())?
        .all_text("object_catalog", database)
        .text("object_schema", rows.iter().map(|(row, _)| row.schema))
        .text("object_name", rows.iter().map(|(row, _)| row.table))
        .all_text("object_type", "TABLE")
        .text(
            "collection_type_identifier",
            rows.iter().map(|(row, _)| row.number.to_string()),
        )
        .text(
            "data_type",
            rows.iter()
                .map(|(_, element)| format_type(element.oid, Modifier::NotAsked)),
        )
        .all_text("udt_catalog", database)
        .all_text("udt_schema", "pg_catalog")
        .text("udt_name", rows.iter().map(|(_, element)| &element.name))
        .text(
            "dtd_identifier",
            rows.iter().map(|(row, _)| format!("a{}", row.number)),
        )
        .finish()
}

fn rows<'a>(seen: &Seen<'a>) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    for relation in seen.relations() {
        if !KINDS.contains(&relation.kind()) {
            continue;
        }
        let updatable = !relation.is_view() && seen.vars.grants.may_write(&relation.table.name);
        rows.extend(
            relation
                .table
                .columns
                .iter()
                .zip(1..)
                .map(|(column, number)| Row {
                    schema: relation.schema(),
                    table: relation.name(),
                    name: &column.name,
                    number,
                    nullable: column.nullable,
                    default: column.default.as_deref(),
                    updatable,
                    described: Described::new(column.pg_type.oid, column.pg_type.typmod),
                }),
        );
    }
    for relation in builtin::system_relations() {
        rows.extend(
            relation
                .columns
                .iter()
                .zip(1..)
                .map(|(column, number)| Row {
                    schema: relation.schema,
                    table: &relation.name,
                    name: &column.name,
                    number,
                    nullable: !column.not_null,
                    default: None,
                    updatable: false,
                    described: Described::new(column.declared, -1),
                }),
        );
    }
    rows
}
