//! Messages from the relay to its source. Every one that has a reply is
//! remembered until the reply came.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::awaited::{Awaits, Shown};
use super::connection::{Connection, TransactionStatus};
use super::frontend::{message, text};
use super::inbox::Frame;
use super::prepared::{Statement, name_of};
use super::settings::UpstreamSettings;

/// What `ensure` and `prepare` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// The connection has it.
    Known,
    /// A Parse was appended.
    Sent,
}

/// What `apply` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Nothing differed.
    Same,
    /// Statements were appended; their replies are not handed out.
    Sent,
}

const PARSE_COMPLETE: [u8; 5] = *b"1\0\0\0\x04";
const CLOSE_COMPLETE: [u8; 5] = *b"3\0\0\0\x04";

impl Connection {
    /// Whole messages of the client's, as they came; any kind of the frontend's
    /// but StartupMessage and Terminate.
    pub fn append(&mut self, frame: &[u8]) {
        if let Some(kind) = frame.first() {
            self.before(*kind);
            if *kind == b'P' {
                self.unnamed.forget();
            }
            self.awaited.sent(*kind);
            self.out.put_slice(frame);
            self.unnamed.record(frame);
        }
    }

    fn send(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        self.before(kind);
        self.awaited.sent(kind);
        let at = self.out.len();
        message(&mut self.out, kind, body);
        self.unnamed.record(self.out.get(at..).unwrap_or_default());
    }

    pub fn query(&mut self, sql: &str) {
        self.send(b'Q', |out| text(out, sql));
    }

    pub fn parse(&mut self, name: &str, sql: &str, oids: &[u32]) {
        if name.is_empty() {
            self.unnamed.forget();
        }
        self.send(b'P', |out| parse_body(out, name, sql, oids));
    }

    /// `rest` is the client's Bind after the two names: formats, values and
    /// result formats.
    pub fn bind(&mut self, portal: &str, statement: &str, rest: &[u8]) {
        self.send(b'B', |out| {
            text(out, portal);
            text(out, statement);
            out.put_slice(rest);
        });
    }

    pub fn describe_statement(&mut self, name: &str) {
        self.send(b'D', |out| named(out, b'S', name));
    }

    pub fn describe_portal(&mut self, name: &str) {
        self.send(b'D', |out| named(out, b'P', name));
    }

    pub fn close_statement(&mut self, name: &str) {
        if name.is_empty() {
            self.unnamed.forget();
        }
        self.send(b'C', |out| named(out, b'S', name));
    }

    pub fn close_portal(&mut self, name: &str) {
        self.send(b'C', |out| named(out, b'P', name));
    }

    /// 0: all rows.
    pub fn execute(&mut self, portal: &str, max_rows: u32) {
        self.send(b'E', |out| {
            text(out, portal);
            out.put_u32(max_rows);
        });
    }

    pub fn sync(&mut self) {
        self.send(b'S', |_| {});
    }

    /// The message Flush: the source sends what it has.
    pub fn flush_message(&mut self) {
        self.send(b'H', |_| {});
    }

    pub fn copy_data(&mut self, data: &[u8]) {
        self.send(b'd', |out| out.put_slice(data));
    }

    pub fn copy_done(&mut self) {
        self.send(b'c', |_| {});
    }

    pub fn copy_fail(&mut self, why: &str) {
        self.send(b'f', |out| text(out, why));
    }

    pub(super) fn terminate(&mut self) {
        message(&mut self.out, b'X', |_| {});
    }

    /// Sees to it that the connection has the statement, before a Bind or a
    /// Describe of it. No reply is handed out, unless Parse fails: then the error
    /// is, and the source skips to the next Sync.
    pub fn ensure(&mut self, statement: &Arc<Statement>) -> Ensured {
        self.prepare_as(statement, Shown::Hidden)
    }

    /// Was the statement described on another connection, and is not known here?
    /// What it reads may have changed since: `learn` it before it is used.
    pub fn is_new_to(&self, statement: &Statement) -> bool {
        statement.is_described() && !self.known.contains(statement.id())
    }

    /// The same for the client's own Parse: one ParseComplete is handed out at its
    /// place among the replies, whether the source had to parse or not.
    pub fn prepare(&mut self, statement: &Arc<Statement>) -> Ensured {
        let ensured = self.prepare_as(statement, Shown::Shown);
        if ensured == Ensured::Known {
            self.awaited
                .push(Awaits::Synthetic(Frame::synthetic(&PARSE_COMPLETE)));
        }
        ensured
    }

