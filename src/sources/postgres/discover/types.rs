//! The types that a database defines: those in the mapped schemas and what they
//! are made of, wherever that lies. Columns of relations are among it, because a
//! relation's row type lies in the relation's schema. Runs on Postgres 13 to 18;
//! opens no table but the catalogs.

use std::collections::BTreeSet;

use serde::Deserialize;
use tokio_postgres::SimpleQueryRow;

use super::{Cause, PostgresSource, query};
use crate::names::RelationName;
use crate::sources::{
    ArrayType, Attribute, Composite, Domain, DomainCheck, EnumLabel, Layout, Range, RowType,
    SourceFunction, SourceType, Table, TypeFunctions, TypeKind,
};
use crate::types::Oid;

/// One line of the answer, as JSON; the names are those of `SourceType` and its parts.
#[derive(Debug, Deserialize)]
pub(super) struct TypeRow {
    oid: Oid,
    schema: String,
    name: String,
    /// pg_type.typtype
    kind: char,
    length: i16,
    by_value: bool,
    align: char,
    storage: char,
    category: char,
    preferred: bool,
    delimiter: char,
    element: Oid,
    collation: Oid,
    default: Option<String>,
    comment: Option<String>,
    array_oid: Option<Oid>,
    array_name: Option<String>,
    functions: FunctionsRow,
    own_functions: Option<Vec<FunctionRow>>,
    labels: Option<Vec<LabelRow>>,
    base: Oid,
    typmod: i32,
    dimensions: i32,
    not_null: bool,
    checks: Option<Vec<CheckRow>>,
    relation: Oid,
    relation_kind: Option<char>,
    attributes: Option<Vec<AttributeRow>>,
    numbers: Option<Vec<i16>>,
    range: Option<RangeRow>,
}

#[derive(Debug, Deserialize)]
struct FunctionsRow {
    input: Oid,
    output: Oid,
    receive: Oid,
    send: Oid,
    modifier_in: Oid,
    modifier_out: Oid,
    analyze: Oid,
    subscript: Option<Oid>,
}

#[derive(Debug, Deserialize)]
struct FunctionRow {
    oid: Oid,
    name: String,
    arguments: Vec<Oid>,
    result: Oid,
    strict: bool,
    volatility: char,
}

#[derive(Debug, Deserialize)]
struct LabelRow {
    oid: Oid,
    order: f32,
    label: String,
}

#[derive(Debug, Deserialize)]
struct CheckRow {
    name: String,
    definition: String,
    validated: bool,
}

#[derive(Debug, Deserialize)]
struct AttributeRow {
    name: String,
    number: i16,
    oid: Oid,
    typmod: i32,
    dimensions: i32,
    collation: Oid,
    comment: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RangeRow {
    oid: Oid,
    subtype: Oid,
    multirange: Option<Oid>,
    collation: Oid,
    operator_class: Oid,
    canonical: Oid,
    difference: Oid,
}

/// What values of a type are made of.
pub(super) enum Parts {
    Enum,
    Domain(Oid),
    Array(Oid),
    Composite(Vec<Oid>),
    /// Its subtype.
    Range(Oid),
    /// Its range.
    Multirange(Oid),
}

impl TypeRow {
    /// The type's and its array's.
    pub fn oids(&self) -> (Oid, Option<Oid>) {
        (self.oid, self.array_oid)
    }

    /// Of a range: itself and its subtype.
    pub fn subtype(&self) -> Option<(Oid, Oid)> {
        let range = self.range.as_ref().filter(|_| self.kind == 'r')?;
        Some((self.oid, range.subtype))
    }

    /// An enum's labels in its order.
    pub fn sorted_labels(&self) -> Option<Vec<String>> {
        let mut labels: Vec<&LabelRow> = self.labels.iter().flatten().collect();
        labels.sort_by(|a, b| a.order.total_cmp(&b.order));
        let texts = labels.iter().map(|row| row.label.clone());
        (self.kind == 'e').then(|| texts.collect())
    }

    pub fn has_binary_form(&self) -> bool {
        self.functions.send != 0
    }

