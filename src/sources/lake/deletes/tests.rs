//! Files with deleted rows against plain lists of the rows that are left,
//! whichever way the engine reads: in ranges, in two steps, from its end.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use object_store::ObjectMeta;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use roaring::RoaringTreemap;
use tempfile::TempDir;

use super::super::{
    ColumnBounds, ColumnSource, DataFormat, LakeFile, LakeTable, Snapshot, SnapshotReader,
    Tightness,
};
use super::*;
use crate::sources::lake_testing::{assert_rows, query, stores, write_parquet};

/// Enough that a join's keys may leave few of them (`lake/late`).
const ROWS: u64 = 1200;

#[derive(Debug)]
struct Marks(Arc<RoaringTreemap>);

#[async_trait]
impl PositionDeletes for Marks {
    async fn positions(&self) -> Result<Arc<RoaringTreemap>> {
        Ok(self.0.clone())
    }

    fn object(&self) -> String {
        "marks".into()
    }
}

#[derive(Debug)]
struct Fixed(Arc<Snapshot>);

#[async_trait]
impl SnapshotReader for Fixed {
    async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        Ok(self.0.clone())
    }
}

/// Row groups of 100 rows, pages of 20: `id` ascends, `k` repeats, `s` is NULL
/// in every second row.
fn write_file(path: &Path, first: i64) -> u64 {
    let ids = first..first + ROWS as i64;
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from_iter_values(ids.clone()))),
        (
            "k",
            Arc::new(Int64Array::from_iter_values(ids.clone().map(|id| id % 7))),
        ),
        (
            "s",
            Arc::new(StringArray::from_iter(
                ids.map(|id| (id % 2 == 0).then(|| format!("s{id}"))),
            )),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(100))
        .set_data_page_row_count_limit(20)
        .set_write_batch_size(20)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.metadata().unwrap().len()
}

/// A table of files, each of which loses these positions and keys.
fn table(base: &Path, files: &[&RoaringTreemap], counted: bool, keys: &[Keys]) -> Arc<LakeTable> {
    table_of(snapshot(base, files, counted, keys))
}

fn table_of(snapshot: Snapshot) -> Arc<LakeTable> {
    let schema = snapshot.schema.clone();
    let reader = Arc::new(Fixed(Arc::new(snapshot)));
    Arc::new(LakeTable::new(RelationName::new("s", "t"), schema, reader))
}

fn snapshot(base: &Path, files: &[&RoaringTreemap], counted: bool, keys: &[Keys]) -> Snapshot {
    let equality: Vec<Arc<EqualityDeletes>> = keys
        .iter()
        .enumerate()
        .map(|(number, keys)| Arc::new(write_keys(base, number, keys)))
        .collect();
    let location = stores(base).locate(".", None).unwrap();
    let bounds = |min: i64, max: i64, nulls| ColumnBounds {
        min: Some(ScalarValue::Int64(Some(min))),
        max: Some(ScalarValue::Int64(Some(max))),
        nulls: Some(nulls),
        tightness: Tightness::Exact,
    };
    let lake_files = files.iter().enumerate().map(|(number, positions)| {
        let first = number as i64 * ROWS as i64;
        let name = format!("{number}.parquet");
        let size = write_file(&base.join(&name), first);
        let object = ObjectMeta {
            location: location.path.clone().join(name),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size,
            e_tag: None,
            version: None,
        };
        let strings = ColumnBounds {
            nulls: Some(ROWS / 2),
            ..ColumnBounds::default()
        };
        let bounds = vec![
            bounds(first, first + ROWS as i64 - 1, 0),
            bounds(0, 6, 0),
            strings,
        ];
        let deletes = FileDeletes {
            positions: vec![Arc::new(Marks(Arc::new((*positions).clone())))],
            equality: equality.clone(),
            rows: counted.then_some(positions.len()),
        };
        LakeFile::new(object, Some(ROWS), Vec::new(), bounds).with_deletes(Some(Arc::new(deletes)))
    });
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("k", DataType::Int64, true),
        Field::new("s", DataType::Utf8View, true),
    ]));
    let missing = |data_type| ScalarValue::try_from(data_type).unwrap();
    Snapshot {
        version: "1".into(),
        schema: schema.clone(),
        sources: schema
            .fields()
            .iter()
            .map(|field| ColumnSource::named(field.name(), missing(field.data_type())))
            .collect(),
        files: lake_files.collect(),
        hidden: Vec::new(),
        store: location.store,
        format: DataFormat::Parquet,
        comment: None,
        column_comments: Vec::new(),
    }
}

