//! `part$snapshots`, `$history`, `$refs`, `$manifests`, `$files` and `$partitions`:
//! what Iceberg's metadata says of a table. Called when such a table is scanned.
//! Columns are those of Trino's tables of the same names; maps and rows are jsonb.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::{
    DataContentType, DataFile, Datum, FieldSummary, Literal, ManifestContentType, ManifestFile,
    Schema, SnapshotRetention, Struct, StructType, TableMetadata, Type,
};
use serde_json::{Map, Value, json};

use super::manifests::{CONCURRENT_MANIFESTS, Manifests};
use super::opened::Opened;
use super::versions::Chosen;
use crate::error::{Error, Result};
use crate::names::RelationName;
use crate::sources::lake::about::{
    Described, Row, boolean, count, instant, int4, int8, jsonb, text,
};
use crate::types::PgType;

pub(super) const TABLES: &[Described] = &[
    Described {
        name: "snapshots",
        columns: &[
            ("committed_at", PgType::TIMESTAMPTZ),
            ("snapshot_id", PgType::INT8),
            ("parent_id", PgType::INT8),
            ("operation", PgType::TEXT),
            ("manifest_list", PgType::TEXT),
            ("summary", PgType::JSONB),
        ],
    },
    Described {
        name: "history",
        columns: &[
            ("made_current_at", PgType::TIMESTAMPTZ),
            ("snapshot_id", PgType::INT8),
            ("parent_id", PgType::INT8),
            ("is_current_ancestor", PgType::BOOL),
        ],
    },
    Described {
        name: "refs",
        columns: &[
            ("name", PgType::TEXT),
            ("type", PgType::TEXT),
            ("snapshot_id", PgType::INT8),
            ("max_reference_age_in_ms", PgType::INT8),
            ("min_snapshots_to_keep", PgType::INT4),
            ("max_snapshot_age_in_ms", PgType::INT8),
        ],
    },
    Described {
        name: "manifests",
        columns: &[
            ("content", PgType::INT4),
            ("path", PgType::TEXT),
            ("length", PgType::INT8),
            ("partition_spec_id", PgType::INT4),
            ("added_snapshot_id", PgType::INT8),
            ("added_data_files_count", PgType::INT8),
            ("added_rows_count", PgType::INT8),
            ("existing_data_files_count", PgType::INT8),
            ("existing_rows_count", PgType::INT8),
            ("deleted_data_files_count", PgType::INT8),
            ("deleted_rows_count", PgType::INT8),
            ("partition_summaries", PgType::JSONB),
        ],
    },
    Described {
        name: "files",
        columns: &[
            ("content", PgType::INT4),
            ("file_path", PgType::TEXT),
            ("file_format", PgType::TEXT),
            ("spec_id", PgType::INT4),
            ("partition", PgType::JSONB),
            ("record_count", PgType::INT8),
            ("file_size_in_bytes", PgType::INT8),
            ("column_sizes", PgType::JSONB),
            ("value_counts", PgType::JSONB),
            ("null_value_counts", PgType::JSONB),
            ("nan_value_counts", PgType::JSONB),
            ("lower_bounds", PgType::JSONB),
            ("upper_bounds", PgType::JSONB),
            ("split_offsets", PgType::JSONB),
            ("equality_ids", PgType::JSONB),
            ("sort_order_id", PgType::INT4),
        ],
    },
    Described {
        name: "partitions",
        columns: &[
            ("partition", PgType::JSONB),
            ("spec_id", PgType::INT4),
            ("record_count", PgType::INT8),
            ("file_count", PgType::INT8),
            ("total_size", PgType::INT8),
        ],
    },
];

/// The rows of one of `TABLES`.
pub(super) async fn rows(name: &str, table: &RelationName, opened: &Opened) -> Result<Vec<Row>> {
    let metadata = &opened.metadata;
    let now = Chosen::current(metadata);
    let reader = Reader {
        manifests: Manifests::new(table, opened, &now),
    };
    Ok(match name {
        "snapshots" => snapshots(metadata),
        "history" => history(metadata),
        "refs" => refs(opened),
        "manifests" => {
            let manifests = reader.manifests.list().await?;
            manifests
                .iter()
                .map(|manifest| reader.manifest_row(manifest))
                .collect()
        }
        "files" => {
            let files = reader.files().await?;
            files.iter().map(file_row).collect()
        }
        "partitions" => partitions(&reader.files().await?),
        other => return Err(Error::internal(format!("there is no \"{table}${other}\""))),
    })
}

