//! The types of sources as clients query them: a desk with an enum, a domain, a
//! composite, a range and an extension's type, and what happens where a second
//! source has given the same OIDs to others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::testing::{Shop, shop};
use crate::auth::grants::Grants;
use crate::catalog::{Catalog, Schema};
use crate::error::Error;
use crate::names::{RelationName, SourceName};
use crate::sources::{
    ArrayType, Attribute, Composite, Domain, DomainCheck, EnumLabel, Layout, Range, RowType,
    SourceFunction, SourceType, TypeFunctions, TypeKind,
};

const MOOD: u32 = 16_401;
const AGE: u32 = 16_411;
const PERSON: u32 = 16_421;
const SPAN: u32 = 16_431;
const CITEXT: u32 = 16_441;

/// A type of which little is set; the OID before it is its array's.
fn of(source: &str, name: &str, oid: u32, category: char, kind: TypeKind) -> SourceType {
    SourceType {
        source: SourceName::new(source),
        schema: Some(source.to_string()),
        remote_schema: "public".into(),
        name: name.into(),
        oid,
        kind,
        array: Some(ArrayType {
            oid: oid - 1,
            name: format!("_{name}"),
        }),
        layout: Layout {
            length: 4,
            by_value: true,
            align: 'i',
            storage: 'p',
        },
        category,
        preferred: false,
        delimiter: ',',
        element: 0,
        collation: 0,
        default: None,
        comment: None,
        functions: TypeFunctions::default(),
    }
}

fn mood(source: &str, labels: &[&str]) -> SourceType {
    let label = |(at, label): (usize, &&str)| EnumLabel {
        oid: 20_000 + at as u32,
        order: at as f32 + 1.0,
        label: label.to_string(),
    };
    let labels = labels.iter().enumerate().map(label).collect();
    SourceType {
        comment: Some("how it feels".into()),
        functions: TypeFunctions {
            input: 3506,
            output: 3507,
            receive: 3532,
            send: 3533,
            ..TypeFunctions::default()
        },
        ..of(source, "mood", MOOD, 'E', TypeKind::Enum(labels))
    }
}

fn person(source: &str) -> SourceType {
    let attribute = |name: &str, number, oid| Attribute {
        name: name.into(),
        number,
        oid,
        typmod: -1,
        dimensions: 0,
        collation: 0,
        comment: None,
    };
    let composite = Composite {
        relation: PERSON - 2,
        attributes: vec![attribute("name", 1, 25), attribute("feels", 3, MOOD)],
    };
    of(
        source,
        "person",
        PERSON,
        'C',
        TypeKind::Composite(composite),
    )
}

fn types_of_desk() -> Vec<SourceType> {
    let age = Domain {
        base: 23,
        typmod: -1,
        dimensions: 0,
        not_null: true,
        checks: vec![DomainCheck {
            name: "age_check".into(),
            definition: "CHECK ((VALUE > 0))".into(),
            validated: true,
        }],
    };
    let span = Range {
        subtype: 701,
        multirange: 0,
        collation: 0,
        operator_class: 3123,
        canonical: 0,
        difference: 219,
    };
    let citextrecv = SourceFunction {
        oid: CITEXT + 1,
        name: "citextrecv".into(),
        arguments: vec![2281],
        result: CITEXT,
        strict: true,
        volatility: 's',
    };
    vec![
        mood("desk", &["sad", "happy"]),
        SourceType {
            default: Some("1".into()),
            ..of("desk", "age", AGE, 'N', TypeKind::Domain(age))
        },
        person("desk"),
        of("desk", "span", SPAN, 'R', TypeKind::Range(span)),
        SourceType {
            schema: None,
            collation: 100,
            functions: TypeFunctions {
                receive: CITEXT + 1,
                own: vec![citextrecv],
                ..TypeFunctions::default()
            },
            ..of("desk", "citext", CITEXT, 'S', TypeKind::Base)
        },
    ]
}