/// Files are read in ranges however small; `late` reads filters' columns first.
fn session(table: Arc<LakeTable>, partitions: usize, late: bool) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_repartition_file_min_size(1)
        .with_batch_size(64);
    config.options_mut().execution.parquet.pushdown_filters = late;
    let session = SessionContext::new_with_config(config);
    session.register_table("t", table).unwrap();
    session
}

/// Positions with gaps and runs of every length.
fn marks(random: &mut StdRng, share: f64) -> RoaringTreemap {
    let mut positions = RoaringTreemap::new();
    while (positions.len() as f64) < share * ROWS as f64 {
        let first = random.random_range(0..ROWS);
        let length = if random.random() {
            1
        } else {
            random.random_range(1..150)
        };
        positions.insert_range(first..(first + length).min(ROWS));
    }
    positions
}

fn left(deleted: &[&RoaringTreemap]) -> Vec<i64> {
    (0..)
        .zip(deleted)
        .flat_map(|(number, deleted)| {
            (0..ROWS)
                .filter(|at| !deleted.contains(*at))
                .map(move |at| (number * ROWS + at) as i64)
        })
        .collect()
}

async fn check(session: &SessionContext, left: &[i64]) {
    let lines =
        |ids: &mut dyn Iterator<Item = &i64>| -> Vec<String> { ids.map(i64::to_string).collect() };
    let ids = |sql: &'static str| async move {
        query(session, sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {}", e.log_text()))
    };
    assert_eq!(
        ids("SELECT id FROM t ORDER BY id").await,
        lines(&mut left.iter())
    );
    let show = |value: Option<&i64>| value.map_or("NULL".to_string(), i64::to_string);
    let strings = left.iter().filter(|id| *id % 2 == 0).count();
    assert_eq!(
        ids("SELECT count(*), min(id), max(id), count(s), count(k) FROM t").await,
        [format!(
            "{}|{}|{}|{strings}|{}",
            left.len(),
            show(left.first()),
            show(left.last()),
            left.len()
        )]
    );
    assert_eq!(
        ids("SELECT id FROM t WHERE id >= 345 AND id < 1255 ORDER BY id").await,
        lines(&mut left.iter().filter(|id| (345..1255).contains(*id)))
    );
    assert_eq!(
        ids("SELECT id FROM t WHERE k = 3 AND s IS NOT NULL ORDER BY id").await,
        lines(&mut left.iter().filter(|id| **id % 14 == 10))
    );
    assert_eq!(
        ids("SELECT count(*) FROM t WHERE s IS NULL").await,
        [(left.len() - strings).to_string()]
    );
    assert_eq!(
        ids("SELECT id FROM t ORDER BY id LIMIT 12").await,
        lines(&mut left.iter().take(12))
    );
    assert_eq!(
        ids("SELECT id FROM t ORDER BY id DESC LIMIT 12").await,
        lines(&mut left.iter().rev().take(12))
    );
    let some = ids("SELECT id FROM t WHERE id > 100 LIMIT 7").await;
    let may = lines(&mut left.iter().filter(|id| **id > 100));
    assert_eq!(some.len(), may.len().min(7));
    assert!(some.iter().all(|id| may.contains(id)), "{some:?}");
    assert_eq!(
        ids("SELECT id FROM t LIMIT 1500").await.len(),
        left.len().min(1500)
    );
    assert_eq!(
        ids("SELECT t.id FROM t JOIN (VALUES (7), (770), (771), (1500)) AS v (id) USING (id) ORDER BY 1").await,
        lines(&mut left.iter().filter(|id| [7, 770, 771, 1500].contains(*id)))
    );
    assert_eq!(
        ids("SELECT id FROM t WHERE s = 's770' OR id = 33 ORDER BY id").await,
        lines(&mut left.iter().filter(|id| [33, 770].contains(*id)))
    );
}

