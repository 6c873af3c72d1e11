//! Reads CSV and JSON files. The scan uses it in place of the engine's sources
//! for these formats, which know no text for NULL and whose errors name no file.
//!
//! An unquoted and a quoted empty value cannot be told apart here.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::{csv, json};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use regex::Regex;

use crate::config::CsvOptions;
use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::object_store::{OpenStore, read_error};

const DEFAULT_BATCH: usize = 8192;

#[derive(Debug, Clone)]
pub(super) enum TextFormat {
    Csv(CsvOptions),
    /// One object a line.
    Json,
}

#[derive(Debug, Clone)]
pub(super) struct TextSource {
    table: RelationName,
    store: OpenStore,
    format: TextFormat,
    schema: TableSchema,
    projection: SplitProjection,
    batch_size: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl TextSource {
    pub(super) fn new(
        table: RelationName,
        store: OpenStore,
        format: TextFormat,
        schema: TableSchema,
    ) -> Self {
        TextSource {
            table,
            store,
            format,
            projection: SplitProjection::unprojected(&schema),
            schema,
            batch_size: DEFAULT_BATCH,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    fn decoder(&self) -> Result<Decoder> {
        let schema = self.schema.file_schema();
        Ok(match &self.format {
            TextFormat::Csv(options) => {
                let mut builder = csv::ReaderBuilder::new(schema.clone())
                    .with_delimiter(options.delimiter)
                    .with_quote(options.quote)
                    .with_header(options.header)
                    .with_batch_size(self.batch_size)
                    .with_projection(self.projection.file_indices.clone());
                if !options.null.is_empty() {
                    builder = builder.with_null_regex(null_pattern(options)?);
                }
                Decoder::Csv(Box::new(builder.build_decoder()))
            }
            TextFormat::Json => {
                let read: SchemaRef = Arc::new(schema.project(&self.projection.file_indices)?);
                let builder = json::ReaderBuilder::new(read).with_batch_size(self.batch_size);
                Decoder::Json(builder.build_decoder()?)
            }
        })
    }
}

/// Matches the values that mean NULL: exactly the configured text.
pub(crate) fn null_pattern(options: &CsvOptions) -> Result<Regex> {
    Regex::new(&format!("^{}$", regex::escape(&options.null)))
        .map_err(|error| Error::internal(error.to_string()))
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        _store: Arc<dyn ObjectStore>,
        _config: &FileScanConfig,
        _partition: usize,
    ) -> datafusion::error::Result<Arc<dyn FileOpener>> {
        let opener = Arc::new(TextOpener(self.clone()));
        ProjectionOpener::try_new(self.projection.clone(), opener, self.schema.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(TextSource {
            batch_size,
            ..self.clone()
        })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> datafusion::error::Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        Ok(Some(Arc::new(TextSource {
            projection: SplitProjection::new(self.schema.file_schema(), &merged),
            ..self.clone()
        })))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        match self.format {
            TextFormat::Csv(_) => "csv",
            TextFormat::Json => "json",
        }
    }

    /// A quoted value may hold a line break, so that no byte is known to start a record.
    fn supports_repartitioning(&self) -> bool {
        false
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(
            &Arc<dyn PhysicalExpr>,
        ) -> datafusion::error::Result<TreeNodeRecursion>,
    ) -> datafusion::error::Result<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.source.iter(), visit)
    }
}

struct TextOpener(TextSource);

impl FileOpener for TextOpener {
    fn open(&self, file: PartitionedFile) -> datafusion::error::Result<FileOpenFuture> {
        let source = self.0.clone();
        let path = file.object_meta.location;
        Ok(Box::pin(async move {
            let failed = |error| read_error(source.store.show(&path), &source.table, &error);
            let bytes = source.store.store.get(&path).await.map_err(failed)?;
            let decoding = Decoding {
                decoder: source.decoder()?,
                bytes: bytes.into_stream().fuse().boxed(),
                buffer: Bytes::new(),
                path,
                source,
            };
            let batches = futures::stream::try_unfold(decoding, |mut decoding| async {
                let batch = decoding.next().await?;
                Ok(batch.map(|batch| (batch, decoding)))
            });
            Ok(batches.map_err(|error: Error| error.into()).boxed())
        }))
    }
}

enum Decoder {
    Csv(Box<csv::reader::Decoder>),
    Json(json::reader::Decoder),
}

impl Decoder {
    fn decode(&mut self, bytes: &[u8]) -> Result<usize, ArrowError> {
        match self {
            Decoder::Csv(decoder) => decoder.decode(bytes),
            Decoder::Json(decoder) => decoder.decode(bytes),
        }
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        match self {
            Decoder::Csv(decoder) => decoder.flush(),
            Decoder::Json(decoder) => decoder.flush(),
        }
    }
}

/// One file on its way from bytes to batches.
struct Decoding {
    source: TextSource,
    path: Path,
    decoder: Decoder,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
    buffer: Bytes,
}

impl Decoding {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.buffer.is_empty() {
                let more = self
                    .bytes
                    .try_next()
                    .await
                    .map_err(|error| read_error(self.show(), &self.source.table, &error))?;
                self.buffer = more.unwrap_or_default();
            }
            // An empty buffer tells the decoder that the file has ended. It takes
            // nothing then, and where a batch is full; it may take less than all
            // after a header.
            let ended = self.buffer.is_empty();
            let taken = self
                .decoder
                .decode(&self.buffer)
                .map_err(|error| self.malformed(error))?;
            self.buffer.advance(taken);
            if taken > 0 {
                continue;
            }
            let batch = self
                .decoder
                .flush()
                .map_err(|error| self.malformed(error))?;
            if batch.is_some() || ended {
                return Ok(batch);
            }
            let stuck = ArrowError::ParseError("a record does not end".into());
            return Err(self.malformed(stuck));
        }
    }

    fn show(&self) -> String {
        self.source.store.show(&self.path)
    }

    /// 22P02 for a value that is none of its column's type, XX001 for what is no
    /// CSV or JSON at all.
    fn malformed(&self, error: ArrowError) -> Error {
        let text = error.to_string();
        let state = match error {
            ArrowError::ParseError(_) | ArrowError::CastError(_) => {
                SqlState::INVALID_TEXT_REPRESENTATION
            }
            _ => SqlState::DATA_CORRUPTED,
        };
        // the decoder appends the whole row
        let why = text.split(". Row data").next().unwrap_or_default();
        let why = why.split_once(": ").map_or(why, |(_, why)| why);
        Error::new(
            state,
            format!(
                "file \"{}\" of table \"{}\" cannot be read: {why}",
                self.show(),
                self.source.table
            ),
        )
        .with_hint("Types are taken from the first lines of each file.")
    }
}

impl fmt::Debug for TextOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TextOpener").field(&self.0.table).finish()
    }
}
