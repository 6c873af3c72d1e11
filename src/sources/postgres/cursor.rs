//! One statement on a connection that several scans share: a cursor, of which
//! they fetch in turns. Called by `reading`.
//!
//! A fetch runs in a task of its own: a scan that is not polled while it has its
//! turn must not hold up the others.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use futures::TryStreamExt;
use tokio_postgres::Statement;
use tokio_util::task::AbortOnDropHandle;

use super::copy::{Piece, Wanted, sent_types, write_tuple};
use super::decode::{COPY_HEADER, RowDecoder};
use super::error::from_postgres;
use super::metrics::ScanMetrics;
use super::parameter::ArrayParameter;
use super::snapshot::Anchor;
use crate::error::{Error, Result};
use crate::names::SourceName;

/// Rows of the first fetch, when nobody knows how wide they are.
const FIRST_ROWS: usize = 64;
const BATCH_BYTES: usize = 4 << 20;

pub(super) struct CursorRows {
    anchor: Arc<Anchor>,
    source: SourceName,
    name: String,
    batch_rows: usize,
    /// `None` before the first fetch.
    fetch: Option<Fetch>,
    decoder: Option<RowDecoder>,
    metrics: ScanMetrics,
    rest: Rest,
}

struct Fetch {
    statement: Statement,
    rows: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Unknown,
    Nothing,
}

impl CursorRows {
    pub async fn open(anchor: Arc<Anchor>, piece: Piece, wanted: Wanted<'_>) -> Result<CursorRows> {
        let name = format!("narrows_{}", anchor.next_cursor());
        let opening = open(anchor.clone(), name.clone(), piece, wanted.source.clone());
        let fetch = in_task(opening).await?;
        let sent = sent_types(&fetch.statement);
        let mut decoder = RowDecoder::new(wanted.source, wanted.schema.clone(), &sent)?;
        decoder.push(&COPY_HEADER)?;
        Ok(CursorRows {
            anchor,
            source: wanted.source.clone(),
            name,
            batch_rows: wanted.batch_rows.max(1),
            fetch: Some(fetch),
            decoder: Some(decoder),
            metrics: wanted.metrics.clone(),
            rest: Rest::Unknown,
        })
    }

    /// `None` when all rows have been given.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let (Rest::Unknown, Some(fetch), Some(decoder)) =
            (self.rest, self.fetch.take(), self.decoder.take())
        else {
            return Ok(None);
        };
        let asked = fetch.rows;
        let fetching = fetch_rows(
            self.anchor.clone(),
            self.source.clone(),
            fetch,
            decoder,
            self.metrics.clone(),
        );
        let (fetch, mut decoder) = in_task(fetching).await?;
        let (rows, bytes) = (decoder.rows(), decoder.bytes());
        if rows < asked {
            self.rest = Rest::Nothing;
            in_task(close(
                self.anchor.clone(),
                self.source.clone(),
                self.name.clone(),
            ))
            .await?;
        } else {
            let fitting = BATCH_BYTES / (bytes / rows.max(1)).max(1);
            let next = fitting.clamp(1, self.batch_rows);
            self.fetch = Some(match next == asked {
                true => fetch,
                false => {
                    let (anchor, source) = (self.anchor.clone(), self.source.clone());
                    in_task(prepare(anchor, source, self.name.clone(), next)).await?
                }
            });
        }
        if rows == 0 {
            return Ok(None);
        }
        let batch = decoder.take_batch()?;
        self.metrics.baseline.record_output(batch.num_rows());
        self.decoder = Some(decoder);
        Ok(Some(batch))
    }
}

async fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    AbortOnDropHandle::new(tokio::spawn(work))
        .await
        .map_err(|error| Error::internal(format!("a fetch ended early: {error}")))?
}

async fn open(
    anchor: Arc<Anchor>,
    name: String,
    piece: Piece,
    source: SourceName,
) -> Result<Fetch> {
    let declare = format!("DECLARE {name} NO SCROLL CURSOR FOR {}", piece.sql);
    {
        let _turn = anchor.turn().await;
        anchor.asked();
        let client = anchor.client()?;
        let declared = async {
            let statement = client.prepare_typed(&declare, &piece.types()).await?;
            let rows = client
                .query_raw(&statement, piece.parameters.iter())
                .await?;
            rows.try_for_each(|_| std::future::ready(Ok(()))).await
        };
        declared
            .await
            .map_err(|error| from_postgres(&source, error))?;
        anchor.answered();
    }
    prepare(anchor, source, name, FIRST_ROWS).await
}

async fn prepare(
    anchor: Arc<Anchor>,
    source: SourceName,
    cursor: String,
    rows: usize,
) -> Result<Fetch> {
    let _turn = anchor.turn().await;
    let fetch = format!("FETCH FORWARD {rows} FROM {cursor}");
    anchor.asked();
    let statement = anchor
        .client()?
        .prepare(&fetch)
        .await
        .map_err(|error| from_postgres(&source, error))?;
    anchor.answered();
    Ok(Fetch { statement, rows })
}

async fn fetch_rows(
    anchor: Arc<Anchor>,
    source: SourceName,
    fetch: Fetch,
    mut decoder: RowDecoder,
    metrics: ScanMetrics,
) -> Result<(Fetch, RowDecoder)> {
    let theirs = |error| from_postgres(&source, error);
    let _turn = anchor.turn().await;
    anchor.asked();
    let client = anchor.client()?;
    let none: [&ArrayParameter; 0] = [];
    let rows = client.query_raw(&fetch.statement, none).await;
    let mut rows = std::pin::pin!(rows.map_err(theirs)?);
    let mut tuple = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(theirs)? {
        tuple.clear();
        write_tuple(&row, &mut tuple).map_err(theirs)?;
        metrics.bytes_moved.add(tuple.len());
        decoder.push(&tuple)?;
    }
    anchor.answered();
    Ok((fetch, decoder))
}

async fn close(anchor: Arc<Anchor>, source: SourceName, cursor: String) -> Result<()> {
    let _turn = anchor.turn().await;
    anchor.asked();
    let closed = anchor
        .client()?
        .batch_execute(&format!("CLOSE {cursor}"))
        .await;
    closed.map_err(|error| from_postgres(&source, error))?;
    anchor.answered();
    Ok(())
}