    /// For the client's Close of one of the pool's statements, which stays: one
    /// CloseComplete is handed out at its place among the replies.
    pub fn close_kept(&mut self) {
        self.before(b'C');
        self.awaited
            .push(Awaits::Synthetic(Frame::synthetic(&CLOSE_COMPLETE)));
    }

    fn prepare_as(&mut self, statement: &Arc<Statement>, shown: Shown) -> Ensured {
        self.before(b'P');
        if self.known.touch(statement.id()) {
            return Ensured::Known;
        }
        self.unnamed.stop();
        // Not known before it was answered, if it will not be.
        if !self.awaited.is_skipping()
            && let Some(evicted) = self.known.insert(statement.id())
        {
            self.awaited.push(Awaits::Close(Shown::Hidden));
            let name = name_of(evicted);
            message(&mut self.out, b'C', |out| named(out, b'S', &name));
        }
        self.awaited.push(Awaits::Parse {
            statement: Some(statement.id()),
            shown,
        });
        let (name, sql, oids) = (statement.name(), statement.sql(), statement.oids());
        parse_message(&mut self.out, name, sql, oids);
        if !self.awaited.is_skipping() {
            self.learning.insert(statement.id(), statement.clone());
        }
        self.awaited.push(Awaits::Columns(statement.id()));
        message(&mut self.out, b'D', |out| {
            named(out, b'S', statement.name())
        });
        Ensured::Sent
    }

    /// After DEALLOCATE ALL or DISCARD ALL; what `receiving` sees of them is
    /// forgotten there.
    pub fn forget_prepared(&mut self) {
        self.known.clear();
    }

    /// Brings the session to these settings. Only between batches: after a Sync or
    /// a simple query, or before anything else. The error of a value that the
    /// source does not take comes from `next`, after what was sent behind it ran
    /// under the old settings; `RelayPool::lease` tries unknown ones first.
    pub fn apply(&mut self, wanted: &Arc<UpstreamSettings>) -> Applied {
        let same = *self.applied == **wanted;
        // In a transaction a doubt cannot be settled, only by its end.
        let settled = self.doubtful.is_none()
            || self.awaited.has_own()
            || self.status != TransactionStatus::Idle;
        let same = same && settled && !self.rolled_back;
        if same || self.status == TransactionStatus::Failed {
            return Applied::Same;
        }
        let mut sql = String::new();
        wanted.write_changes(&self.applied, self.doubtful.as_deref(), &mut sql);
        let before = match &self.doubtful {
            Some(doubtful) => doubtful.union(&self.applied),
            None => self.applied.clone(),
        };
        self.doubtful = Some(before.union(wanted));
        self.applied = wanted.clone();
        self.rolled_back = false;
        self.own_query(&sql);
        self.applying = self.awaited.own();
        Applied::Sent
    }

    /// After a ROLLBACK TO in a transaction in which settings were applied: they
    /// may be what they were before.
    pub fn doubt_settings(&mut self) {
        if let Some(doubtful) = &self.doubtful {
            self.doubtful = Some(doubtful.union(&self.applied));
            self.rolled_back = true;
        }
    }

    /// A statement of the relay's own in front of the client's: its replies are not
    /// handed out, its error comes from `next` once the source is ready again.
    pub fn tell(&mut self, sql: &str) {
        self.own_query(sql);
    }

    /// The same, waited for.
    pub async fn perform(&mut self, sql: &str) -> crate::error::Result<()> {
        self.own_query(sql);
        self.settle().await
    }

    /// Was every message answered?
    pub fn is_answered(&self) -> bool {
        self.awaited.is_empty() && self.out.is_empty()
    }

    pub(super) fn own_query(&mut self, sql: &str) {
        self.before(b'Q');
        self.unnamed.stop();
        self.awaited.push(Awaits::Own);
        message(&mut self.out, b'Q', |out| text(out, sql));
    }
}

pub(super) fn parse_message(out: &mut BytesMut, name: &str, sql: &str, oids: &[u32]) {
    message(out, b'P', |out| parse_body(out, name, sql, oids));
}

fn parse_body(out: &mut BytesMut, name: &str, sql: &str, oids: &[u32]) {
    text(out, name);
    text(out, sql);
    // A message holds at most 65535 of them.
    let count = u16::try_from(oids.len()).unwrap_or(u16::MAX);
    out.put_u16(count);
    for oid in oids.iter().take(usize::from(count)) {
        out.put_u32(*oid);
    }
}

fn named(out: &mut BytesMut, what: u8, name: &str) {
    out.put_u8(what);
    text(out, name);
}