fn snapshots(metadata: &TableMetadata) -> Vec<Row> {
    let mut snapshots: Vec<_> = metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| snapshot.timestamp_ms());
    snapshots
        .into_iter()
        .map(|snapshot| {
            let summary = snapshot.summary();
            vec![
                instant(Some(snapshot.timestamp_ms())),
                int8(snapshot.snapshot_id()),
                int8(snapshot.parent_snapshot_id()),
                text(Some(summary.operation.as_str())),
                text(Some(snapshot.manifest_list())),
                jsonb(&json!(summary.additional_properties)),
            ]
        })
        .collect()
}

fn history(metadata: &TableMetadata) -> Vec<Row> {
    let parent = |id| {
        metadata
            .snapshot_by_id(id)
            .and_then(|snapshot| snapshot.parent_snapshot_id())
    };
    let mut ancestors = HashSet::new();
    let mut next = metadata.current_snapshot_id();
    while let Some(id) = next.filter(|id| ancestors.insert(*id)) {
        next = parent(id);
    }
    metadata
        .history()
        .iter()
        .map(|entry| {
            vec![
                instant(Some(entry.timestamp_ms())),
                int8(entry.snapshot_id),
                int8(parent(entry.snapshot_id)),
                boolean(ancestors.contains(&entry.snapshot_id)),
            ]
        })
        .collect()
}

fn refs(opened: &Opened) -> Vec<Row> {
    let of = |(name, found): (&String, &iceberg::spec::SnapshotReference)| {
        let (kind, age, least, snapshots) = match &found.retention {
            SnapshotRetention::Branch {
                min_snapshots_to_keep,
                max_snapshot_age_ms,
                max_ref_age_ms,
            } => (
                "BRANCH",
                *max_ref_age_ms,
                *min_snapshots_to_keep,
                *max_snapshot_age_ms,
            ),
            SnapshotRetention::Tag { max_ref_age_ms } => ("TAG", *max_ref_age_ms, None, None),
        };
        vec![
            text(Some(name)),
            text(Some(kind)),
            int8(found.snapshot_id),
            int8(age),
            int4(least),
            int8(snapshots),
        ]
    };
    opened.refs.iter().map(of).collect()
}

struct Reader<'a> {
    manifests: Manifests<'a>,
}

/// A file that is alive, with the meaning of its partition.
struct Alive {
    file: DataFile,
    spec: i32,
    partition: Value,
}

impl Reader<'_> {
    async fn files(&self) -> Result<Vec<Alive>> {
        let manifests = self.manifests.list().await?;
        let files: Vec<Vec<Alive>> = futures::stream::iter(manifests)
            .map(|manifest| self.files_of(manifest))
            .buffered(CONCURRENT_MANIFESTS)
            .try_collect()
            .await?;
        Ok(files.into_iter().flatten().collect())
    }

    async fn files_of(&self, manifest: ManifestFile) -> Result<Vec<Alive>> {
        let (_, read) = self.manifests.read(&manifest).await?;
        let kind = self.partition_type(&manifest, Some(read.metadata().schema()));
        let alive = read.entries().iter().filter(|entry| entry.is_alive());
        Ok(alive
            .map(|entry| Alive {
                file: entry.data_file().clone(),
                spec: manifest.partition_spec_id,
                partition: partition(entry.data_file().partition(), kind.as_ref()),
            })
            .collect())
    }

    /// `None` where the specification or its columns are no longer known.
    fn partition_type(
        &self,
        manifest: &ManifestFile,
        schema: Option<&Schema>,
    ) -> Option<StructType> {
        let metadata = self.manifests.metadata;
        let spec = metadata.partition_spec_by_id(manifest.partition_spec_id)?;
        let current = metadata.current_schema();
        let schema = schema.unwrap_or(current);
        spec.partition_type(schema)
            .or_else(|_| spec.partition_type(current))
            .ok()
    }

    fn manifest_row(&self, manifest: &ManifestFile) -> Row {
        let kind = self.partition_type(manifest, None);
        let number = |value: Option<u64>| match value {
            Some(value) => count(value),
            None => int8(None),
        };
        vec![
            int4(match manifest.content {
                ManifestContentType::Data => 0,
                ManifestContentType::Deletes => 1,
            }),
            text(Some(&manifest.manifest_path)),
            int8(manifest.manifest_length),
            int4(manifest.partition_spec_id),
            int8(manifest.added_snapshot_id),
            int8(manifest.added_files_count.map(i64::from)),
            number(manifest.added_rows_count),
            int8(manifest.existing_files_count.map(i64::from)),
            number(manifest.existing_rows_count),
            int8(manifest.deleted_files_count.map(i64::from)),
            number(manifest.deleted_rows_count),
            jsonb(&summaries(manifest.partitions.as_deref(), kind.as_ref())),
        ]
    }
}