#[tokio::test]
async fn deleted_rows_are_not_read() {
    let base = TempDir::new().unwrap();
    let mut random = StdRng::seed_from_u64(5);
    let all: RoaringTreemap = (0..ROWS).collect();
    let none = RoaringTreemap::new();
    let odd: RoaringTreemap = (1..ROWS).step_by(2).collect();
    let but_one: RoaringTreemap = (0..ROWS).filter(|at| *at != 770).collect();
    let mut cases = vec![
        [none.clone(), all.clone()],
        [all.clone(), all],
        // as many rows left as there are NULLs
        [odd.clone(), odd],
        [but_one, none],
    ];
    for share in [0.01, 0.05, 0.3, 0.6, 0.97] {
        cases.push([marks(&mut random, share), marks(&mut random, share)]);
    }
    for (number, [a, b]) in cases.iter().enumerate() {
        let deleted = [a, b];
        let late = number % 2 == 0;
        for (counted, partitions, late) in [(true, 1, false), (true, 8, late), (false, 3, !late)] {
            let table = table(base.path(), &deleted, counted, &[]);
            check(&session(table, partitions, late), &left(&deleted)).await;
        }
    }
}

/// Rows of a delete file: ids alone, or values of `k` and `s`.
enum Keys {
    Ids(Vec<i64>),
    Pairs(Vec<(i64, Option<String>)>),
}

fn write_keys(base: &Path, number: usize, keys: &Keys) -> EqualityDeletes {
    let (batch, columns) = match keys {
        Keys::Ids(ids) => {
            let ids: ArrayRef = Arc::new(Int64Array::from(ids.clone()));
            (RecordBatch::try_from_iter([("id", ids)]), vec![0])
        }
        Keys::Pairs(pairs) => {
            let s = pairs.iter().map(|(_, s)| s.as_deref());
            let k = pairs.iter().map(|(k, _)| *k);
            let s: ArrayRef = Arc::new(StringArray::from_iter(s));
            let k: ArrayRef = Arc::new(Int64Array::from_iter_values(k));
            // in another order than the table's
            (RecordBatch::try_from_iter([("s", s), ("k", k)]), vec![1, 2])
        }
    };
    let path = base.join(format!("keys-{number}.parquet"));
    let size = write_parquet(&path, &batch.unwrap(), 50);
    EqualityDeletes {
        object: ObjectMeta {
            location: object_store::path::Path::from_absolute_path(&path).unwrap(),
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size,
            e_tag: None,
            version: None,
        },
        columns,
    }
}

#[tokio::test]
async fn rows_with_deleted_keys_are_not_given() {
    let base = TempDir::new().unwrap();
    let mut random = StdRng::seed_from_u64(11);
    for number in 0..4 {
        let (a, b) = (marks(&mut random, 0.1), RoaringTreemap::new());
        let ids: Vec<i64> = (0..600).map(|_| random.random_range(0..2500)).collect();
        let more: Vec<i64> = (0..70).map(|_| random.random_range(-9..2000)).collect();
        let pairs: Vec<(i64, Option<String>)> = (0..300)
            .map(|_| {
                let id: i64 = random.random_range(0..2000);
                (id % 7, (id % 20 != 0).then(|| format!("s{id}")))
            })
            .chain([(3, None), (9, None)])
            .collect();
        let mut left = left(&[&a, &b]);
        left.retain(|id| {
            let s = (id % 2 == 0).then(|| format!("s{id}"));
            !ids.contains(id) && !more.contains(id) && !pairs.contains(&(id % 7, s))
        });
        let keys = [Keys::Ids(ids), Keys::Pairs(pairs), Keys::Ids(more)];
        let table = table(base.path(), &[&a, &b], false, &keys);
        for (partitions, late) in [(1, false), (4, number % 2 == 0)] {
            check(&session(table.clone(), partitions, late), &left).await;
        }
    }
}

