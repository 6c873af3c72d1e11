//! The types that a database defines, as its own pg_type lists them.

use std::sync::Arc;

use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use narrows::auth::grants::Grants;
use narrows::catalog::{self, Catalog};
use narrows::pg_catalog;
use narrows::semantics::SessionVars;
use narrows::sources::{Source, TypeKind};
use tokio_postgres::SimpleQueryMessage;

use super::{admin, source_with};

const SCHEMA: &str = "t_defined";

const DDL: &str = r#"
    DROP SCHEMA IF EXISTS t_defined_far CASCADE; CREATE SCHEMA t_defined_far;
    CREATE TYPE t_defined_far.far AS ENUM ('x', 'y');
    CREATE TYPE t_defined_far.unused AS ENUM ('z');
    CREATE TYPE mood AS ENUM ('sad', 'happy'); ALTER TYPE mood ADD VALUE 'so-so' AFTER 'sad';
    COMMENT ON TYPE mood IS 'how it feels';
    CREATE DOMAIN positive AS int4 CHECK (VALUE > 0);
    CREATE DOMAIN age AS positive DEFAULT 1 NOT NULL CHECK (VALUE < 200);
    CREATE DOMAIN code AS varchar(5) COLLATE "C";
    CREATE DOMAIN moods AS mood[];
    CREATE TYPE person AS (name text, feels mood, gone int4, years age, codes code[]);
    ALTER TYPE person DROP ATTRIBUTE gone;
    CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
    CREATE TABLE visit (id int4 PRIMARY KEY, m mood, ms mood[], p person, ps person[], s span,
      a age, mo moods, f t_defined_far.far[], c code);"#;

/// Name and what is particular to its kind, by OID.
#[tokio::test]
async fn types_and_their_parts_are_discovered() {
    let source = source_with(SCHEMA, DDL).await;
    let types = source.discover().await.expect("discovery succeeds").types;
    let mut found: Vec<String> = types
        .iter()
        .map(|of| {
            let name = |oid: u32| {
                let of = types.iter().find(|of| of.oid == oid);
                of.map_or(oid.to_string(), |of| of.name.clone())
            };
            let kind = match &of.kind {
                TypeKind::Base => "base".to_string(),
                TypeKind::Enum(labels) => {
                    let labels: Vec<&str> = labels.iter().map(|l| l.label.as_str()).collect();
                    format!("enum {}", labels.join(" "))
                }
                TypeKind::Domain(domain) => {
                    let checks: Vec<&str> = domain
                        .checks
                        .iter()
                        .map(|c| c.definition.as_str())
                        .collect();
                    format!(
                        "domain over {} {} {} {}",
                        name(domain.base),
                        domain.typmod,
                        domain.not_null,
                        checks.join(" ")
                    )
                }
                TypeKind::Composite(composite) => {
                    let attributes = composite.attributes.iter();
                    let attributes: Vec<String> = attributes
                        .map(|a| format!("{} {}", a.number, a.name))
                        .collect();
                    format!("composite {}", attributes.join(" "))
                }
                TypeKind::Row(row) => format!("row of {}", row.table),
                TypeKind::Range(range) => format!("range over {}", range.subtype),
                TypeKind::Multirange(range) => format!("multirange over {}", name(*range)),
            };
            let schema = of.schema.as_deref().unwrap_or("-");
            format!("{schema}.{}: {}", of.name, kind.trim())
        })
        .collect();
    found.sort_unstable();
    let moods_base = types
        .iter()
        .find(|of| of.name == "mood")
        .and_then(|of| of.array.as_ref())
        .map(|array| array.oid)
        .expect("an enum has arrays");
    assert_eq!(
        found,
        [
            "-.far: enum x y".to_string(),
            "t_defined.age: domain over positive -1 true CHECK (((VALUE)::integer < 200))".into(),
            "t_defined.code: domain over 1043 9 false".into(),
            "t_defined.mood: enum sad so-so happy".into(),
            format!("t_defined.moods: domain over {moods_base} -1 false"),
            "t_defined.person: composite 1 name 2 feels 4 years 5 codes".into(),
            "t_defined.positive: domain over 23 -1 false CHECK ((VALUE > 0))".into(),
            "t_defined.span: range over 701".into(),
            "t_defined.span_multirange: multirange over span".into(),
            "t_defined.visit: row of t_defined.visit".into(),
        ]
    );
}

