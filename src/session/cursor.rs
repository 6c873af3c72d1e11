//! A result that is read bit by bit: the rest of the current batch, and the
//! stream that the next one comes from. Dropping it ends the query.

use std::collections::VecDeque;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::error::Result;

pub struct RowCursor {
    pub schema: SchemaRef,
    ready: VecDeque<RecordBatch>,
    stream: Option<SendableRecordBatchStream>,
}

impl RowCursor {
    pub fn stream(schema: SchemaRef, stream: SendableRecordBatchStream) -> Self {
        RowCursor {
            schema,
            ready: VecDeque::new(),
            stream: Some(stream),
        }
    }

    pub fn batch(batch: RecordBatch) -> Self {
        RowCursor {
            schema: batch.schema(),
            ready: VecDeque::from([batch]),
            stream: None,
        }
    }

    /// Waits for the first rows, and keeps them.
    pub async fn fill(&mut self) -> Result<()> {
        if let Some(stream) = &mut self.stream {
            match stream.next().await {
                Some(batch) => self.ready.push_back(batch?),
                None => self.stream = None,
            }
        }
        Ok(())
    }

    /// Up to `most` rows, at least one; `None` at the end. May be dropped while it waits.
    pub async fn next(&mut self, most: u64) -> Result<Option<RecordBatch>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        loop {
            if let Some(batch) = self.ready.pop_front() {
                if batch.num_rows() == 0 {
                    continue;
                }
                if batch.num_rows() > most {
                    self.ready
                        .push_front(batch.slice(most, batch.num_rows() - most));
                    return Ok(Some(batch.slice(0, most)));
                }
                return Ok(Some(batch));
            }
            let Some(stream) = &mut self.stream else {
                return Ok(None);
            };
            match stream.next().await {
                Some(batch) => self.ready.push_back(batch?),
                // the source's connection is free before the client asks again
                None => self.stream = None,
            }
        }
    }
}

impl std::fmt::Debug for RowCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowCursor").finish_non_exhaustive()
    }
}
