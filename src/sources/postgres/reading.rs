//! One stream of a scan while it runs: it waits for what decides what is read,
//! takes a connection, and reads pieces of the scan until none is left. Called by
//! `scan`.

use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::ScopedTimerGuard;
use futures::{Stream, StreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use super::copy::{self, Piece, Wanted};
use super::cursor::CursorRows;
use super::metrics::ScanMetrics;
use super::snapshot::{Anchor, Held, SourceRead};
use super::work::Work;
use crate::error::{Error, Result};
use crate::names::SourceName;

pub(super) struct Reading {
    pub source: SourceName,
    pub read: Arc<SourceRead>,
    pub work: Arc<Work>,
    pub schema: SchemaRef,
    pub batch_rows: usize,
    /// Rows of the whole scan, as estimated.
    pub expected: Option<usize>,
    pub polled: Polled,
    pub metrics: ScanMetrics,
}

/// Is a stream polled until it has what it waits for, whatever its statement does?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Polled {
    /// It is all that the statement reads.
    Always,
    Perhaps,
}

/// The rows that the stream comes to read, in batches. `planning` gives all pieces
/// of the scan; it is waited for once, and without a connection.
pub(super) fn rows(
    reading: Reading,
    planning: impl Future<Output = Result<VecDeque<Piece>>> + Send + 'static,
) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    let start = async move {
        let (held, first) = reading.start(planning).await?.unzip();
        Ok::<_, DataFusionError>(Running {
            current: None,
            held,
            first: first.flatten(),
            reading,
        })
    };
    let running = stream::once(start).map(|running| {
        let running = running?;
        Ok::<_, DataFusionError>(stream::try_unfold(running, |mut running| async move {
            let batch = running.next().await.map_err(DataFusionError::from)?;
            Ok(batch.map(|batch| (batch, running)))
        }))
    });
    futures::TryStreamExt::try_flatten(running)
}

impl Reading {
    /// `None` if there is nothing to read, or others read it.
    async fn start(
        &self,
        planning: impl Future<Output = Result<VecDeque<Piece>>> + Send + 'static,
    ) -> Result<Option<(Held, Option<Piece>)>> {
        let _waiting = self.metrics.wait.timer();
        let (work, read) = (self.work.clone(), self.read.clone());
        // A stream that is not polled must not hold up the statement's others.
        let connecting = async move {
            work.plan(planning).await?;
            match work.claim() {
                Some(turn) => {
                    let held = read.connect(turn).await?;
                    if held.is_none() {
                        work.leave();
                    }
                    Ok::<_, Error>(held.map(|held| (held, work.begin())))
                }
                None => {
                    if work.is_void() {
                        read.skip().await;
                    }
                    Ok(None)
                }
            }
        };
        let held = match self.polled {
            Polled::Always => connecting.await?,
            Polled::Perhaps => AbortOnDropHandle::new(tokio::spawn(connecting))
                .await
                .map_err(|error| Error::internal(format!("a connect ended early: {error}")))??,
        };
        match held.as_ref().map(|(held, _)| held) {
            Some(Held::Own(..)) => self.metrics.connections.add(1),
            Some(Held::Imported(_) | Held::Whole(_)) => {
                self.metrics.connections.add(1);
                self.metrics.snapshots.add(1);
            }
            Some(Held::Shared(_)) => {
                self.metrics.turns.add(1);
                self.metrics.snapshots.add(1);
            }
            None => {}
        }
        Ok(held)
    }
}

/// Dropped in this order: what is read before the connection that it comes over.
struct Running {
    current: Option<Current>,
    held: Option<Held>,
    /// Taken with the connection.
    first: Option<Piece>,
    reading: Reading,
}

enum Current {
    Rows(copy::Rows, Option<Arc<Anchor>>),
    Cursor(CursorRows),
}

impl Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let read = self.reading.metrics.read.clone();
        let _reading: ScopedTimerGuard<'_> = read.timer();
        loop {
            let batch = match &mut self.current {
                None => None,
                Some(Current::Rows(rows, _)) => rows.next().await.transpose()?,
                Some(Current::Cursor(rows)) => rows.next().await?,
            };
            if batch.is_some() {
                return Ok(batch);
            }
            if let Some(Current::Rows(_, Some(anchor))) = self.current.take() {
                anchor.answered();
            }
            if self.held.is_none() {
                return Ok(None);
            }
            let piece = self.first.take();
            match piece.or_else(|| self.reading.work.next()) {
                Some(piece) => self.current = Some(self.open(piece).await?),
                None => {
                    self.reading.metrics.baseline.done();
                    if let Some(held) = self.held.take() {
                        held.finish();
                    }
                    return Ok(None);
                }
            }
        }
    }

    async fn open(&mut self, piece: Piece) -> Result<Current> {
        let Reading {
            source,
            schema,
            batch_rows,
            metrics,
            expected,
            ..
        } = &self.reading;
        let wanted = Wanted {
            source,
            schema,
            batch_rows: *batch_rows,
            expected: *expected,
            metrics,
        };
        let (session, begin, anchor) = match &mut self.held {
            None => return Err(Error::internal("a scan went on after its end")),
            Some(Held::Own(loan, begin)) => (loan.session()?, begin.take(), None),
            Some(Held::Imported(loan)) => (loan.session()?, None, None),
            Some(Held::Whole(anchor)) => {
                anchor.asked();
                (anchor.session()?, None, Some(anchor.clone()))
            }
            Some(Held::Shared(sharer)) => {
                let rows = CursorRows::open(sharer.anchor().clone(), piece, wanted).await?;
                return Ok(Current::Cursor(rows));
            }
        };
        let rows = copy::open(session, begin, &piece, wanted).await?;
        Ok(Current::Rows(rows, anchor))
    }
}
