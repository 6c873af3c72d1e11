//! Parquet footers: read once, kept by store, with errors that name the table
//! and the file. The scan reads files through the factory here; `files` takes
//! schemas and statistics from footers directly.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::{
    ParquetFileMetrics, ParquetFileReaderFactory,
};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, parquet_to_arrow_schema};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder,
};

use super::{ColumnBounds, Tightness};
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::object_store::{OpenStore, read_error, storage_cause};

/// What of the Arrow schema that some writers embed is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EmbeddedSchema {
    Used,
    /// Where columns are found by field id: the embedded schema hides the ids,
    /// and the table's own schema says all that it could.
    Dropped,
}

#[derive(Debug)]
pub(super) struct LakeReaderFactory {
    pub(super) table: RelationName,
    pub(super) store: OpenStore,
    pub(super) embedded: EmbeddedSchema,
}

impl ParquetFileReaderFactory for LakeReaderFactory {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(LakeReader {
            metrics: ParquetFileMetrics::new(
                partition,
                file.object_meta.location.as_ref(),
                metrics,
            ),
            table: self.table.clone(),
            store: self.store.clone(),
            embedded: self.embedded,
            object: file.object_meta,
        }))
    }
}

/// The footer of one file, and its columns as the file has them.
pub async fn read_footer(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
) -> Result<(Arc<ParquetMetaData>, SchemaRef)> {
    let metadata = fetch(table, store, object, PageIndexPolicy::Skip).await?;
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
        .map_err(|error| broken(table, store, &object.location, error))?;
    Ok((metadata, Arc::new(schema)))
}

/// The footer of one file, for what it says of row groups.
pub(super) async fn row_groups(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
) -> Result<Arc<ParquetMetaData>> {
    fetch(table, store, object, PageIndexPolicy::Skip).await
}

/// For a file that is read beside the scan's; columns are found by field id or name.
pub(super) fn reader(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
) -> impl AsyncFileReader + Unpin + use<> {
    let uncounted = ExecutionPlanMetricsSet::new();
    LakeReader {
        metrics: ParquetFileMetrics::new(0, object.location.as_ref(), &uncounted),
        table: table.clone(),
        store: store.clone(),
        embedded: EmbeddedSchema::Dropped,
        object: object.clone(),
    }
}

/// What `reader`'s errors mean: its own, or that the bytes are no Parquet.
pub(super) fn parquet_failure(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
    error: ParquetError,
) -> Error {
    match error {
        ParquetError::External(_) => DataFusionError::from(error).into(),
        _ => broken(table, store, &object.location, error),
    }
}

/// The bounds of each column of `schema` (carrier types, names as in the file).
pub fn footer_bounds(
    metadata: &ParquetMetaData,
    file_schema: &SchemaRef,
    schema: &Schema,
) -> Vec<ColumnBounds> {
    let statistics =
        DFParquetMetadata::statistics_from_parquet_metadata(metadata, file_schema).ok();
    schema
        .fields()
        .iter()
        .map(|field| {
            let known = statistics.as_ref().and_then(|statistics| {
                let (index, _) = file_schema.fields().find(field.name())?;
                statistics.column_statistics.get(index)
            });
            let Some(known) = known else {
                // a column that the file does not have is NULL in every row
                let rows = u64::try_from(metadata.file_metadata().num_rows()).ok();
                return ColumnBounds {
                    nulls: rows.filter(|_| file_schema.fields().find(field.name()).is_none()),
                    ..ColumnBounds::default()
                };
            };
            let value = |precision: &Precision<_>| {
                let value: &datafusion::scalar::ScalarValue = precision.get_value()?;
                value
                    .cast_to(field.data_type())
                    .ok()
                    .filter(|value| !value.is_null())
            };
            let exact = matches!(known.min_value, Precision::Exact(_))
                && matches!(known.max_value, Precision::Exact(_))
                && !field.data_type().is_string()
                && !field.data_type().is_binary()
                // rounded by the cast above
                && !field.data_type().is_temporal();
            ColumnBounds {
                min: value(&known.min_value),
                max: value(&known.max_value),
                nulls: match known.null_count {
                    Precision::Exact(nulls) => u64::try_from(nulls).ok(),
                    _ => None,
                },
                tightness: if exact {
                    Tightness::Exact
                } else {
                    Tightness::Wide
                },
            }
            .without_nan_knowledge(field.data_type())
        })
        .collect()
}

