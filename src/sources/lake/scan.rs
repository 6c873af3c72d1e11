//! A snapshot's files → an execution plan: pruned, packed into balanced groups,
//! read by the engine's own readers. Called by the table provider.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Statistics};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

use super::adapter::LakeAdapterFactory;
use super::deletes::KeySets;
use super::footer::{EmbeddedSchema, LakeReaderFactory};
use super::parquet::ParquetFiles;
use super::prune::prune;
use super::shape::{Shape, by_shape};
use super::text::{TextFormat, TextSource};
use super::wide::Keys;
use super::{ColumnKey, DataFormat, LakeFile, Snapshot};
use crate::error::Error;
use crate::names::RelationName;

/// What one scan is asked for, in terms of the snapshot's schema.
pub(super) struct Request<'a> {
    pub(super) table: &'a RelationName,
    pub(super) snapshot: &'a Snapshot,
    pub(super) projection: Vec<usize>,
    pub(super) filters: &'a [Expr],
    pub(super) limit: Option<usize>,
}

/// What a scan reads, for EXPLAIN: travels with the files.
#[derive(Debug)]
pub struct Origin {
    pub table: RelationName,
    pub version: String,
    /// Of the whole snapshot, before pruning.
    pub files: usize,
}

/// Where the files of a scan come from; `None`: no lake table's.
pub fn origin_of(scan: &FileScanConfig) -> Option<&Origin> {
    let file = scan.file_groups.iter().flat_map(FileGroup::iter).next()?;
    file.extension::<Arc<Origin>>().map(AsRef::as_ref)
}

pub(super) fn plan(state: &dyn Session, request: &Request<'_>) -> Result<Arc<dyn ExecutionPlan>> {
    let snapshot = request.snapshot;
    state
        .runtime_env()
        .register_object_store(snapshot.store.url.as_ref(), snapshot.store.store.clone());

    let mut files: Vec<&LakeFile> = snapshot
        .files
        .iter()
        .filter(|file| file.rows_left() != Precision::Exact(0))
        .collect();
    if let Some(predicate) = predicate(state, request, &snapshot.schema)? {
        files = prune(files, &snapshot.schema, &predicate);
    }
    if let Some(limit) = request.limit
        && request.filters.is_empty()
    {
        files = enough_for(files, limit);
    }
    let mut parts = Vec::new();
    let keys = KeySets::new(
        request.table,
        snapshot,
        state.runtime_env().memory_pool.clone(),
    );
    let keys = Arc::new(keys);
    for (shape, files) in by_shape(snapshot, files) {
        parts.push(scan_of(state, request, &shape, &files, &keys)?);
    }
    match parts.len() {
        // one partition: the engine's own checks want at least one
        0 => Ok(Arc::new(EmptyExec::new(Arc::new(
            snapshot.schema.project(&request.projection)?,
        )))),
        1 => Ok(parts.remove(0)),
        _ => UnionExec::try_new(parts),
    }
}

