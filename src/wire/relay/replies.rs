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
        self.0.push_back(Reply {
            ends,
            about: Some(about.clone()),
        });
    }

    /// Of a Query, everything of which is for the client, or of a Sync.
    pub fn push_ready(&mut self, about: Option<&Arc<Relayed>>) {
        self.0.push_back(Reply {
            ends: READY,
            about: about.cloned(),
        });
    }

    /// A message without a reply that anybody wants.
    pub fn push_hidden(&mut self, ends: &'static [u8]) {
        self.0.push_back(Reply { ends, about: None });
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
        if self.0.front().is_some_and(|reply| reply.ends.contains(&kind)) {
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
