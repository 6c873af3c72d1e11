//! The unnamed statement of a connection, which stays until another is parsed or a
//! simple query comes: a client that parses the same text again is spared the
//! source's work, as far as nobody can tell. Used by `sending` and `receiving`.
//!
//! Only between transactions, so that nothing is lost where the source refuses
//! what it planned for an older table: it then gets the whole batch once more, with
//! its Parse. Never so often that the source would keep one plan for all values
//! (`choose_custom_plan` in plancache.c: after five), nor for long: a function or
//! a table that was made since, and would be found first, is not looked for.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::awaited::{Awaits, Refused};
use super::connection::{Connection, TransactionStatus};
use super::inbox::{Frame, Stage};
use super::report::Report;

/// Binds of one Parse.
const MOST_USES: u32 = 5;
const LONGEST_USE: Duration = match cfg!(test) {
    false => Duration::from_millis(50),
    // a busy machine must not matter
    true => Duration::from_secs(60),
};
/// Longer texts are not kept.
const LONGEST_TEXT: usize = 16 << 10;
/// Longer batches are not sent again.
const LONGEST_BATCH: usize = 1 << 20;
/// Memory that stays with the connection.
const KEPT: usize = 16 << 10;

const PARSE_COMPLETE: [u8; 5] = *b"1\0\0\0\x04";

#[derive(Debug, Default)]
pub(super) struct Unnamed {
    sql: String,
    oids: Vec<u32>,
    /// `None`: the source may have another, or none.
    parsed: Option<Instant>,
    uses: u32,
    /// What was sent behind a Parse that was not.
    batch: BytesMut,
    recording: bool,
}

impl Unnamed {
    pub fn forget(&mut self) {
        self.parsed = None;
    }

    fn parsed(&mut self, sql: &str, oids: &[u32]) {
        self.parsed = None;
        if sql.len() > LONGEST_TEXT {
            return;
        }
        self.sql.clear();
        self.sql.push_str(sql);
        self.oids.clear();
        self.oids.extend_from_slice(oids);
        self.again();
    }

    fn again(&mut self) {
        self.parsed = Some(Instant::now());
        self.uses = 1;
    }

    fn is(&self, sql: &str, oids: &[u32]) -> bool {
        self.uses < MOST_USES
            && self.sql == sql
            && self.oids == oids
            && self.parsed.is_some_and(|at| at.elapsed() < LONGEST_USE)
    }

    /// What may have to be sent again.
    pub fn record(&mut self, message: &[u8]) {
        if !self.recording {
            return;
        }
        if self.batch.len() + message.len() > LONGEST_BATCH {
            self.stop();
        } else {
            self.batch.extend_from_slice(message);
        }
    }

    pub fn stop(&mut self) {
        self.recording = false;
        match self.batch.capacity() > KEPT {
            true => self.batch = BytesMut::new(),
            false => self.batch.clear(),
        }
    }
}

impl Connection {
    /// A Parse of the unnamed statement; one ParseComplete is handed out for it.
    pub fn parse_unnamed(&mut self, sql: &str, oids: &[u32]) {
        let rest = self.status == TransactionStatus::Idle && self.awaited.is_at_rest();
        if rest && self.unnamed.is(sql, oids) {
            self.unnamed.uses += 1;
            self.unnamed.batch.clear();
            self.unnamed.recording = true;
            self.awaited.push(Awaits::Reused);
            return;
        }
        let read = !self.awaited.is_skipping();
        self.parse("", sql, oids);
        if read {
            self.unnamed.parsed(sql, oids);
        }
    }

    /// Before a message: only a Bind may follow a statement that is not sent again.
    pub(super) fn before(&mut self, kind: u8) {
        if matches!(kind, b'Q' | b'F') {
            self.unnamed.forget();
        }
        if kind != b'B' && self.awaited.ends_reused() {
            self.unnamed.stop();
            self.unnamed.again();
            self.awaited.parse_reused();
            let Unnamed { sql, oids, .. } = &self.unnamed;
            super::sending::parse_message(&mut self.out, "", sql, oids);
        }
    }

    /// The ParseComplete of a statement that was not sent again, once the source
    /// says something else than that it must be.
    pub(super) fn take_reused(&mut self) -> Option<Frame> {
        if !self.awaited.is_reused() {
            return None;
        }
        // malformed: `next` says so
        let frame = self.inbox.peek(Stage::Session).ok()??;
        match frame.kind {
            // they come at any time
            b'A' | b'N' | b'S' => return None,
            b'E' if self.is_outdated(frame) && self.send_again() => {
                let _ = self.inbox.next(Stage::Session);
                return None;
            }
            _ => {}
        }
        self.unnamed.stop();
        self.awaited.reused();
        Some(Frame::synthetic(&PARSE_COMPLETE))
    }

    /// An error that a new Parse may not give, or may give in its place: class 42
    /// (what is named does not exist or may not be used), 3F (nor its schema), and
    /// "cached plan must not change result type".
    fn is_outdated(&self, frame: Frame) -> bool {
        let report = Report::new(self.inbox.body(frame));
        let state = report.field(b'C').unwrap_or_default();
        self.unnamed.recording
            && (state == "0A000" || state.starts_with("42") || state.starts_with("3F"))
    }

    fn send_again(&mut self) -> bool {
        let Some(refused) = self.awaited.again() else {
            return false;
        };
        if refused == Refused::Open {
            super::frontend::message(&mut self.out, b'S', |_| {});
        }
        let Unnamed {
            sql, oids, batch, ..
        } = &self.unnamed;
        super::sending::parse_message(&mut self.out, "", sql, oids);
        self.out.extend_from_slice(batch);
        self.unnamed.stop();
        self.unnamed.again();
        true
    }
}