/// One a field of the partition; bounds as the fields' types.
fn summaries(summaries: Option<&[FieldSummary]>, kind: Option<&StructType>) -> Value {
    let fields = kind.map_or(&[][..], |kind| kind.fields());
    let all = summaries.unwrap_or_default().iter().enumerate();
    let shown = all.map(|(at, summary)| {
        let bound = |bytes: Option<&[u8]>| {
            let primitive = fields.get(at)?.field_type.as_primitive_type()?;
            let datum = Datum::try_from_bytes(bytes?, primitive.clone()).ok()?;
            Some(datum_value(&datum))
        };
        json!({
            "contains_null": summary.contains_null,
            "contains_nan": summary.contains_nan,
            "lower_bound": bound(summary.lower_bound.as_deref().map(Vec::as_slice)),
            "upper_bound": bound(summary.upper_bound.as_deref().map(Vec::as_slice)),
        })
    });
    Value::Array(shown.collect())
}

fn file_row(alive: &Alive) -> Row {
    let file = &alive.file;
    vec![
        int4(content(file.content_type())),
        text(Some(file.file_path())),
        text(Some(&file.file_format().to_string().to_uppercase())),
        int4(alive.spec),
        jsonb(&alive.partition),
        count(file.record_count()),
        count(file.file_size_in_bytes()),
        counts(file.column_sizes()),
        counts(file.value_counts()),
        counts(file.null_value_counts()),
        counts(file.nan_value_counts()),
        bounds(file.lower_bounds()),
        bounds(file.upper_bounds()),
        jsonb(
            &file
                .split_offsets()
                .map_or(Value::Null, |offsets| json!(offsets)),
        ),
        jsonb(&file.equality_ids().map_or(Value::Null, |ids| json!(ids))),
        int4(file.sort_order_id()),
    ]
}

/// As the specification numbers them.
fn content(content: DataContentType) -> i32 {
    match content {
        DataContentType::Data => 0,
        DataContentType::PositionDeletes => 1,
        DataContentType::EqualityDeletes => 2,
    }
}

/// Data files by their partition; those that delete rows are not counted.
fn partitions(files: &[Alive]) -> Vec<Row> {
    #[derive(Default)]
    struct Sum {
        partition: Value,
        records: u64,
        files: i64,
        bytes: u64,
    }
    let mut sums: BTreeMap<(i32, String), Sum> = BTreeMap::new();
    let data = |alive: &&Alive| alive.file.content_type() == DataContentType::Data;
    for alive in files.iter().filter(data) {
        let sum = sums
            .entry((alive.spec, alive.partition.to_string()))
            .or_default();
        sum.partition = alive.partition.clone();
        sum.records += alive.file.record_count();
        sum.files += 1;
        sum.bytes += alive.file.file_size_in_bytes();
    }
    sums.into_iter()
        .map(|((spec, _), sum)| {
            vec![
                jsonb(&sum.partition),
                int4(spec),
                count(sum.records),
                int8(sum.files),
                count(sum.bytes),
            ]
        })
        .collect()
}

/// By the names of its fields; null where the table has no partitions.
fn partition(values: &Struct, kind: Option<&StructType>) -> Value {
    let fields = kind.map_or(&[][..], |kind| kind.fields());
    if fields.is_empty() {
        return Value::Null;
    }
    let named: Map<String, Value> = fields
        .iter()
        .zip(values.fields())
        .map(|(field, value)| {
            let value = value
                .clone()
                .and_then(|value| value.try_into_json(&field.field_type).ok());
            (field.name.clone(), value.unwrap_or_default())
        })
        .collect();
    Value::Object(named)
}

/// By field id.
fn counts(counts: &HashMap<i32, u64>) -> datafusion::scalar::ScalarValue {
    let named = counts
        .iter()
        .map(|(id, count)| (id.to_string(), json!(count)));
    object(named.collect())
}

fn bounds(bounds: &HashMap<i32, Datum>) -> datafusion::scalar::ScalarValue {
    let named = bounds
        .iter()
        .map(|(id, bound)| (id.to_string(), datum_value(bound)));
    object(named.collect())
}

fn object(members: Map<String, Value>) -> datafusion::scalar::ScalarValue {
    match members.is_empty() {
        true => jsonb(&Value::Null),
        false => jsonb(&Value::Object(members)),
    }
}

fn datum_value(datum: &Datum) -> Value {
    let kind = Type::Primitive(datum.data_type().clone());
    let literal = Literal::Primitive(datum.literal().clone());
    literal.try_into_json(&kind).unwrap_or_default()
}
