//! One raw connection to a source: its bytes out and in, and what is known about
//! the session at the other end. Made by `connect`, kept by `pool`, used by
//! whoever relays. Messages are written in `sending`, read in `receiving`.
//!
//! Every await here may be cancelled: what was written or read so far is kept.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::super::error::connection_lost;
use super::super::reach::Origin;
use super::super::socket::Socket;
use super::awaited::Awaited;
use super::cancel::Canceller;
use super::inbox::{Bulk, Frame, Inbox};
use super::parameters::Parameters;
use super::prepared::{Known, Statement};
use super::report::Report;
use super::settings::UpstreamSettings;
use super::unnamed::Unnamed;
use crate::error::{Error, Result};
use crate::names::SourceName;

/// An idle connection keeps no more than this for what it sends.
const KEPT: usize = 16 << 10;
/// How long a source may take to obey a cancel and to finish what it was sending
/// before the socket is cut.
const PARTING: Duration = Duration::from_secs(5);
/// The same where somebody waits for the connection.
pub const OBEY: Duration = Duration::from_secs(1);

/// Of the last ReadyForQuery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    InTransaction,
    Failed,
}

/// May the session serve somebody else after this?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fitness {
    Sound,
    /// Something of its user's is left in it: this.
    Tainted(&'static str),
    /// It ended, or what it says makes no sense.
    Dead,
}

/// What `exchange` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchanged {
    /// Everything that was to be sent is sent.
    Sent,
    /// Bytes arrived.
    Received,
}

pub struct Connection {
    pub(super) source: SourceName,
    pub(super) socket: Socket,
    pub(super) out: BytesMut,
    /// Written, but perhaps still within the TLS session.
    unflushed: bool,
    /// The other side does not read any more; it may have said why.
    deaf: bool,
    pub(super) inbox: Inbox,
    pub(super) awaited: Awaited,
    pub(super) origin: Arc<Origin>,
    /// Process and secret, if the source gave them.
    pub(super) key: Option<(u32, u32)>,
    pub(super) told: Parameters,
    pub(super) status: TransactionStatus,
    pub(super) fitness: Fitness,
    pub(super) known: Known,
    pub(super) unnamed: Unnamed,
    /// Statements whose columns were asked for, by their id.
    pub(super) learning: HashMap<u64, Arc<Statement>>,
    pub(super) applied: Arc<UpstreamSettings>,
    /// Names that may have other values than `applied` says.
    pub(super) doubtful: Option<Arc<UpstreamSettings>>,
    /// Replies to the relay itself until the one about `applied`; 0: it came.
    pub(super) applying: usize,
    /// Settings may be what they were before, although the transaction goes on.
    pub(super) rolled_back: bool,
    /// What went wrong in a statement of the relay's own.
    pub(super) own_error: Option<Error>,
    /// Whoever waited for what it runs does not wait any more.
    given_up: bool,
}

impl Connection {
    pub(super) fn new(
        source: SourceName,
        socket: Socket,
        origin: Arc<Origin>,
        none: Arc<UpstreamSettings>,
    ) -> Connection {
        Connection {
            source,
            socket,
            out: BytesMut::new(),
            unflushed: false,
            deaf: false,
            inbox: Inbox::default(),
            awaited: Awaited::default(),
            origin,
            key: None,
            told: Parameters::default(),
            status: TransactionStatus::Idle,
            fitness: Fitness::Sound,
            known: Known::default(),
            unnamed: Unnamed::default(),
            learning: HashMap::new(),
            applied: none,
            doubtful: None,
            applying: 0,
            rolled_back: false,
            own_error: None,
            given_up: false,
        }
    }

    /// Moves the connection out of a place that cannot be empty.
    pub(super) fn take(self: &mut Box<Self>) -> Box<Connection> {
        let mut gone = Box::new(Connection::new(
            self.source.clone(),
            Socket::Closed,
            self.origin.clone(),
            self.applied.clone(),
        ));
        gone.fitness = Fitness::Dead;
        std::mem::replace(self, gone)
    }

    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// The source's process; 0 if it did not say.
    pub fn process(&self) -> u32 {
        self.key.map_or(0, |(process, _)| process)
    }

    /// 150004 for 15.4.
    pub fn server_version(&self) -> u32 {
        self.told.server_version()
    }

