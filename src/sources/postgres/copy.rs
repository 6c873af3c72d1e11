//! One scan while it runs: SQL in, record batches out, over one connection that
//! belongs to the stream. Called by `scan`.
//!
//! Back-pressure: the connection's task hands over what it read through a channel
//! of one message and reads no further while that is full, so a reader that
//! stalls leaves at most a few socket reads in memory and the rest on the source.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use std::future::Future as _;
use tokio::time::{Sleep, sleep};
use tokio_postgres::CopyOutStream;
use tokio_postgres::types::Type;

use super::PostgresSource;
use super::connection::Loan;
use super::decode::RowDecoder;
use super::error::from_postgres;
use crate::error::Result;

/// Bytes of values in a batch, so that wide rows do not take all memory.
const BATCH_BYTES: usize = 4 << 20;
/// The first batch is smaller: somebody waits for it.
const FIRST_ROWS: usize = 1024;
/// How long rows wait for more when the source is slower than we are.
const LINGER: Duration = Duration::from_millis(20);

pub(super) struct ScanMetrics {
    pub baseline: BaselineMetrics,
    /// What the source sent.
    pub bytes_moved: Count,
}

impl ScanMetrics {
    pub fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        ScanMetrics {
            baseline: BaselineMetrics::new(set, partition),
            bytes_moved: MetricBuilder::new(set).counter("bytes_moved", partition),
        }
    }
}

/// The rows of `sql`, in batches of at most `batch_rows` rows.
pub(super) fn rows(
    source: Arc<PostgresSource>,
    sql: Arc<str>,
    schema: SchemaRef,
    batch_rows: usize,
    metrics: ScanMetrics,
) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    stream::once(start(source, sql, schema, batch_rows, metrics))
        .try_flatten()
        .map(|batch| batch.map_err(DataFusionError::from))
}

async fn start(
    source: Arc<PostgresSource>,
    sql: Arc<str>,
    schema: SchemaRef,
    batch_rows: usize,
    metrics: ScanMetrics,
) -> Result<CopyRows> {
    let loan = source.pool().borrow().await?;
    let started = open(&loan, &sql).await;
    let (sent, copy) = match started {
        Ok(started) => started,
        Err(Start::Ours(error)) => return Err(error),
        Err(Start::Theirs(error)) => return Err(from_postgres(source.source_name(), error)),
    };
    let decoder = RowDecoder::new(source.source_name(), schema, &sent)?;
    Ok(CopyRows {
        running: Some((Box::pin(copy), loan)),
        source,
        decoder,
        batch_rows: batch_rows.max(1),
        phase: Phase::First,
        linger: None,
        metrics,
    })
}

enum Start {
    Ours(crate::error::Error),
    Theirs(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Start {
    fn from(error: tokio_postgres::Error) -> Self {
        Start::Theirs(error)
    }
}

/// Two round trips: the three preparations travel together. The transaction is
/// READ ONLY whatever the session or a function in the SQL sets, and what was
/// described stays true until the rows are read.
async fn open(loan: &Loan, sql: &str) -> Result<(Vec<Type>, CopyOutStream), Start> {
    let client = loan.client().map_err(Start::Ours)?;
    let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
    let (_, described, copy) = futures::try_join!(
        client.batch_execute("BEGIN READ ONLY"),
        client.prepare(sql),
        client.prepare(&copy),
    )?;
    let sent = described
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect();
    Ok((sent, client.copy_out(&copy).await?))
}

struct CopyRows {
    /// Dropped together: the connection closes when the rows are not wanted.
    running: Option<(Pin<Box<CopyOutStream>>, Loan)>,
    source: Arc<PostgresSource>,
    decoder: RowDecoder,
    batch_rows: usize,
    phase: Phase,
    /// Runs while rows wait for more.
    linger: Option<Pin<Box<Sleep>>>,
    metrics: ScanMetrics,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No batch was sent yet.
    First,
    Further,
}

impl CopyRows {
    fn is_full(&self) -> bool {
        let rows = match self.phase {
            Phase::First => self.batch_rows.min(FIRST_ROWS),
            Phase::Further => self.batch_rows,
        };
        self.decoder.rows() >= rows || self.decoder.bytes() >= BATCH_BYTES
    }

    fn batch(&mut self) -> Poll<Option<Result<RecordBatch>>> {
        self.phase = Phase::Further;
        self.linger = None;
        let batch = self.decoder.take_batch();
        if let Ok(batch) = &batch {
            self.metrics.baseline.record_output(batch.num_rows());
        }
        Poll::Ready(Some(batch))
    }

    fn take(&mut self, bytes: &Bytes) -> Result<()> {
        self.metrics.bytes_moved.add(bytes.len());
        self.decoder.push(bytes)
    }

    /// The connection is closed, the source's statement cancelled.
    fn fail(&mut self, error: crate::error::Error) -> Poll<Option<Result<RecordBatch>>> {
        self.running = None;
        self.metrics.baseline.done();
        Poll::Ready(Some(Err(error)))
    }

    /// The source sent everything: the connection goes back.
    fn end(&mut self) -> Poll<Option<Result<RecordBatch>>> {
        if let Err(error) = self.decoder.end() {
            return self.fail(error);
        }
        if let Some((copy, loan)) = self.running.take() {
            // First, or its unread messages would hold up the connection.
            drop(copy);
            loan.give_back();
        }
        self.metrics.baseline.done();
        match self.decoder.rows() {
            0 => Poll::Ready(None),
            _ => self.batch(),
        }
    }

    /// Nothing to read now: should the rows that there are wait?
    fn idle(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        if self.decoder.rows() == 0 {
            return Poll::Pending;
        }
        if self.phase == Phase::First {
            return self.batch();
        }
        let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        match linger.as_mut().poll(cx) {
            Poll::Ready(()) => self.batch(),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Stream for CopyRows {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let elapsed = this.metrics.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        loop {
            let Some((copy, _)) = &mut this.running else {
                return Poll::Ready(None);
            };
            match copy.as_mut().poll_next(cx) {
                Poll::Pending => return this.idle(cx),
                Poll::Ready(None) => return this.end(),
                Poll::Ready(Some(Err(error))) => {
                    let error = from_postgres(this.source.source_name(), error);
                    return this.fail(error);
                }
                Poll::Ready(Some(Ok(bytes))) => {
                    if let Err(error) = this.take(&bytes) {
                        return this.fail(error);
                    }
                    if this.is_full() {
                        return this.batch();
                    }
                }
            }
        }
    }
}