struct LakeReader {
    metrics: ParquetFileMetrics,
    table: RelationName,
    store: OpenStore,
    embedded: EmbeddedSchema,
    object: ObjectMeta,
}

impl LakeReader {
    fn failure(&self, error: &object_store::Error) -> ParquetError {
        let what = self.store.show(&self.object.location);
        ParquetError::External(Box::new(read_error(what, &self.table, error)))
    }
}

impl AsyncFileReader for LakeReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            self.metrics.bytes_scanned.add(bytes_of(&range));
            self.store
                .store
                .get_range(&self.object.location, range)
                .await
                .map_err(|error| self.failure(&error))
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            self.metrics
                .bytes_scanned
                .add(ranges.iter().map(bytes_of).sum());
            self.store
                .store
                .get_ranges(&self.object.location, &ranges)
                .await
                .map_err(|error| self.failure(&error))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let policy = options.map_or(PageIndexPolicy::Skip, |o| o.column_index_policy());
            let metadata = fetch(&self.table, &self.store, &self.object, policy)
                .await
                .map_err(|error| ParquetError::External(Box::new(error)))?;
            Ok(match self.embedded {
                EmbeddedSchema::Used => metadata,
                EmbeddedSchema::Dropped => without_embedded_schema(metadata),
            })
        }
        .boxed()
    }
}

impl fmt::Debug for LakeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LakeReader")
            .field(&self.object.location)
            .finish()
    }
}

async fn fetch(
    table: &RelationName,
    store: &OpenStore,
    object: &ObjectMeta,
    pages: PageIndexPolicy,
) -> Result<Arc<ParquetMetaData>> {
    DFParquetMetadata::new(store.store.as_ref(), object)
        .with_file_metadata_cache(Some(store.footers.clone()))
        .with_page_index_policy(Some(pages))
        .fetch_metadata()
        .await
        .map_err(|error| match storage_cause(&error) {
            Some(cause) => read_error(store.show(&object.location), table, cause),
            None => broken(table, store, &object.location, error),
        })
}

/// XX001: the bytes are there, and they are no Parquet.
pub(super) fn broken(
    table: &RelationName,
    store: &OpenStore,
    path: &Path,
    cause: impl fmt::Display,
) -> Error {
    Error::new(
        SqlState::DATA_CORRUPTED,
        format!(
            "file \"{}\" of table \"{table}\" is not a valid Parquet file",
            store.show(path)
        ),
    )
    .with_cause(cause.to_string())
}

fn without_embedded_schema(metadata: Arc<ParquetMetaData>) -> Arc<ParquetMetaData> {
    let file = metadata.file_metadata();
    let embedded = file
        .key_value_metadata()
        .is_some_and(|all| all.iter().any(|pair| pair.key == ARROW_SCHEMA_META_KEY));
    if !embedded {
        return metadata;
    }
    let kept = file.key_value_metadata().map(|all| {
        all.iter()
            .filter(|pair| pair.key != ARROW_SCHEMA_META_KEY)
            .cloned()
            .collect()
    });
    let bare = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_string),
        kept,
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    Arc::new(
        ParquetMetaDataBuilder::new(bare)
            .set_row_groups(metadata.row_groups().to_vec())
            .set_column_index(metadata.column_index().cloned())
            .set_offset_index(metadata.offset_index().cloned())
            .build(),
    )
}

fn bytes_of(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}
