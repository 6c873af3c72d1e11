//! A snapshot's files → an execution plan: pruned, packed into balanced groups,
//! read by the engine's own readers. Called by the table provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
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
use super::footer::{EmbeddedSchema, LakeReaderFactory};
use super::parquet::ParquetFiles;
use super::prune::prune;
use super::text::{TextFormat, TextSource};
use super::{ColumnKey, DataFormat, LakeFile, Snapshot};
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
    for (constants, files) in by_constants(files) {
        parts.push(scan_of(state, request, &constants, &files)?);
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

/// A scan of files that all have the same columns constant.
fn scan_of(
    state: &dyn Session,
    request: &Request<'_>,
    constants: &[usize],
    files: &[&LakeFile],
) -> Result<Arc<dyn ExecutionPlan>> {
    let snapshot = request.snapshot;
    let order = columns_of_scan(&snapshot.schema, constants);
    let table_schema = table_schema(&snapshot.schema, &order, constants.len());
    let scan_schema = table_schema.table_schema().clone();

    let origin = Arc::new(Origin {
        table: request.table.clone(),
        version: snapshot.version.clone(),
        files: snapshot.files.len(),
    });
    let partitioned: Vec<PartitionedFile> = files
        .iter()
        .map(|file| partitioned_file(file, &snapshot.schema, &order).with_extension(origin.clone()))
        .collect();
    let statistics = Statistics::try_merge_iter(
        partitioned
            .iter()
            .filter_map(|file| file.statistics.as_deref()),
        &scan_schema,
    )?;
    let groups = pack(partitioned, state.config().target_partitions());

    let source = file_source(state, request, table_schema, &scan_schema)?;
    let projection = request
        .projection
        .iter()
        .filter_map(|column| order.iter().position(|at| at == column))
        .collect();
    let config = FileScanConfigBuilder::new(snapshot.store.url.clone(), source)
        .with_file_groups(groups)
        .with_statistics(statistics)
        .with_projection_indices(Some(projection))?
        .with_limit(request.limit)
        .with_expr_adapter(Some(Arc::new(LakeAdapterFactory::new(
            &snapshot.schema,
            &snapshot.sources,
        ))))
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

fn file_source(
    state: &dyn Session,
    request: &Request<'_>,
    table_schema: TableSchema,
    scan_schema: &SchemaRef,
) -> Result<Arc<dyn FileSource>> {
    let snapshot = request.snapshot;
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
            Ok(Arc::new(ParquetFiles::new(source, table, store)))
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

/// Files by which of their columns are constant: each set is a scan of its own.
/// There is one but where a table's partitioning has changed over time.
fn by_constants(files: Vec<&LakeFile>) -> BTreeMap<Vec<usize>, Vec<&LakeFile>> {
    let mut sets: BTreeMap<Vec<usize>, Vec<&LakeFile>> = BTreeMap::new();
    for file in files {
        let constants = file.constants.iter().map(|(column, _)| *column).collect();
        sets.entry(constants).or_default().push(file);
    }
    sets
}

/// The reader's order: what the files hold, then what is constant.
fn columns_of_scan(schema: &SchemaRef, constants: &[usize]) -> Vec<usize> {
    (0..schema.fields().len())
        .filter(|column| !constants.contains(column))
        .chain(constants.iter().copied())
        .collect()
}

fn table_schema(schema: &SchemaRef, order: &[usize], constants: usize) -> TableSchema {
    let field = |column: &usize| schema.fields()[*column].clone();
    let (stored, constant) = order.split_at(order.len() - constants);
    TableSchema::builder(Arc::new(Schema::new(
        stored.iter().map(field).collect::<Vec<Arc<Field>>>(),
    )))
    .with_table_partition_cols(constant.iter().map(field).collect::<Vec<Arc<Field>>>())
    .build()
}

fn partitioned_file(file: &LakeFile, schema: &SchemaRef, order: &[usize]) -> PartitionedFile {
    let statistics = file.statistics(schema);
    let mut partitioned = PartitionedFile::new_from_meta(file.object.clone())
        .with_partition_values(
            file.constants
                .iter()
                .map(|(_, value)| value.clone())
                .collect(),
        );
    if let Some(deletes) = &file.deletes {
        partitioned = partitioned.with_extension(deletes.clone());
    }
    // set here and not by `with_statistics`, which takes partition values to be never NULL
    partitioned.statistics = Some(Arc::new(Statistics {
        column_statistics: order
            .iter()
            .filter_map(|column| statistics.column_statistics.get(*column).cloned())
            .collect(),
        ..statistics
    }));
    partitioned
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
