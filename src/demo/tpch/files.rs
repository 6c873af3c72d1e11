//! A table as a folder of plain Parquet files, for a source of kind "files".

use std::path::Path;

use super::Table;
use super::generate::in_parallel;
use super::parquet_file::write_file;
use crate::demo::progress::Progress;
use crate::error::Result;

/// Writes `dir/part-0001.parquet` and so on; answers the number of rows.
/// Blocks, on every core: call it off the async threads.
pub fn write_parquet(dir: &Path, table: Table, scale: f64, progress: &Progress) -> Result<u64> {
    let schema = table.schema();
    let written = in_parallel(&table.parts(scale), |part| {
        let path = dir.join(format!("part-{:04}.parquet", part.number));
        write_file(
            &path,
            &schema,
            table.batches(*part, schema.clone()),
            progress,
        )
    })?;
    Ok(written.iter().map(|file| file.rows).sum())
}