/// The shop and the sources of the given types, each with a schema of its name.
fn with(types: Vec<SourceType>, read: &[&str]) -> Shop {
    let mut catalog = shop();
    let mut by_source: BTreeMap<SourceName, Vec<Arc<SourceType>>> = BTreeMap::new();
    for declared in types {
        let source = declared.source.clone();
        let schema = Schema {
            source: Some(source.clone()),
            ..Schema::default()
        };
        catalog.schemas.entry(source.to_string()).or_insert(schema);
        by_source
            .entry(source)
            .or_default()
            .push(Arc::new(declared));
    }
    let catalog = Catalog {
        types: by_source,
        ..catalog
    };
    let read = read.iter().map(|glob| glob.to_string()).collect();
    Shop::with(Arc::new(catalog), Grants::new(read, Vec::new()))
}

async fn check(shop: &Shop, expectations: &[(&str, &[&str])]) {
    for (sql, expected) in expectations {
        assert_eq!(shop.rows(sql).await, *expected, "{sql}");
    }
}

#[tokio::test]
async fn types_of_sources_are_listed_under_their_own_oids() {
    let expectations: &[(&str, &[&str])] = &[
        (
            "SELECT t.oid, typname, typtype, typcategory, typelem, typarray, typrelid, typbasetype, typnotnull, typdefault
             FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname = 'desk' ORDER BY 1",
            &[
                "16400|_mood|b|A|16401|0|0|0|false|",
                "16401|mood|e|E|0|16400|0|0|false|",
                "16410|_age|b|A|16411|0|0|0|false|",
                "16411|age|d|N|0|16410|0|23|true|1",
                "16420|_person|b|A|16421|0|0|0|false|",
                "16421|person|c|C|0|16420|16419|0|false|",
                "16430|_span|b|A|16431|0|0|0|false|",
                "16431|span|r|R|0|16430|0|0|false|",
                "16440|_citext|b|A|16441|0|0|0|false|",
                "16441|citext|b|S|0|16440|0|0|false|",
            ],
        ),
        (
            "SELECT typname, proname, typlen, typalign, typstorage FROM pg_type t JOIN pg_proc p ON p.oid = typreceive
             WHERE typname IN ('mood', '_mood', 'citext') ORDER BY 1",
            &["_mood|array_recv|-1|i|x", "citext|citextrecv|4|i|p", "mood|enum_recv|4|i|p"],
        ),
        (
            "SELECT enumtypid, enumsortorder, enumlabel FROM pg_enum ORDER BY 2",
            &["16401|1.0|sad", "16401|2.0|happy"],
        ),
        (
            "SELECT rngtypid, rngsubtype, rngsubopc FROM pg_range WHERE rngtypid > 16384",
            &["16431|701|3123"],
        ),
        (
            "SELECT relname, relkind, reltype, relnatts FROM pg_class WHERE oid = narrows_to_regclass('desk.person')",
            &["person|c|16421|3"],
        ),
        (
            "SELECT attnum, attname, format_type(atttypid, atttypmod), attlen FROM pg_attribute
             WHERE attrelid = 16419 ORDER BY 1",
            &["1|name|text|-1", "3|feels|desk.mood|4"],
        ),
        (
            "SELECT conname, contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE contypid = 16411",
            &["age_check|c|CHECK ((VALUE > 0))"],
        ),
        (
            "SELECT description FROM pg_description WHERE objoid = 16401 AND classoid = 1247",
            &["how it feels"],
        ),
    ];
    check(&with(types_of_desk(), &["*"]), expectations).await;
}

#[tokio::test]
async fn types_of_sources_have_names() {
    let shop = with(types_of_desk(), &["*"]);
    for (call, expected) in [
        ("format_type(16401, -1)", "desk.mood"),
        ("format_type(16400, NULL)", "desk.mood[]"),
        ("format_type(16441, 3)", "desk.citext(3)"),
        ("narrows_regtype_out(16420)", "desk.person[]"),
        ("narrows_regtype_out(16499)", "16499"),
        ("narrows_to_regtype('desk.mood')", "16401"),
        ("narrows_to_regtype('DESK.mood[]')", "16400"),
        ("narrows_to_regtype('\"desk\".\"mood\"')", "16401"),
        ("narrows_to_regtype('narrows.desk.mood')", "16401"),
        ("to_regtype('mood')", ""),
        ("to_regtype('nosuch.mood')", ""),
        ("pg_type_is_visible(16401)", "false"),
        ("pg_type_is_visible(16499)", ""),
        ("obj_description(16401, 'pg_type')", "how it feels"),
        ("narrows_regproc_out(16442)", "desk.citextrecv"),
        ("narrows_regclass_out(16419)", "desk.person"),
    ] {
        let sql = format!("SELECT {call}");
        assert_eq!(shop.rows(&sql).await, [expected], "{call}");
    }
    for (name, state) in [("desk.nosuch", "42704"), ("nosuch.mood", "3F000")] {
        let sql = format!("SELECT narrows_to_regtype('{name}')");
        let error = Error::from(shop.batches(&sql).await.expect_err(name));
        assert_eq!(error.state().code(), state, "{name}");
    }
}