/// What pg_catalog here says is compared with what the server says.
#[tokio::test]
async fn pg_type_says_what_the_source_says() {
    // a schema of its own, for tests run at the same time
    let ddl = DDL.replace("t_defined_far", "t_defined_rows_far");
    let source: Arc<dyn Source> = source_with("t_defined_rows", &ddl).await;
    let catalog = Arc::new(catalog::load(&[source], &Catalog::default()).await);
    let vars = SessionVars {
        grants: Arc::new(Grants::everything()),
        ..SessionVars::default()
    };
    let here = SessionContext::new();
    for name in ["pg_type", "pg_enum", "pg_range", "pg_attribute", "pg_proc"] {
        let relation = pg_catalog::relation(&catalog, &vars, "pg_catalog", name).expect("known");
        here.register_table(name, relation).expect("new");
    }
    let server = admin().await;
    // types that other tests make at the same time are not of this schema
    let namespaces =
        "SELECT oid FROM pg_catalog.pg_namespace WHERE nspname LIKE 't\\_defined\\_rows%'";
    let visible = server
        .simple_query(&format!(
            "SELECT t.oid FROM pg_catalog.pg_type t WHERE typnamespace IN ({namespaces})
             AND typname NOT IN ('unused', '_unused', 'visit', '_visit')"
        ))
        .await
        .expect("an answer");
    let oids = rows_of(&visible).join(", ");
    for (there, here_too) in [
        (
            "SELECT oid, typname, typlen, typbyval::text, typtype, typcategory,
             typispreferred::text, typisdefined::text, typdelim, typrelid, typelem, typarray,
             typinput::oid, typoutput::oid, typreceive::oid, typsend::oid, typmodin::oid,
             typmodout::oid, typanalyze::oid, typsubscript::oid, typalign, typstorage,
             typnotnull::text, typbasetype, typtypmod, typndims, typcollation, typdefault
             FROM pg_type WHERE oid IN (OIDS) ORDER BY oid",
            "SELECT oid, typname, typlen, typbyval, typtype, typcategory,
             typispreferred, typisdefined, typdelim, typrelid, typelem, typarray,
             typinput, typoutput, typreceive, typsend, typmodin,
             typmodout, typanalyze, typsubscript, typalign, typstorage,
             typnotnull, typbasetype, typtypmod, typndims, typcollation, typdefault
             FROM pg_type WHERE oid IN (OIDS) ORDER BY oid",
        ),
        (
            "SELECT oid, enumtypid, enumsortorder::numeric(5,1), enumlabel FROM pg_enum
             WHERE enumtypid IN (OIDS) ORDER BY oid",
            "SELECT oid, enumtypid, enumsortorder, enumlabel FROM pg_enum ORDER BY oid",
        ),
        (
            "SELECT rngtypid, rngsubtype, rngmultitypid, rngcollation, rngsubopc,
             rngcanonical::oid, rngsubdiff::oid FROM pg_range WHERE rngtypid IN (OIDS)",
            "SELECT rngtypid, rngsubtype, rngmultitypid, rngcollation, rngsubopc,
             rngcanonical, rngsubdiff FROM pg_range WHERE rngtypid IN (OIDS)",
        ),
        (
            "SELECT attrelid, attname, atttypid, attlen, attnum, atttypmod, attndims,
             attbyval::text, attalign, attstorage, attcollation FROM pg_attribute
             WHERE attrelid IN (SELECT typrelid FROM pg_type WHERE oid IN (OIDS))
             AND NOT attisdropped ORDER BY attnum",
            "SELECT attrelid, attname, atttypid, attlen, attnum, atttypmod, attndims,
             attbyval, attalign, attstorage, attcollation FROM pg_attribute
             WHERE attrelid IN (SELECT typrelid FROM pg_type WHERE oid IN (OIDS) AND typrelid <> 0)
             ORDER BY attnum",
        ),
    ] {
        let expected = server
            .simple_query(&there.replace("OIDS", &oids))
            .await
            .expect("an answer");
        let expected = rows_of(&expected);
        assert!(!expected.is_empty(), "{there}");
        assert_eq!(
            rows(&here, &here_too.replace("OIDS", &oids)).await,
            expected
        );
    }
}

/// Cells joined by `|`.
fn rows_of(answer: &[SimpleQueryMessage]) -> Vec<String> {
    let rows = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| {
        let cells = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL"));
        cells.collect::<Vec<_>>().join("|")
    })
    .collect()
}

async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context
        .sql(sql)
        .await
        .expect(sql)
        .collect()
        .await
        .expect(sql);
    let Some(first) = batches.first() else {
        return Vec::new();
    };
    let batch = concat_batches(&first.schema(), &batches).expect("one schema");
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).expect("printable"))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let cells = columns.iter().map(|column| column.value(row).to_string());
            cells.collect::<Vec<_>>().join("|")
        })
        .collect()
}
