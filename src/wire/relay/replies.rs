//! What a source still owes to the client's messages. Replies come in the order
//! of the messages, so a queue says which statement each frame is about.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::session::Relayed;

#[derive(Debug)]
pub struct Reply {
    /// It ends with a frame of one of these kinds.
    ends: &'static [u8],
    /// `None`: for this server alone.
    pub about: Option<Arc<Relayed>>,
    shows: Shows,
}

/// What of a reply the client sees; errors always, if it is about something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    All,
    /// A Query's answer has columns, but never says that there are none.
    Columns,
    Nothing,
}

impl Reply {
    pub fn shows(&self, kind: u8) -> bool {
        match self.shows {
            Shows::All => self.about.is_some(),
            Shows::Columns => kind == b'T',
            Shows::Nothing => false,
        }
    }
}

pub const PARSED: &[u8] = b"1";
pub const BOUND: &[u8] = b"2";
pub const CLOSED: &[u8] = b"3";
/// RowDescription or NoData; ParameterDescription comes before them.
pub const DESCRIBED: &[u8] = b"Tn";
/// CommandComplete, EmptyQueryResponse or PortalSuspended.
pub const EXECUTED: &[u8] = b"CIs";
const READY: &[u8] = b"Z";

#[derive(Debug, Default)]
pub struct Replies(VecDeque<Reply>);

impl Replies {
    pub fn push(&mut self, ends: &'static [u8], about: &Arc<Relayed>) {
        self.add(ends, Some(about), Shows::All);
    }

    /// A message of ours in place of the client's: only its errors are seen.
    pub fn push_unseen(&mut self, ends: &'static [u8], about: &Arc<Relayed>) {
        self.add(ends, Some(about), Shows::Nothing);
    }

    /// A Describe of ours, for the columns of a Query's answer.
    pub fn push_described(&mut self, about: &Arc<Relayed>) {
        self.add(DESCRIBED, Some(about), Shows::Columns);
    }

    fn add(&mut self, ends: &'static [u8], about: Option<&Arc<Relayed>>, shows: Shows) {
        self.0.push_back(Reply {
            ends,
            about: about.cloned(),
            shows,
        });
    }

    /// Of a Query, everything of which is for the client, or of a Sync.
    pub fn push_ready(&mut self, about: Option<&Arc<Relayed>>) {
        self.add(READY, about, Shows::All);
    }

    /// A message without a reply that anybody wants.
    pub fn push_hidden(&mut self, ends: &'static [u8]) {
        self.add(ends, None, Shows::All);
    }

    pub fn front(&self) -> Option<&Reply> {
        self.0.front()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// A frame of this kind came; within a Query only ReadyForQuery ends anything.
    pub fn came(&mut self, kind: u8) {
        if self
            .0
            .front()
            .is_some_and(|reply| reply.ends.contains(&kind))
        {
            self.0.pop_front();
        }
    }

    /// After an error the source answers nothing up to the next Sync.
    pub fn failed(&mut self) {
        while self.0.front().is_some_and(|reply| reply.ends != READY) {
            self.0.pop_front();
        }
    }
}
