//! Scans within a client's transaction: over the one connection that the
//! transaction is on, so that they see what it wrote. Each is a portal that is
//! run on for some rows at a time; between them the connection is free for other
//! scans and statements. Called by `scan`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use futures::{Stream, stream};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_postgres::types::{Kind, Type};

use super::PostgresSource;
use super::decode::{COPY_HEADER, RowDecoder};
use super::error::protocol_broken;
use super::metrics::ScanMetrics;
use super::relay::{Lease, Report, UpstreamSettings};
use crate::error::{Error, Result};
use crate::names::SourceName;

/// The connection of a transaction, and who may use it now. `None` after its end.
pub type SharedLease = Arc<Mutex<Option<Lease>>>;
pub type HeldLease = OwnedMutexGuard<Option<Lease>>;

/// The connections of the transaction that a statement runs in.
#[derive(Debug, Default)]
pub struct PinnedSources(pub Vec<(SourceName, SharedLease)>);

impl PinnedSources {
    pub(super) fn of(&self, source: &SourceName) -> Option<SharedLease> {
        self.0
            .iter()
            .find(|(name, _)| name == source)
            .map(|(_, lease)| lease.clone())
    }
}

/// Values are carried in binary; where they are text after all, they look as
/// other scans see them.
const SETTINGS: [(&str, &str); 6] = [
    ("search_path", ""),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
];

/// The same for all: what has them already is recognized without looking.
pub(super) fn settings() -> Result<Arc<UpstreamSettings>> {
    static MADE: OnceLock<Arc<UpstreamSettings>> = OnceLock::new();
    match MADE.get() {
        Some(made) => Ok(made.clone()),
        None => {
            let made = UpstreamSettings::new(SETTINGS)?;
            Ok(MADE.get_or_init(|| made).clone())
        }
    }
}

/// The rows of `sql`, in batches of at most `batch_rows` rows.
pub(super) fn rows(
    source: Arc<PostgresSource>,
    lease: SharedLease,
    sql: Arc<str>,
    schema: SchemaRef,
    batch_rows: usize,
    metrics: ScanMetrics,
) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let portal = Portal {
        name: format!("narrows_scan_{}", LAST.fetch_add(1, Ordering::Relaxed)),
        source,
        lease,
        sql,
        schema,
        most: u32::try_from(batch_rows).unwrap_or(u32::MAX).max(1),
        decoder: None,
        rest: Rest::Unknown,
        metrics,
    };
    stream::try_unfold(portal, |mut portal| async move {
        let batch = portal.next().await.map_err(DataFusionError::from)?;
        Ok(batch.map(|batch| (batch, portal)))
    })
}

struct Portal {
    name: String,
    source: Arc<PostgresSource>,
    lease: SharedLease,
    sql: Arc<str>,
    schema: SchemaRef,
    most: u32,
    decoder: Option<RowDecoder>,
    rest: Rest,
    metrics: ScanMetrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Unknown,
    /// CommandComplete came.
    Nothing,
}

impl Portal {
    /// `None` when all rows have been given.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.rest == Rest::Nothing {
            return Ok(None);
        }
        let mut held = self.lease.clone().lock_owned().await;
        let Some(lease) = held.as_mut() else {
            return Err(Error::internal("a scan went on after its transaction"));
        };
        // a scan that nobody waited for any more
        lease.reclaim().await?;
        if !lease.is_answered() {
            lease.settle().await?;
        }
        if self.decoder.is_none() {
            lease.apply(&settings()?);
            lease.parse("", &self.sql, &[]);
            lease.bind(&self.name, "", &BINARY_ROWS);
            lease.describe_portal(&self.name);
        }
        lease.execute(&self.name, self.most);
        lease.sync();
        lease.start_work();
        let received = self.receive(lease).await;
        if lease.is_answered() {
            lease.work_done();
        }
        received?;
        let Some(decoder) = &mut self.decoder else {
            return Err(protocol_broken(lease.source(), "a result without columns"));
        };
        match decoder.rows() {
            0 => Ok(None),
            rows => {
                self.metrics.baseline.record_output(rows);
                decoder.take_batch().map(Some)
            }
        }
    }

    async fn receive(&mut self, lease: &mut Lease) -> Result<()> {
        let mut failed = None;
        loop {
            while let Some(frame) = lease.next()? {
                let body = lease.body(frame);
                match frame.kind {
                    b'T' => {
                        let source = self.source.source_name();
                        self.decoder = Some(decoder_for(source, &self.schema, body)?);
                    }
                    b'D' => {
                        self.metrics.bytes_moved.add(body.len());
                        if let Some(decoder) = &mut self.decoder {
                            decoder.push_row(body)?;
                        }
                    }
                    b'C' => self.rest = Rest::Nothing,
                    b'E' => failed = Some(Report::new(body).to_error(lease.source())),
                    b'Z' => {
                        return match failed {
                            Some(error) => Err(error),
                            None => Ok(()),
                        };
                    }
                    _ => {}
                }
            }
            lease.receive().await?;
        }
    }
}

/// A decoder of rows as they are described: the body of RowDescription, section
/// 55.7 "Message Formats".
pub(super) fn decoder_for(
    source: &SourceName,
    schema: &SchemaRef,
    body: &[u8],
) -> Result<RowDecoder> {
    let broken = || protocol_broken(source, "a description of columns was cut short");
    let (count, mut rest) = body.split_first_chunk::<2>().ok_or_else(broken)?;
    let mut sent = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let end = rest.iter().position(|byte| *byte == 0).ok_or_else(broken)?;
        let fixed = rest.get(end + 1..end + 19).ok_or_else(broken)?;
        let oid = u32::from_be_bytes([fixed[6], fixed[7], fixed[8], fixed[9]]);
        sent.push(
            Type::from_oid(oid)
                .unwrap_or_else(|| Type::new("custom".into(), oid, Kind::Simple, "custom".into())),
        );
        rest = &rest[end + 19..];
    }
    let mut decoder = RowDecoder::new(source, schema.clone(), &sent)?;
    decoder.push(&COPY_HEADER)?;
    Ok(decoder)
}

/// The end of a Bind: no parameters, all results in binary.
pub(super) const BINARY_ROWS: [u8; 8] = [0, 0, 0, 0, 0, 1, 0, 1];