/// A scan of files of one shape.
fn scan_of(
    state: &dyn Session,
    request: &Request<'_>,
    shape: &Shape,
    files: &[&LakeFile],
    keys: &Arc<KeySets>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let snapshot = request.snapshot;
    let table_schema = shape.table_schema(snapshot);
    let scan_schema = table_schema.table_schema().clone();

    let origin = Arc::new(Origin {
        table: request.table.clone(),
        version: snapshot.version.clone(),
        files: snapshot.files.len(),
    });
    let partitioned: Vec<PartitionedFile> = files
        .iter()
        .map(|file| {
            shape
                .partitioned_file(file, snapshot)
                .with_extension(origin.clone())
        })
        .collect();
    let statistics = Statistics::try_merge_iter(
        partitioned
            .iter()
            .filter_map(|file| file.statistics.as_deref()),
        &scan_schema,
    )?;
    let groups = pack(partitioned, state.config().target_partitions());

    let source = file_source(state, request, table_schema, &scan_schema, shape, keys)?;
    let projection = request
        .projection
        .iter()
        .filter_map(|column| shape.position(*column))
        .collect();
    let config = FileScanConfigBuilder::new(snapshot.store.url.clone(), source)
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_projection_indices(Some(projection))?
        .with_limit(request.limit)
        .with_expr_adapter(Some(Arc::new(LakeAdapterFactory::new(
            &Schema::new(snapshot.all_fields()),
            &snapshot.all_sources(),
        ))))
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

fn file_source(
    state: &dyn Session,
    request: &Request<'_>,
    table_schema: TableSchema,
    scan_schema: &SchemaRef,
    shape: &Shape,
    keys: &Arc<KeySets>,
) -> Result<Arc<dyn FileSource>> {
    let snapshot = request.snapshot;
    if snapshot.format != DataFormat::Parquet
        && snapshot.files.iter().any(|file| file.deletes.is_some())
    {
        return Err(Error::internal("rows are deleted from files that are not Parquet").into());
    }
    let text = |format| -> Arc<dyn FileSource> {
        let (table, store) = (request.table.clone(), snapshot.store.clone());
        Arc::new(TextSource::new(table, store, format, table_schema.clone()))
    };
    match &snapshot.format {
        DataFormat::Csv(options) => Ok(text(TextFormat::Csv(options.clone()))),
        DataFormat::Json => Ok(text(TextFormat::Json)),
        DataFormat::Parquet => {
            let mut options = TableParquetOptions {
                global: state.config_options().execution.parquet.clone(),
                ..TableParquetOptions::default()
            };
            // nanoseconds, the default, end in 2262
            options.global.coerce_int96 = Some("us".into());
            let by_id = snapshot
                .sources
                .iter()
                .any(|source| matches!(source.key, ColumnKey::FieldId { .. }));
            let mut source = ParquetSource::new(table_schema)
                .with_table_parquet_options(options)
                .with_parquet_file_reader_factory(Arc::new(LakeReaderFactory {
                    table: request.table.clone(),
                    store: snapshot.store.clone(),
                    embedded: if by_id {
                        EmbeddedSchema::Dropped
                    } else {
                        EmbeddedSchema::Used
                    },
                }));
            if let Some(predicate) = predicate(state, request, scan_schema)? {
                source = source.with_predicate(predicate);
            }
            let (table, store) = (request.table.clone(), snapshot.store.clone());
            let files = ParquetFiles::new(source, table, store);
            if shape.keys.is_empty() {
                return Ok(Arc::new(files));
            }
            let columns: Vec<usize> = shape
                .keys
                .iter()
                .filter_map(|column| shape.position(*column))
                .collect();
            let keys = Keys {
                sets: keys.clone(),
                columns: shape.keys.clone().into(),
            };
            Ok(Arc::new(files.without_keys(keys, &columns)?))
        }
    }
}

fn predicate(
    state: &dyn Session,
    request: &Request<'_>,
    schema: &SchemaRef,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let Some(predicate) = conjunction(request.filters.iter().cloned()) else {
        return Ok(None);
    };
    let schema = DFSchema::try_from(schema.clone())?;
    state.create_physical_expr(predicate, &schema).map(Some)
}

/// Enough files for `limit` rows, where all say how many they have.
fn enough_for(files: Vec<&LakeFile>, limit: usize) -> Vec<&LakeFile> {
    let mut left = limit as u64;
    let mut taken = Vec::new();
    for file in &files {
        if left == 0 {
            break;
        }
        taken.push(*file);
        left = match file.rows_left() {
            Precision::Exact(rows) => left.saturating_sub(rows),
            // perhaps none
            Precision::Inexact(_) => left,
            Precision::Absent => return files,
        };
    }
    taken
}

/// At most `groups` groups of about the same number of bytes. Files too large
/// for that are split by the engine, by byte range.
fn pack(mut files: Vec<PartitionedFile>, groups: usize) -> Vec<FileGroup> {
    let count = groups.max(1).min(files.len().max(1));
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut bins: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); count];
    for file in files {
        if let Some(bin) = bins.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            bin.0 += file.object_meta.size.max(1);
            bin.1.push(file);
        }
    }
    bins.into_iter()
        .map(|(_, files)| FileGroup::new(files))
        .collect()
}
