//! One Parquet file from one part of a table, and what table formats record
//! about it: size, rows, and per column its bounds and sizes. Called by the
//! Delta, Iceberg and plain writers, which know what to do with the bounds.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;

use super::generate::Batches;
use crate::demo::progress::Progress;
use crate::error::{Error, Result, SqlState};

/// Rows of a row group: enough to compress well, and several in a file, so
/// that a scan can skip some and read the others in parallel.
const ROW_GROUP: usize = 128 * 1024;

/// A file that is complete on disk.
#[derive(Debug)]
pub(super) struct Written {
    pub path: PathBuf,
    pub bytes: u64,
    pub rows: u64,
    /// One a column, in the schema's order.
    pub columns: Vec<ColumnSummary>,
    /// Where each row group begins.
    pub row_group_offsets: Vec<i64>,
}

#[derive(Debug)]
pub(super) struct ColumnSummary {
    pub nulls: u64,
    /// Compressed.
    pub bytes: u64,
    pub bounds: Option<(Bound, Bound)>,
}

/// A least or greatest value.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Bound {
    Int(i32),
    Long(i64),
    /// Unscaled: decimal(15,2) fits 64 bits.
    Decimal(i64),
    /// Days since 1970-01-01.
    Date(i32),
    Text(String),
}

/// Creates `path` and its folder. The file carries Parquet's own types only,
/// no copy of the Arrow schema: other programs read it as they read any other.
pub(super) fn write_file(
    path: &Path,
    schema: &SchemaRef,
    batches: Batches,
    progress: &Progress,
) -> Result<Written> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| not_written(folder, e))?;
    }
    let file = File::create(path).map_err(|e| not_written(path, e))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let output = BufWriter::new(file);
    let mut writer = ArrowWriter::try_new_with_options(output, schema.clone(), options)
        .map_err(|e| not_written(path, e))?;
    for batch in batches {
        let batch = batch?;
        writer.write(&batch).map_err(|e| not_written(path, e))?;
        progress.advance(batch.num_rows() as u64);
    }
    let metadata = writer.close().map_err(|e| not_written(path, e))?;
    let bytes = std::fs::metadata(path)
        .map_err(|e| not_written(path, e))?
        .len();
    Ok(summary(path, bytes, schema, &metadata))
}

pub(super) fn not_written(
    path: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(
        SqlState::IO_ERROR,
        format!("\"{}\" could not be written", path.display()),
    )
    .with_cause(cause)
}

fn summary(path: &Path, bytes: u64, schema: &SchemaRef, metadata: &ParquetMetaData) -> Written {
    let columns = (0..schema.fields().len())
        .map(|index| column_summary(schema.field(index).data_type(), index, metadata))
        .collect();
    Written {
        path: path.to_path_buf(),
        bytes,
        rows: metadata.file_metadata().num_rows().unsigned_abs(),
        columns,
        row_group_offsets: metadata
            .row_groups()
            .iter()
            .map(|group| group.column(0).byte_range().0 as i64)
            .collect(),
    }
}

/// Bounds only where every row group has them.
fn column_summary(data_type: &DataType, index: usize, metadata: &ParquetMetaData) -> ColumnSummary {
    let chunks = || {
        metadata
            .row_groups()
            .iter()
            .map(|group| group.column(index))
    };
    let bounds = chunks()
        .map(|chunk| chunk_bounds(data_type, chunk))
        .reduce(|all, one| {
            let ((low, high), (least, greatest)) = (all?, one?);
            let low = if least < low { least } else { low };
            let high = if greatest > high { greatest } else { high };
            Some((low, high))
        })
        .flatten();
    ColumnSummary {
        nulls: chunks()
            .filter_map(|chunk| chunk.statistics()?.null_count_opt())
            .sum(),
        bytes: chunks().map(|chunk| chunk.byte_range().1).sum(),
        bounds,
    }
}

fn chunk_bounds(data_type: &DataType, chunk: &ColumnChunkMetaData) -> Option<(Bound, Bound)> {
    let both = match (data_type, chunk.statistics()?) {
        (DataType::Int32, Statistics::Int32(s)) => [*s.min_opt()?, *s.max_opt()?].map(Bound::Int),
        (DataType::Date32, Statistics::Int32(s)) => [*s.min_opt()?, *s.max_opt()?].map(Bound::Date),
        (DataType::Int64, Statistics::Int64(s)) => [*s.min_opt()?, *s.max_opt()?].map(Bound::Long),
        (DataType::Decimal128(..), Statistics::Int64(s)) => {
            [*s.min_opt()?, *s.max_opt()?].map(Bound::Decimal)
        }
        (DataType::Utf8 | DataType::Utf8View, Statistics::ByteArray(s)) => [
            Bound::Text(s.min_opt()?.as_utf8().ok()?.to_string()),
            Bound::Text(s.max_opt()?.as_utf8().ok()?.to_string()),
        ],
        _ => return None,
    };
    let [low, high] = both;
    Some((low, high))
}
