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

use super::connection::Session;
use super::decode::{COPY_HEADER, COPY_TRAILER, RowDecoder};
use super::error::from_postgres;
use super::light::FEW;
use super::metrics::ScanMetrics;
use super::parameter::ArrayParameter;
use super::remembered::is_outdated;
use crate::error::Result;
use crate::names::SourceName;

/// Bytes of values in a batch, so that wide rows do not take all memory.
pub(super) const BATCH_BYTES: usize = 4 << 20;
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
/// already. What was described stays true until the rows are read. COPY is the
/// quickest way for many rows, but takes no parameters, and what it sends is not
/// described: a few rows come as those of a binary SELECT.
pub(super) async fn open(
    session: &Session,
    begin: Option<&str>,
    piece: &Piece,
    wanted: Wanted<'_>,
) -> Result<Rows> {
    let few = wanted.expected.is_some_and(|rows| rows <= FEW);
    let opened = match piece.parameters.is_empty() && !few {
        true => copy(&session.client, begin, &piece.sql).await,
        false => select(session, begin, piece).await,
    };
    let (sent, incoming) = opened.map_err(|error| from_postgres(wanted.source, error))?;
    let mut decoder = RowDecoder::new(wanted.source, wanted.schema.clone(), &sent)?;
    if let Incoming::Rows(_) = &incoming {
        decoder.push(&COPY_HEADER)?;
    }
    Ok(Rows {
        incoming: Some(incoming),
        source: wanted.source.clone(),
        decoder,
        batch_rows: wanted.batch_rows.max(1),
        phase: Phase::First,
        linger: None,
        metrics: wanted.metrics.clone(),
    })
}

type Opened = (Vec<Type>, Incoming);

/// Two round trips: the preparations travel together.
async fn copy(
    client: &Client,
    begin: Option<&str>,
    sql: &str,
) -> Result<Opened, tokio_postgres::Error> {
    let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
    let prepared = futures::try_join!(
        self::begin(client, begin),
        client.prepare(sql),
        client.prepare(&copy)
    );
    let (_, described, copy) = prepared?;
    let stream = client.copy_out(&copy).await?;
    Ok((sent_types(&described), Incoming::Copy(Box::pin(stream))))
}

/// Two round trips, and one where the connection has the statement. Only those
/// without parameters are kept: the source plans them alike each time.
async fn select(
    session: &Session,
    begin: Option<&str>,
    piece: &Piece,
) -> Result<Opened, tokio_postgres::Error> {
    let Session {
        client, remembered, ..
    } = session;
    let keep = begin.is_some() && piece.parameters.is_empty();
    let rows = |statement: Statement, stream| {
        let sent = sent_types(&statement);
        (sent, Incoming::Rows(Box::pin(stream)))
    };
    if keep && let Some(statement) = remembered.find(&piece.sql) {
        let none: [&ArrayParameter; 0] = [];
        let (begun, stream) = futures::join!(
            self::begin(client, begin),
            client.query_raw(&statement, none)
        );
        begun?;
        match stream {
            Ok(stream) => return Ok(rows(statement, stream)),
            Err(error) if is_outdated(&error) => {
                remembered.forget(&piece.sql);
                client.batch_execute("ROLLBACK").await?;
            }
            Err(error) => return Err(error),
        }
    }
    let types = piece.types();
    let prepared = futures::try_join!(
        self::begin(client, begin),
        client.prepare_typed(&piece.sql, &types)
    );
    let (_, statement) = prepared?;
    let stream = client
        .query_raw(&statement, piece.parameters.iter())
        .await?;
    if keep {
        remembered.add(&piece.sql, statement.clone());
    }
    Ok(rows(statement, stream))
}

async fn begin(client: &Client, begin: Option<&str>) -> Result<(), tokio_postgres::Error> {
    match begin {
        Some(begin) => client.batch_execute(begin).await,
        None => Ok(()),
    }
}

/// How the rows are to come.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub source: &'a SourceName,
    pub schema: &'a SchemaRef,
    pub batch_rows: usize,
    /// Rows that will come, as estimated.
    pub expected: Option<usize>,
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