    /// What the source last told of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.told.get(name)
    }

    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.told.all()
    }

    /// As of the last reply that was handed out.
    pub fn status(&self) -> TransactionStatus {
        self.status
    }

    /// The session is to be cleaned before somebody else uses it.
    pub fn taint(&mut self, why: &'static str) {
        if self.fitness == Fitness::Sound {
            self.fitness = Fitness::Tainted(why);
        }
    }

    /// Why it is not fit for another user as it is.
    pub fn taint_reason(&self) -> Option<&'static str> {
        match self.fitness {
            Fitness::Tainted(why) => Some(why),
            Fitness::Sound | Fitness::Dead => None,
        }
    }

    /// It ended, or what it says makes no sense.
    pub fn is_dead(&self) -> bool {
        self.fitness == Fitness::Dead
    }

    /// Was every message answered, and every answer handed out?
    pub fn is_quiet(&self) -> bool {
        self.awaited.is_empty() && self.out.is_empty() && !self.inbox.has_unread()
    }

    /// Cancels from elsewhere what this connection runs.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(self.origin.clone(), self.key)
    }

    /// The outgoing bytes, for parts of messages that have no reply of their own
    /// (CopyData). Everything else goes through `append` or a message's method.
    pub fn out(&mut self) -> &mut BytesMut {
        self.unnamed.stop();
        &mut self.out
    }

    pub fn has_unsent(&self) -> bool {
        !self.out.is_empty() || self.unflushed
    }

    /// Sends everything. Where replies may be large, `exchange` or `receive`: a
    /// source whose replies are not read stops reading. 08006 never comes from
    /// here: the reason for a connection's end is read after its last replies.
    pub async fn flush(&mut self) {
        poll_fn(|cx| self.poll_send(cx)).await;
    }

    /// One read into the inbox. 08006 if the source closed the connection.
    pub async fn fill(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Sends while something is to be sent, and ends with the first read.
    pub async fn receive(&mut self) -> Result<()> {
        poll_fn(|cx| {
            let _ = self.poll_send(cx);
            self.poll_fill(cx)
        })
        .await
    }

    /// Ends when everything is sent or something was read, whichever is first;
    /// with nothing to send, when something was read.
    pub async fn exchange(&mut self) -> Result<Exchanged> {
        let sending = self.has_unsent() && !self.deaf;
        poll_fn(|cx| {
            if sending && self.poll_send(cx).is_ready() {
                return Poll::Ready(Ok(Exchanged::Sent));
            }
            self.poll_fill(cx).map_ok(|()| Exchanged::Received)
        })
        .await
    }

    pub fn bytes(&self, frame: Frame) -> &[u8] {
        self.inbox.bytes(frame)
    }

    pub fn body(&self, frame: Frame) -> &[u8] {
        self.inbox.body(frame)
    }

    pub fn rows(&self, bulk: Bulk) -> &[u8] {
        self.inbox.rows(bulk)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.poll_write(cx)) {
            Ok(()) => {}
            // What it said last may still be there to read.
            Err(_) => {
                self.deaf = true;
                self.out.clear();
                self.unflushed = false;
            }
        }
        Poll::Ready(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf {
            self.out.clear();
        }
        while !self.out.is_empty() {
            let written = pin!(self.socket.write_buf(&mut self.out)).poll(cx);
            if ready!(written)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let buffer = self.inbox.prepare();
        let read = ready!(pin!(self.socket.read_buf(buffer)).poll(cx));
        Poll::Ready(match read {
            Ok(0) => {
                self.fitness = Fitness::Dead;
                Err(connection_lost(&self.source))
            }
            Ok(count) => {
                self.inbox.filled(count);
                Ok(())
            }
            Err(error) => {
                self.fitness = Fitness::Dead;
                Err(connection_lost(&self.source).with_cause(error))
            }
        })
    }

    /// Reads what came while nobody looked, without waiting. False if the
    /// connection ended or said what nobody asked for.
    pub(super) fn is_still_sound(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(filled) = self.poll_fill(&mut cx) {
            if filled.is_err() {
                return false;
            }
            while let Ok(Some(frame)) = self.next() {
                if !matches!(frame.kind, b'S' | b'N' | b'A') {
                    return false;
                }
            }
        }
        self.fitness == Fitness::Sound && self.is_quiet()
    }

    /// Does the other side still answer?
    pub(super) async fn is_alive(&mut self, patience: Duration) -> bool {
        self.sync();
        matches!(timeout(patience, self.settle()).await, Ok(Ok(())))
    }

    /// Waits until everything is answered; the answers are thrown away.
    pub async fn settle(&mut self) -> Result<()> {
        loop {
            while self.next()?.is_some() || self.bulk()?.len > 0 {}
            if self.awaited.is_empty() && !self.has_unsent() {
                return Ok(());
            }
            self.receive().await?;
        }
    }

    /// Prepares the statement, whose columns are then compared with what they were
    /// elsewhere: it may be stale afterwards. What the source says against it comes
    /// back; it then skips to the next Sync. Everything before must be answered.
    pub async fn learn(&mut self, statement: &Arc<Statement>) -> Result<Option<Error>> {
        self.ensure(statement);
        self.flush_message();
        self.first_error_until(Awaited::is_drained).await
    }

    /// Waits until everything is answered; what the source refused first, with its
    /// position in what was sent.
    pub async fn first_error(&mut self) -> Result<Option<Error>> {
        self.first_error_until(Awaited::is_empty).await
    }

    async fn first_error_until(&mut self, done: fn(&Awaited) -> bool) -> Result<Option<Error>> {
        let mut error = None;
        loop {
            while let Some(frame) = self.next()? {
                if frame.kind == b'E' && error.is_none() {
                    let report = Report::new(self.body(frame));
                    let refused = report.to_error(&self.source);
                    let position = report.field(b'P').and_then(|at| at.parse().ok());
                    error = Some(match position {
                        Some(position) => refused.with_position(position),
                        None => refused,
                    });
                }
            }
            if done(&self.awaited) && !self.has_unsent() {
                return Ok(error);
            }
            self.receive().await?;
        }
    }

    /// Before work whose future may be dropped; until `work_done` it counts as given up.
    pub fn start_work(&mut self) {
        self.given_up = true;
    }

    pub fn work_done(&mut self) {
        self.given_up = false;
    }

    pub fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Cancels what was given up and throws its answers away. 08006 if the source
    /// does not obey in time: the connection is of no use then.
    pub async fn reclaim(&mut self) -> Result<()> {
        if !self.given_up {
            return Ok(());
        }
        let canceller = self.canceller();
        let settled = timeout(OBEY, canceller.cancel_until(self.settle())).await;
        match settled {
            Ok(Err(error)) if self.is_dead() => Err(error),
            // the cancel's own error is nobody's
            Ok(_) => {
                self.given_up = false;
                Ok(())
            }
            Err(_) => {
                self.fitness = Fitness::Dead;
                Err(connection_lost(&self.source))
            }
        }
    }

    /// Bytes that a row lacks whose begin was handed out.
    pub fn missing(&self) -> usize {
        self.inbox.missing()
    }

    /// Keeps little while nobody uses it.
    pub(super) fn shrink(&mut self) {
        self.inbox.shrink();
        if self.out.is_empty() && self.out.capacity() > KEPT {
            self.out = BytesMut::new();
        }
    }

    /// What the session was told of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.applied.get(name)
    }

    /// Are these settings in place, without a doubt?
    pub(in super::super) fn has_applied(&self, settings: &UpstreamSettings) -> bool {
        self.doubtful.is_none() && *self.applied == *settings
    }

    /// Says goodbye and waits a little for the other side to have gone.
    pub(in super::super) async fn close(mut self: Box<Self>, patience: Duration) {
        let _ = timeout(patience, self.end()).await;
    }

    /// Ends what the source is doing for this connection, then the connection.
    pub(super) async fn cut(mut self: Box<Self>) {
        let canceller = self.canceller();
        let _ = match self.awaited.is_empty() {
            true => timeout(PARTING, self.end()).await,
            false => timeout(PARTING, canceller.cancel_until(self.end())).await,
        };
    }

    /// Reads to the end: a socket that is cut with data unread is a reset to the
    /// other side.
    async fn end(&mut self) {
        // A message that was cut short can be followed by nothing.
        match self.out.is_empty() {
            true => self.terminate(),
            false => self.out.clear(),
        }
        self.flush().await;
        let mut hung_up = false;
        poll_fn(|cx| {
            if !hung_up {
                hung_up = Pin::new(&mut self.socket).poll_shutdown(cx).is_ready();
            }
            loop {
                self.inbox.clear();
                if ready!(self.poll_fill(cx)).is_err() {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }
}

impl std::fmt::Debug for Connection {
    /// Without the key: it allows to cancel.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("source", &self.source)
            .field("process", &self.process())
            .field("status", &self.status)
            .field("fitness", &self.fitness)
            .field("awaited", &self.awaited)
            .field("prepared", &self.known.len())
            .finish_non_exhaustive()
    }
}
