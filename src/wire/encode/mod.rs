//! Record batches as DataRow messages, written straight into the outgoing
//! buffer: a column's way of writing is chosen once a batch, cells allocate
//! nothing. Called by `portal` and `copy`.

mod binary;
mod column;
mod json;
mod sent;
mod text;

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

pub use crate::session::Format;
pub use column::Column;

use super::backend::LARGEST_MESSAGE;
use crate::error::{Error, Result, SqlState};
use crate::types::text::OutputStyle;

/// The rows of one batch on their way out.
pub struct BatchRows {
    columns: Vec<Column>,
    row: usize,
    rows: usize,
}

impl BatchRows {
    /// `formats` are one a column.
    pub fn new(
        batch: &RecordBatch,
        schema: &SchemaRef,
        formats: &[Format],
        style: &Arc<OutputStyle>,
    ) -> Result<BatchRows> {
        Ok(BatchRows {
            columns: columns(batch, schema, formats, style)?,
            row: 0,
            rows: batch.num_rows(),
        })
    }

    /// Writes rows until `out` holds `enough` bytes; false when none are left.
    pub fn write(&mut self, out: &mut Vec<u8>, enough: usize) -> Result<bool> {
        let count = u16::try_from(self.columns.len()).map_err(|_| too_large())?;
        while self.row < self.rows {
            if out.len() >= enough {
                return Ok(true);
            }
            let start = out.len();
            out.extend_from_slice(&[b'D', 0, 0, 0, 0]);
            out.extend_from_slice(&count.to_be_bytes());
            for column in &self.columns {
                if let Err(error) = column.write_cell(self.row, out) {
                    out.truncate(start);
                    return Err(error);
                }
            }
            let length = out.len() - start - 1;
            if length > LARGEST_MESSAGE {
                out.truncate(start);
                return Err(too_large());
            }
            // below 2^30
            out[start + 1..start + 5].copy_from_slice(&(length as u32).to_be_bytes());
            self.row += 1;
        }
        Ok(false)
    }
}

/// One writer a column; `schema` has the types that the client was told.
pub fn columns(
    batch: &RecordBatch,
    schema: &SchemaRef,
    formats: &[Format],
    style: &Arc<OutputStyle>,
) -> Result<Vec<Column>> {
    batch
        .columns()
        .iter()
        .zip(schema.fields())
        .zip(formats)
        .map(|((array, field), format)| Column::of_field(array, field, *format, style))
        .collect()
}

/// 54000: no client takes a message of a gigabyte.
pub fn too_large() -> Error {
    Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "a value or row is too large to send",
    )
    .with_detail("Rows of a gigabyte or more cannot be sent.")
}
