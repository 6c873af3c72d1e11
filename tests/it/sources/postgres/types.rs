//! Every type's values, those that have an Arrow form and those that have none.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::*;
use narrows::error::SqlState;
use narrows::sources::Representation;
use narrows::types::PgType;

use super::{cell, read, source_with, tables};

#[tokio::test]
async fn every_mapped_type_arrives_whole() {
    let source = source_with(
        "t_types",
        r#"CREATE DOMAIN price AS numeric(8,2);
        CREATE DOMAIN dear_price AS price CHECK (VALUE > 100);
        CREATE TABLE t (id int4, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8,
          o oid, c regclass, n numeric(10,2), n50 numeric(50,5), nu numeric, t text,
          v varchar(5), p char(5), nm name, ch "char", ba bytea, u uuid, d date, tm time,
          ts timestamp, tz timestamptz, iv interval, j json, jb jsonb, x xml,
          dom dear_price, ai int4[], at text[], an numeric(10,2)[], ad date[], atz timestamptz[],
          ovec oidvector);
        INSERT INTO t VALUES (1, true, -32768, 2147483647, -9223372036854775808, 1.5, -0.1,
          4294967295, 'pg_class', -12345678.90, 123456789012345678901234567890123456789012345.12345,
          1234567890.0123456789, 'żółw 🐢', 'abc', 'ab', 'nm', 'r', '\x00ff', 
          'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '4713-01-01 BC', '24:00:00',
          '0044-03-15 12:00:00.000001 BC', '2024-02-29 12:00+02', '1 year -3 days 04:05:06.789',
          '{"a": 1}', '{"b": [1, null]}', '<a>1</a>', 250.5, '{1,NULL,3}', '{"",NULL,"a b"}',
          '{1.25,-7.00}', '{infinity,2000-01-01}', '{}', '1 2 3');
        INSERT INTO t (id) VALUES (2);
        INSERT INTO t (id, d, ts, tz, f4, f8, nu) VALUES
          (3, 'infinity', 'infinity', '-infinity', 'NaN', '-Infinity', -0.00000000000000000001);"#,
    )
    .await;
    let tables = tables(&source).await;
    let table = &tables["t"];
    let batches = read(table).await.expect("readable");
    let rows = datafusion::arrow::compute::concat_batches(&table.arrow_schema(), &batches)
        .expect("one schema");
    assert_eq!(rows.num_rows(), 3);
    for (column, expected) in [
        ("b", "true"),
        ("i2", "-32768"),
        ("i4", "2147483647"),
        ("i8", "-9223372036854775808"),
        ("f4", "1.5"),
        ("f8", "-0.1"),
        ("o", "4294967295"),
        ("c", "1259"),
        ("n", "-12345678.90"),
        ("n50", "123456789012345678901234567890123456789012345.12345"),
        ("nu", "1234567890.01234567890000000000"),
        ("t", "żółw 🐢"),
        ("v", "abc"),
        // without its padding: `types` says why
        ("p", "ab"),
        ("nm", "nm"),
        ("ch", "r"),
        ("ba", "00ff"),
        ("u", "a0eebc999c0b4ef8bb6d6bb9bd380a11"),
        ("d", "-4712-01-01"),
        ("ts", "-0043-03-15T12:00:00.000001"),
        ("tz", "2024-02-29T10:00:00Z"),
        ("j", r#"{"a": 1}"#),
        ("jb", r#"{"b": [1, null]}"#),
        ("x", "<a>1</a>"),
        ("dom", "250.50"),
        ("ai", "[1, NULL, 3]"),
        ("at", "[, NULL, a b]"),
        ("an", "[1.25, -7.00]"),
        ("atz", "[]"),
        ("ovec", "[1, 2, 3]"),
    ] {
        assert_eq!(cell(&rows, column, 0), expected, "{column}");
    }
    let time = rows.column_by_name("tm").expect("exists");
    assert_eq!(
        time.as_primitive::<Time64MicrosecondType>().value(0),
        86_400_000_000
    );
    let interval = rows.column_by_name("iv").expect("exists");
    let interval = interval.as_primitive::<IntervalMonthDayNanoType>().value(0);
    assert_eq!(
        interval,
        IntervalMonthDayNano::new(12, -3, 14_706_789_000_000)
    );
    for field in rows.schema().fields().iter().skip(1) {
        assert_eq!(cell(&rows, field.name(), 1), "NULL", "{}", field.name());
    }
    let extreme = |name: &str| rows.column_by_name(name).expect("exists").clone();
    assert_eq!(extreme("d").as_primitive::<Date32Type>().value(2), i32::MAX);
    let timestamps = extreme("ts");
    assert_eq!(
        timestamps
            .as_primitive::<TimestampMicrosecondType>()
            .value(2),
        i64::MAX
    );
    let timestamps = extreme("tz");
    assert_eq!(
        timestamps
            .as_primitive::<TimestampMicrosecondType>()
            .value(2),
        i64::MIN
    );
    assert!(
        extreme("f4")
            .as_primitive::<Float32Type>()
            .value(2)
            .is_nan()
    );
    assert_eq!(cell(&rows, "f8", 2), "-inf");
    assert_eq!(cell(&rows, "nu", 2), "-0.00000000000000000001");
    assert_eq!(
        PgType::of(rows.schema().field_with_name("jb").expect("exists")),
        PgType::JSONB
    );
    assert_eq!(
        PgType::of(rows.schema().field_with_name("dom").expect("exists")),
        PgType::numeric(8, 2)
    );
}

#[tokio::test]
async fn types_without_an_arrow_form_arrive_as_the_text_that_clients_see() {
    let source = source_with(
        "t_text",
        r#"CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE TYPE pair AS (a int, b text);
        CREATE TYPE "Odd ""Type" AS ENUM ('x');
        CREATE TABLE t (i inet, e mood, v tsvector, r int4range, c pair, n numeric(100,2),
          ia inet[], m money, tz timetz, bi bit(3), od "Odd ""Type", po point, ci cidr);
        INSERT INTO t VALUES ('192.168.1.1', 'happy', 'a b', '[1,5)', (1,'x y'), 1.5,
          '{10.0.0.1}', '1.50', '12:00+02', '101', 'x', '(1,2)', '10.0.0.0/8');
        INSERT INTO t DEFAULT VALUES;"#,
    )
    .await;
    let tables = tables(&source).await;
    let table = &tables["t"];
    let rows = read(table).await.expect("readable").remove(0);
    for (column, type_name, expected) in [
        ("i", "inet", "192.168.1.1"),
        ("e", "t_text.mood", "happy"),
        ("v", "tsvector", "'a' 'b'"),
        ("r", "int4range", "[1,5)"),
        ("c", "t_text.pair", r#"(1,"x y")"#),
        ("n", "numeric(100,2)", "1.50"),
        ("ia", "inet[]", "{10.0.0.1}"),
        ("m", "money", "$1.50"),
        ("tz", "time with time zone", "12:00:00+02"),
        ("bi", "bit(3)", "101"),
        ("od", r#"t_text."Odd ""Type""#, "x"),
        ("po", "point", "(1,2)"),
        ("ci", "cidr", "10.0.0.0/8"),
    ] {
        assert_eq!(cell(&rows, column, 0), expected, "{column}");
        assert_eq!(cell(&rows, column, 1), "NULL", "{column}");
        let found = table
            .columns
            .iter()
            .find(|c| c.name == column)
            .expect("exists");
        assert_eq!(found.pg_type, PgType::TEXT);
        let Representation::Text {
            type_name: told, ..
        } = &found.representation
        else {
            panic!("{column} is not text");
        };
        assert_eq!(told, type_name);
    }
}

#[tokio::test]
async fn values_that_do_not_fit_are_errors_that_name_the_column() {
    let source = source_with(
        "t_misfits",
        "CREATE TABLE nan (nu numeric); INSERT INTO nan VALUES ('NaN');
         CREATE TABLE wide (nu numeric); INSERT INTO wide VALUES (1e60);
         CREATE TABLE fine (nu numeric); INSERT INTO fine VALUES (1e-21);
         CREATE TABLE matrix (m int[]); INSERT INTO matrix VALUES ('{{1,2},{3,4}}');
         CREATE TABLE shifted (m int[]); INSERT INTO shifted VALUES ('[0:1]={1,2}');
         CREATE TABLE far (ts timestamp); INSERT INTO far VALUES ('294276-12-31');",
    )
    .await;
    let tables = tables(&source).await;
    for (table, state, column) in [
        ("nan", SqlState::DATA_EXCEPTION, "nu"),
        ("wide", SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "nu"),
        ("fine", SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "nu"),
        ("matrix", SqlState::FEATURE_NOT_SUPPORTED, "m"),
        ("shifted", SqlState::FEATURE_NOT_SUPPORTED, "m"),
        ("far", SqlState::DATETIME_FIELD_OVERFLOW, "ts"),
    ] {
        let error = read(&tables[table]).await.expect_err("it does not fit");
        assert_eq!(error.state(), state, "{table}: {error}");
        assert!(
            error.message().contains(&format!("\"{column}\"")),
            "{error}"
        );
        assert!(
            error.hint().is_some_and(|hint| hint.contains("text")),
            "{table}"
        );
    }
}
