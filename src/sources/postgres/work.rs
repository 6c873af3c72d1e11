//! What the streams of one scan share: the pieces that are left to read. Each
//! takes the next one when it has time. Called by `reading`.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::copy::Piece;
use super::snapshot::Turn;
use crate::error::Result;

#[derive(Debug, Default)]
pub(super) struct Work {
    planned: OnceCell<()>,
    left: Mutex<Left>,
}

#[derive(Debug, Default)]
struct Left {
    pieces: VecDeque<Piece>,
    /// Streams that were made.
    streams: HashSet<usize>,
    asked: Asked,
    /// Streams that asked and have not begun.
    claimed: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Asked {
    #[default]
    Nobody,
    Somebody,
}

impl Work {
    /// Is this the only stream of its number?
    pub fn is_new(&self, stream: usize) -> bool {
        self.lock().streams.insert(stream)
    }

    /// The first to come waits for what decides and fills the queue; says whether
    /// it was this one.
    pub async fn plan(
        &self,
        planning: impl Future<Output = Result<VecDeque<Piece>>>,
    ) -> Result<()> {
        let fill = || async {
            let pieces = planning.await?;
            self.lock().pieces = pieces;
            Ok(())
        };
        self.planned.get_or_try_init(fill).await.map(|_| ())
    }

    /// Asks for work. `None` if there is none beyond what those who asked before
    /// will take.
    pub fn claim(&self) -> Option<Turn> {
        let mut left = self.lock();
        if left.pieces.len() <= left.claimed {
            return None;
        }
        left.claimed += 1;
        match std::mem::replace(&mut left.asked, Asked::Somebody) {
            Asked::Nobody => Some(Turn::First),
            Asked::Somebody => Some(Turn::Further),
        }
    }

    /// Whoever claimed begins, with a first piece if it is still there.
    pub fn begin(&self) -> Option<Piece> {
        let mut left = self.lock();
        left.claimed = left.claimed.saturating_sub(1);
        left.pieces.pop_front()
    }

    /// Whoever claimed leaves the work to the others.
    pub fn leave(&self) {
        let mut left = self.lock();
        left.claimed = left.claimed.saturating_sub(1);
    }

    /// Does the scan read nothing, and is this the first to know?
    pub fn is_void(&self) -> bool {
        let mut left = self.lock();
        left.pieces.is_empty()
            && std::mem::replace(&mut left.asked, Asked::Somebody) == Asked::Nobody
    }

    pub fn next(&self) -> Option<Piece> {
        self.lock().pieces.pop_front()
    }

    /// What is held are lists: a panic elsewhere cannot have left them half changed.
    fn lock(&self) -> std::sync::MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn work(pieces: usize) -> Work {
        let work = Work::default();
        let pieces = (0..pieces).map(|at| Piece::plain(at.to_string())).collect();
        work.plan(async { Ok(pieces) }).await.expect("planned");
        work
    }

    #[tokio::test]
    async fn no_more_streams_begin_than_there_are_pieces() {
        let work = work(2).await;
        assert_eq!(work.claim(), Some(Turn::First));
        assert_eq!(work.claim(), Some(Turn::Further));
        assert_eq!(work.claim(), None);
        // one of them gets no connection: the other reads both
        work.leave();
        assert_eq!(work.claim(), Some(Turn::Further));
        work.leave();
        assert!(work.begin().is_some() && work.next().is_some());
        assert!(work.next().is_none() && !work.is_void());
    }

    #[tokio::test]
    async fn the_first_to_find_nothing_knows_it() {
        let work = work(0).await;
        assert_eq!(work.claim(), None);
        assert!(work.is_void() && !work.is_void());
    }

    #[tokio::test]
    async fn a_stream_is_made_once() {
        let work = work(1).await;
        assert!(work.is_new(0) && work.is_new(1) && !work.is_new(0));
    }
}
