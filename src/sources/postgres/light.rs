//! A scan that is all that its statement reads, of a few rows: in one round trip,
//! on the thread that asks, over one of the relay's connections. Called by `scan`.

use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use futures::{Stream, stream};

use super::PostgresSource;
use super::copy::BATCH_BYTES;
use super::decode::RowDecoder;
use super::error::protocol_broken;
use super::metrics::ScanMetrics;
use super::portal::{BINARY_ROWS, decoder_for, settings};
use super::relay::{Lease, Report, Role, UpstreamSettings};
use crate::error::{Error, Result};

/// So many rows are few.
pub const FEW: usize = 1_000;

#[derive(Clone)]
pub(super) struct Asked {
    pub source: Arc<PostgresSource>,
    pub sql: Arc<str>,
    pub schema: SchemaRef,
    pub batch_rows: usize,
    pub metrics: ScanMetrics,
}

/// The rows, in batches. Dropping the stream cancels on the source.
pub(super) fn rows(
    asked: Asked,
) -> impl Stream<Item = Result<RecordBatch, DataFusionError>> + Send {
    stream::try_unfold(Some(State::Asked(asked)), |state| async move {
        let mut running = match state {
            None => return Ok(None),
            Some(State::Asked(asked)) => Running::start(asked).await?,
            Some(State::Running(running)) => running,
        };
        let batch = running.next().await?;
        Ok::<_, DataFusionError>(batch.map(|batch| {
            let rest = match running.rest {
                Rest::Unknown => Some(State::Running(running)),
                Rest::Nothing => None,
            };
            (batch, rest)
        }))
    })
}

/// One statement is one transaction, which must not write.
fn reading() -> Result<Arc<UpstreamSettings>> {
    static MADE: OnceLock<Arc<UpstreamSettings>> = OnceLock::new();
    match MADE.get() {
        Some(made) => Ok(made.clone()),
        None => {
            let made = settings()?.reading();
            Ok(MADE.get_or_init(|| made).clone())
        }
    }
}

enum State {
    Asked(Asked),
    Running(Running),
}

struct Running {
    asked: Asked,
    /// `None` when everything was answered.
    lease: Option<Lease>,
    decoder: Option<RowDecoder>,
    rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Unknown,
    Nothing,
}

impl Running {
    async fn start(asked: Asked) -> Result<Running> {
        let waiting = asked.metrics.wait.timer();
        let settings = reading()?;
        let relay = asked.source.relay().clone();
        // what waits for nothing needs no room for the waiting
        let lease = match relay.lease_now(Role::default(), &settings) {
            Some(lease) => lease,
            None => relay.lease(Role::default(), &settings).await?,
        };
        let statement = relay.statement(&asked.sql, &[], &settings);
        waiting.done();
        asked.metrics.connections.add(1);
        let mut running = Running {
            asked,
            lease: Some(lease),
            decoder: None,
            rest: Rest::Unknown,
        };
        let lease = running.lease()?;
        lease.ensure(&statement);
        lease.bind("", statement.name(), &BINARY_ROWS);
        lease.describe_portal("");
        lease.execute("", 0);
        lease.sync();
        Ok(running)
    }

    fn lease(&mut self) -> Result<&mut Lease> {
        self.lease
            .as_mut()
            .ok_or_else(|| Error::internal("a scan went on after its end"))
    }

    /// `None` when there are no rows any more.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let read = self.asked.metrics.read.clone();
        let _reading = read.timer();
        while self.rest == Rest::Unknown {
            match self.receive().await {
                Ok(Progress::Full) => break,
                Ok(Progress::Ended) => self.rest = Rest::Nothing,
                // its result has other types now: the next description tells
                Ok(Progress::Stale) => *self = Running::start(self.asked.clone()).await?,
                Err(error) => {
                    self.rest = Rest::Nothing;
                    return Err(error);
                }
            }
        }
        let Some(decoder) = &mut self.decoder else {
            let source = self.asked.source.source_name();
            return Err(protocol_broken(source, "a result without columns"));
        };
        match decoder.rows() {
            0 => Ok(None),
            rows => {
                self.asked.metrics.baseline.record_output(rows);
                decoder.take_batch().map(Some)
            }
        }
    }

    /// Reads until a batch is full or all is answered.
    async fn receive(&mut self) -> Result<Progress> {
        let Running {
            asked,
            lease,
            decoder,
            ..
        } = self;
        let Some(lease) = lease else {
            return Ok(Progress::Ended);
        };
        let source = asked.source.source_name();
        let mut failed: Option<Error> = None;
        let mut stale = false;
        loop {
            while let Some(frame) = lease.next()? {
                let body = lease.body(frame);
                match (frame.kind, &mut *decoder) {
                    (b'T', _) => *decoder = Some(decoder_for(source, &asked.schema, body)?),
                    (b'D', Some(decoder)) => {
                        asked.metrics.bytes_moved.add(body.len());
                        decoder.push_row(body)?;
                        if decoder.rows() >= asked.batch_rows || decoder.bytes() >= BATCH_BYTES {
                            return Ok(Progress::Full);
                        }
                    }
                    (b'E', _) => {
                        let report = Report::new(body);
                        stale |= report.is_stale_statement();
                        failed.get_or_insert(report.to_error(source));
                    }
                    _ => {}
                }
                if frame.kind == b'Z' {
                    if let Some(mut lease) = self.lease.take() {
                        if stale {
                            lease.forget_statement(&asked.sql);
                        }
                        lease.release();
                    }
                    return match failed {
                        Some(_) if stale => Ok(Progress::Stale),
                        Some(error) => Err(error),
                        None => Ok(Progress::Ended),
                    };
                }
            }
            lease.receive().await?;
        }
    }
}

enum Progress {
    /// As many rows as a batch takes.
    Full,
    /// Everything was answered.
    Ended,
    /// The statement must be prepared anew.
    Stale,
}
