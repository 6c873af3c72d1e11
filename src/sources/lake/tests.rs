//! What every format relies on: values read from text, one version a statement.

use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::prelude::SessionContext;
use serde_json::json;

use super::*;
use crate::names::RelationName;
use crate::sources::lake_testing::{assert_rows, query, stores};
use crate::types::PgType;

/// A table that has one file more each time it is asked for; the files do not exist.
#[derive(Debug)]
struct Growing {
    schema: SchemaRef,
    store: OpenStore,
    asked: AtomicUsize,
}

#[async_trait]
impl SnapshotReader for Growing {
    async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let versions = 1 + self.asked.fetch_add(1, Ordering::SeqCst);
        let files = (0..versions).map(|version| {
            let object = ObjectMeta {
                location: format!("{version}.parquet").into(),
                last_modified: chrono::DateTime::UNIX_EPOCH,
                size: 1,
                e_tag: None,
                version: None,
            };
            LakeFile::new(object, Some(1), Vec::new(), vec![ColumnBounds::default()])
        });
        Ok(Arc::new(Snapshot {
            version: versions.to_string(),
            schema: self.schema.clone(),
            sources: vec![ColumnSource::named("id", ScalarValue::Int32(None))],
            hidden: Vec::new(),
            store: self.store.clone(),
            format: DataFormat::Parquet,
            files: files.collect(),
            comment: None,
            column_comments: Vec::new(),
        }))
    }
}

#[tokio::test]
async fn a_statement_reads_a_table_at_one_version() {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int32, true)]));
    let reader = Arc::new(Growing {
        schema: schema.clone(),
        store: stores("/".as_ref()).locate("/nowhere", None).unwrap().store,
        asked: AtomicUsize::new(0),
    });
    let table = LakeTable::new(RelationName::new("s", "t"), schema, reader.clone());
    let session = SessionContext::new();
    session.register_table("t", Arc::new(table)).unwrap();
    let both = "SELECT (SELECT count(*) FROM t) AS a, (SELECT count(*) FROM t) AS b";
    assert_rows(query(&session, both).await, &["1|1"]);
    assert_rows(query(&session, both).await, &["2|2"]);
    assert_eq!(reader.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn carriers_are_those_of_the_postgres_types() {
    for (file_type, carried) in [
        (DataType::LargeUtf8, DataType::Utf8View),
        (DataType::UInt32, DataType::Int64),
        (DataType::UInt64, DataType::Decimal128(20, 0)),
        (DataType::Decimal256(10, 2), DataType::Decimal128(10, 2)),
        (DataType::Decimal128(5, -2), DataType::Decimal128(7, 0)),
        (
            DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Paris".into())),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        (DataType::FixedSizeBinary(3), DataType::BinaryView),
    ] {
        assert_eq!(carrier(&file_type), carried, "{file_type}");
        let field = provider_field(&Field::new("c", file_type, true));
        assert_eq!(column(&field, None).field(), field);
    }
    let list = DataType::LargeList(Arc::new(Field::new("element", DataType::UInt8, false)));
    let field = provider_field(&Field::new("c", list, true));
    assert_eq!(PgType::of(&field), PgType::INT2.array());
    assert_eq!(column(&field, None).field(), field);
}

#[test]
fn values_are_read_from_text_exactly_or_not_at_all() {
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    for (text, data_type, expected) in [
        ("2024-02-29", DataType::Date32, Some("2024-02-29")),
        ("1.1", DataType::Decimal128(10, 2), Some("1.10")),
        ("12a", DataType::Int64, None),
        ("1e400", DataType::Int32, None),
        ("TRUE", DataType::Boolean, Some("true")),
        ("yes", DataType::Boolean, None),
        (
            "3000-01-01T00:00:00Z",
            timestamp.clone(),
            Some("32503680000000000"),
        ),
        ("1969-12-31 23:59:59.9999999", timestamp, Some("-1")),
    ] {
        let value = parse_value(text, &data_type).map(|value| value.to_string());
        assert_eq!(value.as_deref(), expected, "{text}");
    }
}

#[test]
fn statistics_beyond_a_double_are_unknown() {
    let wide = DataType::Decimal128(38, 10);
    assert_eq!(value_of_json(&json!(1.5), &wide), None);
    assert!(value_of_json(&json!(15), &wide).is_some());
    assert!(value_of_json(&json!(1.5), &DataType::Decimal128(10, 2)).is_some());
    assert!(value_of_json(&json!(i64::MAX), &DataType::Int64).is_some());
    assert_eq!(value_of_json(&json!(1.5), &DataType::Int64), None);
}
