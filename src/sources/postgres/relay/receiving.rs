//! What a source says, on its way to whoever relays: every frame is noted, and
//! replies to the relay itself are taken out.

use super::super::error::protocol_broken;
use super::awaited::{Awaits, Ended, Shown};
use super::connection::{Connection, Fitness, TransactionStatus};
use super::inbox::{Bulk, Frame, Stage};
use super::parameters::Change;
use super::report::Report;
use crate::error::{Error, Result};

/// Tags of statements after which a session is not what it was, though no
/// parameter tells. The relay's own are not looked at.
const TAINTING: [&[u8]; 8] = [
    b"DEALLOCATE",
    b"DEALLOCATE ALL",
    b"DISCARD ALL",
    b"LISTEN",
    b"LOAD",
    b"PREPARE",
    b"RESET",
    b"SET",
];

impl Connection {
    /// The next whole frame for the client, or `None` until more was received.
    /// 08P01 if the source breaks the protocol; the error of the relay's own
    /// statement, if one failed, once the source is ready again.
    #[allow(clippy::should_implement_trait, reason = "it fails")]
    pub fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.awaited.take_synthetic() {
                return Ok(Some(frame));
            }
            if let Some(frame) = self.take_reused() {
                return Ok(Some(frame));
            }
            let frame = match self.inbox.next(Stage::Session) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(malformed) => return Err(self.broken(malformed)),
            };
            if self.note(frame)? == Shown::Shown {
                return Ok(Some(frame));
            }
        }
    }

    /// The longest run of rows that has arrived, a long one at its end perhaps in part;
    /// empty if something else comes first. Before `next`: that waits for a row
    /// to be whole.
    pub fn bulk(&mut self) -> Result<Bulk> {
        // The relay's own statements give no rows.
        self.inbox
            .bulk()
            .map_err(|malformed| self.broken(malformed))
    }

    fn broken(&mut self, what: &str) -> Error {
        self.fitness = Fitness::Dead;
        protocol_broken(&self.source, what)
    }

    fn note(&mut self, frame: Frame) -> Result<Shown> {
        let own = self.awaited.is_own();
        let columns = self.awaited.is_columns();
        let (known, learning) = (&mut self.known, &mut self.learning);
        let ended = self.awaited.answered(frame.kind, |statement| {
            known.forget(statement);
            learning.remove(&statement);
        });
        let shown = match ended {
            Ended::OutOfOrder => return Err(self.broken("a message that answers nothing")),
            Ended::Asked(Awaits::Parse { shown, .. } | Awaits::Close(shown)) => shown,
            Ended::Asked(Awaits::Columns(statement)) => {
                if let Some(statement) = self.learning.remove(&statement) {
                    statement.described(self.inbox.body(frame));
                }
                Shown::Hidden
            }
            Ended::Nothing if columns && frame.kind == b't' => Shown::Hidden,
            Ended::Asked(_) | Ended::Nothing => Shown::Shown,
        };
        match frame.kind {
            b'Z' => return self.ready(frame, own),
            b'S' => self.parameter_changed(frame, own)?,
            b'E' => self.failed(frame, own),
            b'C' if !own => self.completed(frame),
            _ => {}
        }
        // What comes by itself may come at any time, and may be for the client.
        Ok(match own && frame.kind != b'A' && !self.is_dead() {
            true => Shown::Hidden,
            false => shown,
        })
    }

    fn ready(&mut self, frame: Frame, own: bool) -> Result<Shown> {
        self.status = match self.body(frame) {
            b"I" => TransactionStatus::Idle,
            b"T" => TransactionStatus::InTransaction,
            b"E" => TransactionStatus::Failed,
            _ => return Err(self.broken("a transaction status that does not exist")),
        };
        if !own {
            return Ok(Shown::Shown);
        }
        let applying = self.applying;
        if let Some(error) = self.own_error.take() {
            self.applying = applying.saturating_sub(1);
            return Err(error);
        }
        self.applying = self.applying.saturating_sub(1);
        // Within a transaction it depends on how that ends.
        let settled = applying == 1 && self.status == TransactionStatus::Idle;
        if settled {
            self.doubtful = None;
        }
        Ok(Shown::Hidden)
    }

    fn parameter_changed(&mut self, frame: Frame, own: bool) -> Result<()> {
        let change = self.told.note(self.inbox.body(frame));
        match change {
            None => return Err(self.broken("a parameter status that is no name and value")),
            // A rollback undoes what was applied in its transaction.
            Some(Change::Watched) if !own && self.doubtful.is_none() => {
                self.taint("a setting changed");
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn failed(&mut self, frame: Frame, own: bool) {
        // a Parse that failed left none
        self.unnamed.forget();
        let report = Report::new(self.inbox.body(frame));
        let ends = report.ends_connection();
        if own && !ends {
            self.own_error = Some(report.to_error(&self.source));
        }
        if ends {
            self.fitness = Fitness::Dead;
        }
    }

    fn completed(&mut self, frame: Frame) {
        let tag = self.inbox.body(frame);
        // Most are SELECT, INSERT and the like.
        if !matches!(tag.first(), Some(b'D' | b'L' | b'P' | b'R' | b'S')) {
            return;
        }
        let Some((0, tag)) = tag.split_last() else {
            return;
        };
        if TAINTING.contains(&tag) {
            if tag.starts_with(b"D") {
                self.known.clear();
            }
            self.taint("a statement changed the session");
        }
    }
}
