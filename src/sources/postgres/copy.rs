//! One statement while it runs: SQL in, record batches out, over a connection
//! that nobody else uses meanwhile. Called by `reading`.
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
use futures::Stream;
use std::future::Future as _;
use tokio::time::{Sleep, sleep};
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, CopyOutStream, Row, RowStream, Statement};

use super::decode::{COPY_HEADER, COPY_TRAILER, RowDecoder};
use super::error::from_postgres;
use super::metrics::ScanMetrics;
use super::parameter::ArrayParameter;
use crate::error::Result;
use crate::names::SourceName;

/// Bytes of values in a batch, so that wide rows do not take all memory.
const BATCH_BYTES: usize = 4 << 20;
/// The first batch is smaller: somebody waits for it.
const FIRST_ROWS: usize = 1024;
/// How long rows wait for more when the source is slower than we are.
const LINGER: Duration = Duration::from_millis(20);

/// One statement to run, and the values of its parameters.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub sql: String,
    pub parameters: Arc<[ArrayParameter]>,
}

impl Piece {
    pub fn plain(sql: impl Into<String>) -> Piece {
        Piece {
            sql: sql.into(),
            parameters: Arc::new([]),
        }
    }

    pub fn types(&self) -> Vec<Type> {
        self.parameters
            .iter()
            .map(ArrayParameter::pg_type)
            .collect()
    }
}

/// Starts a statement in the transaction that `begin` opens, or that is open
/// already. Two round trips: the preparations travel together. What was described
/// stays true until the rows are read. COPY takes no parameters: with them the
/// rows come as those of a binary SELECT.
pub(super) async fn open(
    client: &Client,
    begin: Option<&str>,
    piece: &Piece,
    wanted: Wanted<'_>,
) -> Result<Rows> {
    let source = wanted.source;
    let theirs = |error| from_postgres(source, error);
    let begin = async {
        match begin {
            Some(begin) => client.batch_execute(begin).await,
            None => Ok(()),
        }
    };
    let (sent, incoming, head) = match piece.parameters.is_empty() {
        true => {
            let copy = format!("COPY ({}) TO STDOUT (FORMAT binary)", piece.sql);
            let prepared =
                futures::try_join!(begin, client.prepare(&piece.sql), client.prepare(&copy));
            let (_, described, copy) = prepared.map_err(theirs)?;
            let stream = client.copy_out(&copy).await.map_err(theirs)?;
            (
                sent_types(&described),
                Incoming::Copy(Box::pin(stream)),
                None,
            )
        }
        false => {
            let types = piece.types();
            let prepared = futures::try_join!(begin, client.prepare_typed(&piece.sql, &types));
            let (_, statement) = prepared.map_err(theirs)?;
            let stream = client
                .query_raw(&statement, piece.parameters.iter())
                .await
                .map_err(theirs)?;
            (
                sent_types(&statement),
                Incoming::Rows(Box::pin(stream)),
                Some(&COPY_HEADER),
            )
        }
    };
    let mut decoder = RowDecoder::new(source, wanted.schema.clone(), &sent)?;
    if let Some(head) = head {
        decoder.push(head)?;
    }
    Ok(Rows {
        incoming: Some(incoming),
        source: source.clone(),
        decoder,
        batch_rows: wanted.batch_rows.max(1),
        phase: Phase::First,
        linger: None,
        metrics: wanted.metrics.clone(),
    })
}

/// How the rows are to come.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub source: &'a SourceName,
    pub schema: &'a SchemaRef,
    pub batch_rows: usize,
    pub metrics: &'a ScanMetrics,
}

pub(super) fn sent_types(statement: &Statement) -> Vec<Type> {
    let columns = statement.columns().iter();
    columns.map(|column| column.type_().clone()).collect()
}

/// A row as COPY BINARY would have sent it.
pub(super) fn write_tuple(row: &Row, out: &mut Vec<u8>) -> Result<(), tokio_postgres::Error> {
    let count = i16::try_from(row.len()).unwrap_or(i16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for at in 0..row.len() {
        match row.try_get::<_, Option<Raw<'_>>>(at)? {
            None => out.extend_from_slice(&(-1i32).to_be_bytes()),
            Some(Raw(bytes)) => {
                let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
    Ok(())
}

/// A value as it was sent.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Raw(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

enum Incoming {
    Copy(Pin<Box<CopyOutStream>>),
    Rows(Pin<Box<RowStream>>),
}

impl Incoming {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, tokio_postgres::Error>>> {
        match self {
            Incoming::Copy(stream) => stream.as_mut().poll_next(cx),
            Incoming::Rows(stream) => {
                let row = std::task::ready!(stream.as_mut().poll_next(cx));
                Poll::Ready(row.map(|row| {
                    let row = row?;
                    let mut tuple = Vec::with_capacity(row.raw_size_bytes() + 2);
                    write_tuple(&row, &mut tuple)?;
                    Ok(tuple.into())
                }))
            }
        }
    }

    /// Does the end of the stream end the result, without a word of its own?
    fn ends_unsaid(&self) -> bool {
        matches!(self, Incoming::Rows(_))
    }
}

/// The rows of one piece, in batches.
pub(super) struct Rows {
    /// `None` when all was sent.
    incoming: Option<Incoming>,
    source: SourceName,
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

impl Rows {
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

    fn fail(&mut self, error: crate::error::Error) -> Poll<Option<Result<RecordBatch>>> {
        self.incoming = None;
        Poll::Ready(Some(Err(error)))
    }

    /// The source sent everything.
    fn end(&mut self) -> Poll<Option<Result<RecordBatch>>> {
        let unsaid = self
            .incoming
            .as_ref()
            .is_some_and(|incoming| incoming.ends_unsaid());
        // Its unread messages would hold up the connection.
        self.incoming = None;
        let said = match unsaid {
            true => self.decoder.push(&COPY_TRAILER),
            false => Ok(()),
        };
        if let Err(error) = said.and_then(|()| self.decoder.end()) {
            return self.fail(error);
        }
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

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let elapsed = this.metrics.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        loop {
            let Some(incoming) = &mut this.incoming else {
                return Poll::Ready(None);
            };
            match incoming.poll(cx) {
                Poll::Pending => return this.idle(cx),
                Poll::Ready(None) => return this.end(),
                Poll::Ready(Some(Err(error))) => {
                    let error = from_postgres(&this.source, error);
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
