//! The one statement that reads a database's metadata, and the shapes of its
//! answer. Runs on Postgres 13 to 18: catalog columns that came, went or were
//! renamed are read through `to_jsonb(row)`, which does not mind.
//!
//! It takes no lock on any table and opens none, so that it does not wait behind
//! a long ALTER TABLE; sizes are those of the last VACUUM or ANALYZE.

use serde::Deserialize;

/// One line of the answer: a relation. Columns and keys arrive as JSON.
pub(super) struct RelationRow {
    pub schema: String,
    pub name: String,
    /// pg_class.relkind
    pub kind: String,
    /// -1 where nobody has counted.
    pub rows: Option<f64>,
    pub bytes: Option<f64>,
    /// Of its largest part, where ranges of them can be read.
    pub blocks: Option<f64>,
    pub comment: Option<String>,
    /// Does it have children by inheritance (not partitions)?
    pub has_children: bool,
    pub schema_usage: bool,
    pub columns: Vec<ColumnRow>,
    pub keys: Vec<KeyRow>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ColumnRow {
    pub name: String,
    pub number: i16,
    /// The column's type as DDL writes it.
    pub type_name: String,
    pub type_oid: u32,
    /// The type under all domains, and its modifier.
    pub base_oid: u32,
    pub base_typmod: i32,
    /// pg_type.typtype of the base type.
    pub base_kind: String,
    /// Set where a cast to text calls a function of its own.
    pub output_function: Option<String>,
    /// What makes the binary form, if the type has one; quoted, with its schema.
    pub send_function: Option<String>,
    pub collation: Option<CollationRow>,
    pub not_null: bool,
    pub readable: bool,
    pub default: Option<String>,
    pub comment: Option<String>,
    pub null_fraction: Option<f64>,
    pub distinct: Option<f64>,
    pub width: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CollationRow {
    pub name: String,
    pub deterministic: bool,
    /// Of the database.
    pub utf8: bool,
    /// pg_collation.collprovider, the database's for the default collation.
    pub provider: String,
    pub locale: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyRow {
    pub name: String,
    /// pg_constraint.contype
    pub kind: String,
    /// pg_attribute.attnum
    pub columns: Vec<i16>,
    pub deferrable: bool,
    pub foreign_schema: Option<String>,
    pub foreign_table: Option<String>,
    pub foreign_columns: Option<Vec<String>>,
}

/// Columns of the answer, in order: schema, name, kind, rows, bytes, comment,
/// has_children, schema_usage, columns, keys, blocks.
pub(super) fn sql(schemas: &[String]) -> String {
    SQL.replace("$SCHEMAS", &literals(schemas))
}

pub(super) fn literals(names: &[String]) -> String {
    let literals: Vec<String> = names
        .iter()
        .map(|name| postgres_protocol::escape::escape_literal(name))
        .collect();
    literals.join(", ")
}

const SQL: &str = r#"
WITH RECURSIVE
relations AS (
  SELECT c.oid, c.relname, c.relkind, c.reltuples, c.relpages, c.relhassubclass, c.relam,
         n.nspname, has_schema_privilege(n.oid, 'USAGE') AS schema_usage
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname::text IN ($SCHEMAS) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
),
-- A partitioned table's own counters say nothing before Postgres 14 and -1 pages after.
parts(root, oid) AS (
  SELECT r.oid, i.inhrelid FROM relations r
  JOIN pg_catalog.pg_inherits i ON i.inhparent = r.oid WHERE r.relkind = 'p'
  UNION ALL
  SELECT p.root, i.inhrelid FROM parts p
  JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
),
part_sizes AS (
  SELECT p.root, sum(c.reltuples::float8) AS tuples, sum(c.relpages::float8) AS pages,
         bool_and(c.reltuples >= 0 AND (c.reltuples > 0 OR c.relpages > 0 OR v.number >= 140000))
           AS counted,
         CASE WHEN bool_and(c.relkind = 'r' AND c.relam = 2) THEN max(c.relpages)::float8 END
           AS blocks
  FROM parts p
  JOIN pg_catalog.pg_class c ON c.oid = p.oid AND c.relkind IN ('r', 'f'),
  (SELECT current_setting('server_version_num')::int AS number) v
  GROUP BY p.root
),
domains(oid, base, typmod) AS (
  SELECT t.oid, t.typbasetype, t.typtypmod FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT d.oid, t.typbasetype, t.typtypmod FROM domains d
  JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd'
),
bases AS (
  SELECT d.oid, d.base, d.typmod FROM domains d
  JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype <> 'd'
),
database AS (
  SELECT coalesce(d.line->>'datlocprovider', 'c') AS provider,
         coalesce(d.line->>'datlocale', d.line->>'daticulocale', d.line->>'datcollate') AS locale,
         d.line->>'encoding' = '6' AS utf8
  FROM (SELECT to_jsonb(d) AS line FROM pg_catalog.pg_database d
        WHERE d.datname = current_database()) d
),
collations AS (
  SELECT c.oid, json_build_object(
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.collname),
    'deterministic', c.collisdeterministic,
    'utf8', database.utf8,
    'provider', CASE c.collprovider WHEN 'd' THEN database.provider ELSE c.collprovider::text END,
    'locale', CASE c.collprovider WHEN 'd' THEN database.locale
      ELSE coalesce(to_jsonb(c)->>'colllocale', to_jsonb(c)->>'colliculocale',
                    to_jsonb(c)->>'collcollate') END) AS json
  FROM pg_catalog.pg_collation c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace,
  database
),
-- Statistics with children, where there are any: a scan reads the children too.
estimates AS (
  SELECT DISTINCT ON (s.schemaname, s.tablename, s.attname)
         s.schemaname, s.tablename, s.attname, s.null_frac, s.n_distinct, s.avg_width
  FROM pg_catalog.pg_stats s
  WHERE s.schemaname::text IN ($SCHEMAS)
  ORDER BY s.schemaname, s.tablename, s.attname, s.inherited DESC
),
-- A NOT NULL that is not validated yet (Postgres 18) promises nothing.
not_valid AS (
  SELECT c.conrelid, c.conkey[1] AS attnum FROM pg_catalog.pg_constraint c
  WHERE c.contype = 'n' AND NOT c.convalidated
),
columns AS (
  SELECT a.attrelid, json_agg(json_build_object(
    'name', a.attname,
    'number', a.attnum,
    'type_name', format_type(a.atttypid, a.atttypmod),
    'type_oid', a.atttypid::int8,
    'base_oid', t.oid::int8,
    'base_typmod', coalesce(b.typmod, a.atttypmod),
    'base_kind', t.typtype,
    'output_function', CASE WHEN cast_to_text.castmethod = 'f'
      THEN quote_ident(output_schema.nspname) || '.' || quote_ident(output.proname) END,
    'send_function', quote_ident(send_schema.nspname) || '.' || quote_ident(send.proname),
    'collation', k.json,
    'not_null', a.attnotnull AND r.relkind IN ('r', 'p') AND not_valid.attnum IS NULL,
    'readable', has_column_privilege(a.attrelid, a.attnum, 'SELECT'),
    'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
    'comment', col_description(a.attrelid, a.attnum),
    'null_fraction', s.null_frac,
    'distinct', s.n_distinct,
    'width', s.avg_width) ORDER BY a.attnum) AS json
  FROM relations r
  JOIN pg_catalog.pg_attribute a
    ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN bases b ON b.oid = a.atttypid
  JOIN pg_catalog.pg_type t ON t.oid = coalesce(b.base, a.atttypid)
  JOIN pg_catalog.pg_proc output ON output.oid = t.typoutput
  JOIN pg_catalog.pg_namespace output_schema ON output_schema.oid = output.pronamespace
  LEFT JOIN pg_catalog.pg_proc send ON send.oid = t.typsend
  LEFT JOIN pg_catalog.pg_namespace send_schema ON send_schema.oid = send.pronamespace
  LEFT JOIN pg_catalog.pg_cast cast_to_text
    ON cast_to_text.castsource = t.oid AND cast_to_text.casttarget = 'text'::regtype
  LEFT JOIN collations k ON k.oid = a.attcollation
  LEFT JOIN not_valid ON not_valid.conrelid = a.attrelid AND not_valid.attnum = a.attnum
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN estimates s
    ON s.schemaname = r.nspname AND s.tablename = r.relname AND s.attname = a.attname
  GROUP BY a.attrelid
),
-- Left out: what a partitioned table's foreign key repeats for each partition it
-- points to, and keys over periods, which are not unique in their columns.
keys AS (
  SELECT c.conrelid, json_agg(json_build_object(
    'name', c.conname,
    'kind', c.contype,
    'columns', c.conkey,
    'deferrable', c.condeferrable,
    'foreign_schema', fn.nspname,
    'foreign_table', f.relname,
    'foreign_columns', (
      SELECT json_agg(a.attname ORDER BY key.place)
      FROM unnest(c.confkey) WITH ORDINALITY AS key(attnum, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = key.attnum)
    ) ORDER BY c.conname) AS json
  FROM relations r
  JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid AND c.contype IN ('p', 'u', 'f')
  LEFT JOIN pg_catalog.pg_class f ON f.oid = c.confrelid
  LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
  WHERE coalesce(to_jsonb(c)->>'conperiod', 'false') = 'false'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint parent
                    WHERE parent.oid = c.conparentid AND parent.conrelid = c.conrelid)
  GROUP BY c.conrelid
)
SELECT r.nspname, r.relname, r.relkind,
  CASE WHEN r.relkind = 'p' THEN CASE WHEN p.counted THEN p.tuples END
       WHEN r.relkind IN ('v') OR r.reltuples < 0 THEN NULL
       WHEN r.reltuples = 0 AND r.relpages = 0
         AND current_setting('server_version_num')::int < 140000 THEN NULL
       ELSE r.reltuples::float8 END,
  CASE WHEN r.relkind = 'p' THEN p.pages ELSE r.relpages::float8 END
    * current_setting('block_size')::float8,
  obj_description(r.oid, 'pg_class'),
  r.relkind <> 'p' AND r.relhassubclass,
  r.schema_usage,
  coalesce(columns.json, '[]'),
  coalesce(keys.json, '[]'),
  -- 2 is heap; Postgres 13 would read the whole table for each range
  CASE WHEN current_setting('server_version_num')::int < 140000 THEN NULL
       WHEN r.relkind = 'p' THEN p.blocks
       WHEN r.relkind IN ('r', 'm') AND r.relam = 2 AND NOT r.relhassubclass
         THEN r.relpages::float8 END
FROM relations r
LEFT JOIN part_sizes p ON p.root = r.oid
LEFT JOIN columns ON columns.attrelid = r.oid
LEFT JOIN keys ON keys.conrelid = r.oid
ORDER BY r.nspname, r.relname"#;
