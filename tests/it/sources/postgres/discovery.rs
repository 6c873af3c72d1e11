//! What a database holds, as its catalog says.

use narrows::error::SqlState;
use narrows::sources::postgres::Collation;
use narrows::sources::{KeyKind, RelationKind, TableState};

use super::{provider, read, source, source_with, tables, url, with_user};

#[tokio::test]
async fn relations_keys_and_columns_are_discovered() {
    let source = source_with(
        "t_found",
        r#"CREATE TABLE customer (id int8 PRIMARY KEY, email text COLLATE "C" UNIQUE NOT NULL,
           name text DEFAULT 'nobody', twice int8 GENERATED ALWAYS AS (id * 2) STORED);
         COMMENT ON TABLE customer IS 'who buys'; COMMENT ON COLUMN customer.name IS 'in full';
         CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE orders (id int8, line int4, customer int8 REFERENCES customer,
           note text COLLATE folded, gone int, PRIMARY KEY (line, id));
         ALTER TABLE orders DROP COLUMN gone;
         INSERT INTO customer (id, email) SELECT i, i::text FROM generate_series(1, 100) i;
         CREATE TABLE part (k int4 NOT NULL, v text) PARTITION BY RANGE (k);
         CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
         CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (100) PARTITION BY LIST (k);
         CREATE TABLE part_2a PARTITION OF part_2 DEFAULT;
         INSERT INTO part SELECT i FROM generate_series(0, 49) i;
         CREATE VIEW v AS SELECT id FROM customer;
         CREATE MATERIALIZED VIEW mv AS SELECT id FROM customer;
         CREATE TABLE never_analyzed (id int4);
         CREATE TABLE parent (id int4 PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
         CREATE SEQUENCE s; CREATE TYPE row_type AS (a int); CREATE TABLE empty ();
         ANALYZE customer; ANALYZE part; ANALYZE mv;"#,
    )
    .await;
    let tables = tables(&source).await;
    let kinds: Vec<_> = tables
        .iter()
        .map(|(name, table)| (name.as_str(), table.kind))
        .collect();
    use RelationKind::*;
    assert_eq!(
        kinds,
        [
            ("child", Table),
            ("customer", Table),
            ("empty", Table),
            ("mv", MaterializedView),
            ("never_analyzed", Table),
            ("orders", Table),
            ("parent", Table),
            ("part", PartitionedTable),
            ("part_1", Table),
            ("part_2", PartitionedTable),
            ("part_2a", Table),
            ("v", View),
        ]
    );
    let customer = &tables["customer"];
    assert_eq!(customer.comment.as_deref(), Some("who buys"));
    assert_eq!(customer.rows, Some(100));
    assert!(customer.bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!(
        customer.columns[2].default.as_deref(),
        Some("'nobody'::text")
    );
    assert_eq!(customer.columns[2].comment.as_deref(), Some("in full"));
    assert_eq!(customer.columns[3].default, None);
    assert!(!customer.columns[1].nullable && customer.columns[2].nullable);
    assert!(
        customer
            .keys
            .iter()
            .any(|k| k.kind == KeyKind::Primary && k.columns == [0])
    );
    assert!(
        customer
            .keys
            .iter()
            .any(|k| k.kind == KeyKind::Unique && k.columns == [1])
    );
    let orders = &tables["orders"];
    assert!(
        orders
            .keys
            .iter()
            .any(|k| k.kind == KeyKind::Primary && k.columns == [1, 0])
    );
    assert!(
        orders
            .keys
            .iter()
            .any(|k| matches!(&k.kind, KeyKind::Foreign { table, columns }
        if table == &customer.name && columns == &["id"])
                && k.columns == [2])
    );
    assert_eq!(tables["part"].rows, Some(50));
    assert_eq!(tables["v"].rows, None);
    assert_eq!(tables["never_analyzed"].rows, None);
    assert!(tables["v"].columns[0].nullable);
    assert_eq!(provider(customer).columns()[0].collation, Collation::None);
    assert_eq!(provider(customer).columns()[1].collation, Collation::C);
    assert!(matches!(
        &provider(orders).columns()[3].collation,
        Collation::Nondeterministic(name) if name == "t_found.folded"
    ));
    assert_eq!(
        read(&tables["part"]).await.expect("readable")[0].num_rows(),
        50
    );
}

#[tokio::test]
async fn what_the_role_may_not_read_is_listed_and_broken() {
    source_with(
        "t_denied",
        "DROP ROLE IF EXISTS t_denied_reader; CREATE ROLE t_denied_reader LOGIN PASSWORD 'pw';
         CREATE TABLE open (id int4); CREATE TABLE closed (id int4);
         CREATE TABLE partly (id int4, secret text); INSERT INTO partly VALUES (1, 's');
         GRANT USAGE ON SCHEMA t_denied TO t_denied_reader;
         GRANT SELECT ON open TO t_denied_reader; GRANT SELECT (id) ON partly TO t_denied_reader;",
    )
    .await;
    let address = with_user(&url(), "t_denied_reader", "pw");
    let tables = tables(&source(&address, "t_denied", 2)).await;
    assert!(matches!(tables["open"].state, TableState::Ready(_)));
    let TableState::Broken(error) = &tables["closed"].state else {
        panic!("closed is readable");
    };
    assert_eq!(error.state(), SqlState::INSUFFICIENT_PRIVILEGE);
    assert_eq!(tables["partly"].columns.len(), 1);
    assert_eq!(
        read(&tables["partly"]).await.expect("readable")[0].num_rows(),
        1
    );
}