#[tokio::test]
async fn types_of_unreadable_schemas_are_not_seen() {
    let nothing = with(types_of_desk(), &["shop.*"]);
    for sql in [
        "SELECT 1 FROM pg_type WHERE oid >= 16384",
        "SELECT 1 FROM pg_enum",
        "SELECT 1 FROM pg_attribute WHERE attname = 'feels'",
        "SELECT 1 FROM pg_proc WHERE proname = 'citextrecv'",
        "SELECT 1 FROM pg_constraint WHERE contypid >= 16384",
        "SELECT 1 FROM pg_description WHERE description = 'how it feels'",
    ] {
        assert_eq!(nothing.rows(sql).await, Vec::<String>::new(), "{sql}");
    }
    let names = "SELECT narrows_regtype_out(16401), to_regtype('desk.mood')";
    assert_eq!(nothing.rows(names).await, ["16401|"]);
}

const LISTED: &str =
    "SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
                      WHERE t.oid >= 16384 ORDER BY t.oid";

/// Of two types with one OID the first source's is seen, and what is made of the
/// other is left out with it; a user of the other source alone sees that one.
#[tokio::test]
async fn one_oid_is_one_type() {
    let types = || {
        let mut types = vec![mood("a", &["sad"]), mood("b", &["blue"]), person("b")];
        types.push(of("b", "alone", 16_501, 'U', TypeKind::Base));
        types
    };
    let both: &[&str] = &["a|_mood", "a|mood", "b|_alone", "b|alone"];
    check(&with(types(), &["*"]), &[(LISTED, both)]).await;
    let second: &[&str] = &[
        "b|_mood",
        "b|mood",
        "b|_person",
        "b|person",
        "b|_alone",
        "b|alone",
    ];
    check(&with(types(), &["b.*"]), &[(LISTED, second)]).await;
}

/// Two sources on copies of one database share its types.
#[tokio::test]
async fn copies_of_a_type_are_one() {
    let types = vec![mood("a", &["sad"]), mood("b", &["sad"]), person("b")];
    let both: &[&str] = &["a|_mood", "a|mood", "b|_person", "b|person"];
    check(&with(types, &["*"]), &[(LISTED, both)]).await;
}

/// A table's row type is the table's own, and gives way to every other kind.
#[tokio::test]
async fn row_types_belong_to_their_relations() {
    let row = |oid, table: &str| SourceType {
        schema: Some("shop".into()),
        ..of(
            "shop",
            table,
            oid,
            'C',
            TypeKind::Row(RowType {
                table: RelationName::new("shop", table),
                relation: oid + 1000,
                numbers: vec![2, 3],
            }),
        )
    };
    let types = vec![
        row(MOOD, "orders"),
        row(16_601, "customers"),
        mood("zoo", &["wild"]),
    ];
    let shop = with(types, &["*"]);
    let sql = "SELECT relname, reltype FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
               WHERE nspname = 'shop' AND relkind = 'r' ORDER BY 1";
    assert_eq!(shop.rows(sql).await, ["customers|16601", "orders|0"]);
    let sql =
        "SELECT relname FROM pg_type t JOIN pg_class c ON c.oid = typrelid WHERE t.oid = 16601";
    assert_eq!(shop.rows(sql).await, ["customers"]);
    assert_eq!(
        shop.rows("SELECT typname FROM pg_type WHERE oid = 16401")
            .await,
        ["mood"]
    );
}
