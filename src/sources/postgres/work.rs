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

    /// Whether the stream is the first of its scan to ask for a connection.
    pub fn claim(&self) -> Turn {
        let mut left = self.lock();
        match std::mem::replace(&mut left.asked, Asked::Somebody) {
            Asked::Nobody => Turn::First,
            Asked::Somebody => Turn::Further,
        }
    }

    pub fn is_done(&self) -> bool {
        self.lock().pieces.is_empty()
    }

    pub fn next(&self) -> Option<Piece> {
        self.lock().pieces.pop_front()
    }

    /// What is held are lists: a panic elsewhere cannot have left them half changed.
    fn lock(&self) -> std::sync::MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