/// Keys of a column that is constant in the file, whatever the file says, and of one
/// that only deletes know.
#[tokio::test]
async fn keys_may_be_constant_or_hidden() {
    let base = TempDir::new().unwrap();
    let none = RoaringTreemap::new();
    let pairs = [10, 12, 14].map(|id| (3, Some(format!("s{id}"))));
    let keys = [Keys::Pairs(pairs.to_vec()), Keys::Ids(Vec::new())];
    let mut snapshot = snapshot(base.path(), &[&none], false, &keys);
    let k = Field::new("k of the file", DataType::Int64, true);
    let source = ColumnSource::named("k", ScalarValue::Int64(None));
    snapshot.hidden = vec![(Arc::new(k), source)];
    let by_k: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None]));
    let by_k = RecordBatch::try_from_iter([("k", by_k)]).unwrap();
    let path = base.path().join("hidden.parquet");
    let object = ObjectMeta {
        location: object_store::path::Path::from_absolute_path(&path).unwrap(),
        size: write_parquet(&path, &by_k, 10),
        ..snapshot.files[0].object.clone()
    };
    let by_k = EqualityDeletes {
        object,
        columns: vec![3],
    };
    snapshot.files = snapshot
        .files
        .into_iter()
        .map(|file| {
            let mut deletes = file.deletes.as_deref().cloned().unwrap_or_default();
            deletes.equality.push(Arc::new(EqualityDeletes {
                object: by_k.object.clone(),
                columns: by_k.columns.clone(),
            }));
            let constants = vec![(1, ScalarValue::Int64(Some(3)))];
            LakeFile::new(file.object, file.rows, constants, file.bounds)
                .with_deletes(Some(Arc::new(deletes)))
        })
        .collect();
    let session = session(table_of(snapshot), 2, false);
    assert_rows(
        query(&session, "SELECT id, k FROM t WHERE id < 16 ORDER BY id").await,
        &[
            "0|3", "1|3", "2|3", "3|3", "4|3", "6|3", "7|3", "8|3", "9|3", "11|3", "13|3", "15|3",
        ],
    );
    assert_rows(
        query(
            &session,
            "SELECT s FROM t WHERE k = 3 AND id IN (8, 10, 12, 19)",
        )
        .await,
        &["s8"],
    );
}

#[tokio::test]
async fn what_is_not_read_is_counted() {
    let base = TempDir::new().unwrap();
    let marks: RoaringTreemap = (90..250).collect();
    let table = table(base.path(), &[&marks], true, &[]);
    let session = session(table, 4, false);
    assert_rows(query(&session, "SELECT count(id) FROM t").await, &["1040"]);
    let plan = query(&session, "EXPLAIN ANALYZE SELECT sum(id) FROM t").await;
    let plan = plan.unwrap().join("\n");
    assert!(plan.contains("rows_deleted=160"), "{plan}");
    let plan = query(&session, "EXPLAIN SELECT count(*) FROM t").await;
    let plan = plan.unwrap().join("\n");
    assert!(!plan.contains("DataSourceExec"), "{plan}");
}

#[tokio::test]
async fn positions_past_the_end_are_corruption() {
    let base = TempDir::new().unwrap();
    let marks: RoaringTreemap = [ROWS].into_iter().collect();
    let session = session(table(base.path(), &[&marks], true, &[]), 2, false);
    let error = query(&session, "SELECT sum(id) FROM t").await.unwrap_err();
    assert_eq!(
        error.state(),
        SqlState::DATA_CORRUPTED,
        "{}",
        error.log_text()
    );
    assert!(
        error.message().contains("\"marks\" of table \"s.t\""),
        "{error}"
    );
}