    /// `None` for base types, whose values are their own.
    pub fn parts(&self) -> Option<Parts> {
        Some(match self.kind {
            'e' => Parts::Enum,
            'd' => Parts::Domain(self.base),
            'b' if self.category == 'A' && self.element != 0 => Parts::Array(self.element),
            'c' => {
                let attributes = self.attributes.iter().flatten();
                Parts::Composite(attributes.map(|attribute| attribute.oid).collect())
            }
            'r' => Parts::Range(self.range.as_ref()?.subtype),
            'm' => Parts::Multirange(self.range.as_ref()?.oid),
            _ => return None,
        })
    }
}

pub(super) fn sql(schemas: &[String]) -> String {
    SQL.replace("$SCHEMAS", &query::literals(schemas))
}

pub(super) fn type_row(row: &SimpleQueryRow) -> Result<TypeRow, Cause> {
    let json = row.try_get(0)?.ok_or("a type is NULL")?;
    Ok(serde_json::from_str(json)?)
}

/// A row type comes with its relation, if that is one of `tables`.
pub(super) fn types(
    source: &PostgresSource,
    rows: Vec<TypeRow>,
    tables: &[Table],
) -> Vec<SourceType> {
    let relations: BTreeSet<&RelationName> = tables.iter().map(|table| &table.name).collect();
    rows.into_iter()
        .filter_map(|row| source_type(source, row, &relations))
        .collect()
}

fn source_type(
    source: &PostgresSource,
    row: TypeRow,
    relations: &BTreeSet<&RelationName>,
) -> Option<SourceType> {
    let schema = source.mapping().get(&row.schema).cloned();
    let own = row.own_functions.unwrap_or_default();
    let functions = TypeFunctions {
        input: row.functions.input,
        output: row.functions.output,
        receive: row.functions.receive,
        send: row.functions.send,
        modifier_in: row.functions.modifier_in,
        modifier_out: row.functions.modifier_out,
        analyze: row.functions.analyze,
        subscript: row.functions.subscript.unwrap_or_default(),
        own: own.into_iter().map(function).collect(),
    };
    let kind = match row.kind {
        'b' => TypeKind::Base,
        'e' => TypeKind::Enum(
            row.labels
                .unwrap_or_default()
                .into_iter()
                .map(label)
                .collect(),
        ),
        'd' => TypeKind::Domain(Domain {
            base: row.base,
            typmod: row.typmod,
            dimensions: row.dimensions,
            not_null: row.not_null,
            checks: row
                .checks
                .unwrap_or_default()
                .into_iter()
                .map(check)
                .collect(),
        }),
        'c' => match (&schema, row.relation_kind) {
            (Some(schema), Some(kind)) if kind != 'c' => {
                let name = RelationName::new(schema, &row.name);
                let table = relations.contains(&name).then_some(name)?;
                TypeKind::Row(RowType {
                    table,
                    relation: row.relation,
                    numbers: row.numbers.unwrap_or_default(),
                })
            }
            _ => TypeKind::Composite(Composite {
                relation: row.relation,
                attributes: row
                    .attributes
                    .unwrap_or_default()
                    .into_iter()
                    .map(attribute)
                    .collect(),
            }),
        },
        'r' => TypeKind::Range(range(row.range?)),
        'm' => TypeKind::Multirange(row.range?.oid),
        _ => return None,
    };
    Some(SourceType {
        source: source.source_name().clone(),
        schema,
        remote_schema: row.schema,
        name: row.name,
        oid: row.oid,
        kind,
        array: row
            .array_oid
            .zip(row.array_name)
            .map(|(oid, name)| ArrayType { oid, name }),
        layout: Layout {
            length: row.length,
            by_value: row.by_value,
            align: row.align,
            storage: row.storage,
        },
        category: row.category,
        preferred: row.preferred,
        delimiter: row.delimiter,
        element: row.element,
        collation: row.collation,
        default: row.default,
        comment: row.comment,
        functions,
    })
}

fn function(row: FunctionRow) -> SourceFunction {
    SourceFunction {
        oid: row.oid,
        name: row.name,
        arguments: row.arguments,
        result: row.result,
        strict: row.strict,
        volatility: row.volatility,
    }
}

fn label(row: LabelRow) -> EnumLabel {
    EnumLabel {
        oid: row.oid,
        order: row.order,
        label: row.label,
    }
}

fn check(row: CheckRow) -> DomainCheck {
    DomainCheck {
        name: row.name,
        definition: row.definition,
        validated: row.validated,
    }
}

fn attribute(row: AttributeRow) -> Attribute {
    Attribute {
        name: row.name,
        number: row.number,
        oid: row.oid,
        typmod: row.typmod,
        dimensions: row.dimensions,
        collation: row.collation,
        comment: row.comment,
    }
}

fn range(row: RangeRow) -> Range {
    Range {
        subtype: row.subtype,
        multirange: row.multirange.unwrap_or_default(),
        collation: row.collation,
        operator_class: row.operator_class,
        canonical: row.canonical,
        difference: row.difference,
    }
}

/// Multiranges and typsubscript came with Postgres 14.
const SQL: &str = r#"
WITH RECURSIVE
mapped AS (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname::text IN ($SCHEMAS)),
ranges AS (
  SELECT r.rngtypid, r.rngsubtype, r.rngcollation, r.rngsubopc, r.rngcanonical, r.rngsubdiff,
         (to_jsonb(r)->>'rngmultitypid')::oid AS multirange
  FROM pg_catalog.pg_range r WHERE r.rngtypid >= 16384
),
wanted(oid) AS (
  SELECT t.oid FROM pg_catalog.pg_type t JOIN mapped ON mapped.oid = t.typnamespace
  WHERE t.oid >= 16384
  UNION
  SELECT part.oid FROM wanted w
  JOIN pg_catalog.pg_type t ON t.oid = w.oid
  CROSS JOIN LATERAL (
    SELECT t.typbasetype AS oid
    UNION ALL SELECT t.typelem
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT unnest(ARRAY[r.rngsubtype, r.multirange]) FROM ranges r
      WHERE t.typtype = 'r' AND r.rngtypid = t.oid
    UNION ALL SELECT r.rngtypid FROM ranges r WHERE t.typtype = 'm' AND r.multirange = t.oid
  ) part
  WHERE part.oid >= 16384
)
SELECT json_build_object(
  'oid', t.oid::int8,
  'schema', n.nspname,
  'name', t.typname,
  'kind', t.typtype,
  'length', t.typlen,
  'by_value', t.typbyval,
  'align', t.typalign,
  'storage', t.typstorage,
  'category', t.typcategory,
  'preferred', t.typispreferred,
  'delimiter', t.typdelim,
  'element', t.typelem::int8,
  'collation', t.typcollation::int8,
  'default', t.typdefault,
  'comment', obj_description(t.oid, 'pg_type'),
  'array_oid', of_these.oid::int8,
  'array_name', of_these.typname,
  'functions', json_build_object(
    'input', t.typinput::oid::int8,
    'output', t.typoutput::oid::int8,
    'receive', t.typreceive::oid::int8,
    'send', t.typsend::oid::int8,
    'modifier_in', t.typmodin::oid::int8,
    'modifier_out', t.typmodout::oid::int8,
    'analyze', t.typanalyze::oid::int8,
    'subscript', to_regproc(to_jsonb(t)->>'typsubscript')::oid::int8),
  'own_functions', (
    SELECT json_agg(json_build_object(
      'oid', p.oid::int8,
      'name', p.proname,
      'arguments', ARRAY(SELECT argument::int8 FROM unnest(p.proargtypes) argument),
      'result', p.prorettype::int8,
      'strict', p.proisstrict,
      'volatility', p.provolatile) ORDER BY p.oid)
    FROM pg_catalog.pg_proc p
    WHERE p.oid >= 16384 AND p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend,
      t.typmodin, t.typmodout, t.typanalyze, to_regproc(to_jsonb(t)->>'typsubscript'))),
  'labels', CASE t.typtype WHEN 'e' THEN (
    SELECT json_agg(json_build_object(
      'oid', e.oid::int8, 'order', e.enumsortorder, 'label', e.enumlabel) ORDER BY e.enumsortorder)
    FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) END,
  'base', t.typbasetype::int8,
  'typmod', t.typtypmod,
  'dimensions', t.typndims,
  'not_null', t.typnotnull,
  'checks', CASE t.typtype WHEN 'd' THEN (
    SELECT json_agg(json_build_object(
      'name', c.conname, 'definition', pg_get_constraintdef(c.oid),
      'validated', c.convalidated) ORDER BY c.conname)
    FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c') END,
  'relation', t.typrelid::int8,
  'relation_kind', relation.relkind,
  -- what a table here tells of its columns is not told twice
  'attributes', CASE WHEN relation.relkind = 'c' OR mapped.oid IS NULL THEN (
    SELECT json_agg(json_build_object(
      'name', a.attname,
      'number', a.attnum,
      'oid', a.atttypid::int8,
      'typmod', a.atttypmod,
      'dimensions', a.attndims,
      'collation', a.attcollation::int8,
      'comment', col_description(a.attrelid, a.attnum)) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
  'numbers', CASE WHEN relation.relkind <> 'c' AND mapped.oid IS NOT NULL THEN (
    SELECT json_agg(a.attnum ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')) END,
  'range', CASE WHEN r.rngtypid IS NOT NULL THEN json_build_object(
    'oid', r.rngtypid::int8,
    'subtype', r.rngsubtype::int8,
    'multirange', r.multirange::int8,
    'collation', r.rngcollation::int8,
    'operator_class', r.rngsubopc::int8,
    'canonical', r.rngcanonical::oid::int8,
    'difference', r.rngsubdiff::oid::int8) END)
FROM wanted w
JOIN pg_catalog.pg_type t ON t.oid = w.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN mapped ON mapped.oid = n.oid
LEFT JOIN pg_catalog.pg_type of_these ON of_these.oid = t.typarray
LEFT JOIN pg_catalog.pg_class relation ON relation.oid = t.typrelid
LEFT JOIN ranges r ON r.rngtypid = t.oid OR r.multirange = t.oid
WHERE t.typisdefined
  AND (t.typtype IN ('b', 'd', 'e', 'r', 'm')
    OR t.typtype = 'c' AND relation.relkind IN ('c', 'r', 'p', 'v', 'm', 'f'))
  -- an array comes with its element
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_type element
                  WHERE element.oid = t.typelem AND element.typarray = t.oid)
ORDER BY t.oid"#;
