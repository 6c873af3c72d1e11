//! How the scans of one statement on one source come to read one snapshot, and
//! over which connections. Called by `reading`.
//!
//! A statement with one stream has a connection for itself. With several, the
//! first to start opens the anchor: a REPEATABLE READ transaction whose snapshot is
//! exported (section 9.28.5 "Snapshot Synchronization Functions") and stays open
//! until the last fragment has started. Every stream imports it on a connection of
//! its own if one is free; a fragment that finds none takes turns with the others
//! on the anchor, by cursors. The last fragment to start may have the anchor alone.
//!
//! So a statement waits for one connection of a source, never holding one that
//! its other scans would need to end: two scans that a join reads in step cannot
//! wait for each other, nor can two statements (see `places`).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::PostgresSource;
use super::connection::{Loan, Session};
use super::error::from_postgres;
use super::places::Places;
use crate::error::{Error, Result};

/// A single statement sees one snapshot by itself.
const ONE_STATEMENT: &str = "BEGIN READ ONLY";
/// A cursor is planned for its first rows otherwise: here all are read.
const ONE_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL cursor_tuple_fraction = 1";

/// Snapshots are named by numbers that small servers soon have in common: where a
/// balancer leads to several, one of another server could be imported by its name.
const WHICH: &str = "pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), ' ', \
    pg_catalog.pg_current_snapshot())";

/// What one statement reads from one source.
#[derive(Debug)]
pub(super) struct SourceRead {
    source: Arc<PostgresSource>,
    streams: Streams,
    places: Arc<Places>,
    state: Mutex<State>,
}

/// How many streams of the statement read the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    One,
    /// Of so many fragments.
    Several(usize),
    /// Some fragments are read more than once.
    Unknown,
}

#[derive(Debug)]
struct State {
    /// Fragments that have not started; `None` where nobody knows.
    unstarted: Option<usize>,
    anchor: AnchorState,
}

#[derive(Debug)]
enum AnchorState {
    None,
    Needed(Arc<Anchor>),
    /// All fragments have started: those that read keep it.
    Kept(Weak<Anchor>),
}

/// Which of its fragment's streams asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It gets a connection, or a share of one.
    First,
    /// Others read already: it gets a connection if one is free.
    Further,
}

/// The transaction whose snapshot all others import.
#[derive(Debug)]
pub(super) struct Anchor {
    /// Taken at the end.
    loan: Option<Loan>,
    /// `None` where others cannot have it.
    snapshot: Option<Exported>,
    sharers: AtomicUsize,
    /// Statements whose rows have not all been read.
    unanswered: AtomicUsize,
    cursors: AtomicU64,
    turn: Mutex<()>,
}

#[derive(Debug)]
struct Exported {
    name: String,
    /// What `WHICH` says in it.
    which: String,
}

/// A stream's connection.
#[derive(Debug)]
pub(super) enum Held {
    /// Its own. The transaction is opened with the first statement, by this text.
    Own(Loan, Option<&'static str>),
    /// Its own, within the transaction that others import the snapshot of.
    Imported(Loan),
    /// The anchor, alone.
    Whole(Arc<Anchor>),
    /// The anchor, in turns.
    Shared(Sharer),
}

#[derive(Debug)]
pub(super) struct Sharer(Arc<Anchor>);

impl SourceRead {
    pub fn new(source: Arc<PostgresSource>, streams: Streams, places: Arc<Places>) -> Self {
        let unstarted = match streams {
            Streams::One => Some(1),
            Streams::Several(fragments) => Some(fragments),
            Streams::Unknown => None,
        };
        SourceRead {
            source,
            streams,
            places,
            state: Mutex::new(State {
                unstarted,
                anchor: AnchorState::None,
            }),
        }
    }

    /// A connection for a stream; `None` if it is a further one and none is free.
    /// 53300 if none came free in time.
    pub async fn connect(&self, turn: Turn) -> Result<Option<Held>> {
        if self.streams == Streams::One {
            let place = self.places.take(&self.source).await?;
            let loan = self.source.pool().lend(place).await?;
            return Ok(Some(Held::Own(loan, Some(ONE_STATEMENT))));
        }
        match turn {
            Turn::First => self.connect_first().await.map(Some),
            Turn::Further => self.connect_further().await,
        }
    }

    async fn connect_first(&self) -> Result<Held> {
        let sharer = {
            let mut state = self.state.lock().await;
            let anchor = self.anchor(&mut state).await?;
            if state.start_one() {
                state.anchor = AnchorState::Kept(Arc::downgrade(&anchor));
                if anchor.sharers.load(Ordering::Acquire) == 0 {
                    return Ok(Held::Whole(anchor));
                }
            }
            // from now on, or another could take the anchor whole meanwhile
            Sharer::new(anchor)
        };
        Ok(match self.import(&sharer.0).await {
            Some(loan) => Held::Imported(loan),
            None => Held::Shared(sharer),
        })
    }

    async fn connect_further(&self) -> Result<Option<Held>> {
        let anchor = {
            let mut state = self.state.lock().await;
            match &state.anchor {
                // those that read need no help any more
                AnchorState::Kept(anchor) => match anchor.upgrade() {
                    Some(anchor) => anchor,
                    None => return Ok(None),
                },
                _ => self.anchor(&mut state).await?,
            }
        };
        Ok(self.import(&anchor).await.map(Held::Imported))
    }

    /// A fragment that has nothing to read will not ask for a connection.
    pub async fn skip(&self) {
        let mut state = self.state.lock().await;
        if state.start_one()
            && let AnchorState::Needed(anchor) = &state.anchor
        {
            state.anchor = AnchorState::Kept(Arc::downgrade(anchor));
        }
    }

    async fn anchor(&self, state: &mut State) -> Result<Arc<Anchor>> {
        match &state.anchor {
            AnchorState::Needed(anchor) => return Ok(anchor.clone()),
            AnchorState::Kept(anchor) => {
                return anchor
                    .upgrade()
                    .ok_or_else(|| Error::internal("a snapshot was wanted after its end"));
            }
            AnchorState::None => {}
        }
        let place = self.places.take(&self.source).await?;
        let loan = self.source.pool().lend(place).await?;
        let anchor = Arc::new(Anchor::open(&self.source, loan).await?);
        state.anchor = AnchorState::Needed(anchor.clone());
        Ok(anchor)
    }

    /// `None` if no connection is free or the snapshot cannot be had on another
    /// one: a pooler in between may lead to another server.
    async fn import(&self, anchor: &Anchor) -> Option<Loan> {
        let snapshot = anchor.snapshot.as_ref()?;
        let place = self.source.pool().permit_now()?;
        let imported = async {
            let loan = self.source.pool().lend(place).await?;
            let name = postgres_protocol::escape::escape_literal(&snapshot.name);
            let sql = format!("{ONE_SNAPSHOT}; SET TRANSACTION SNAPSHOT {name}; SELECT {WHICH}");
            let answer = loan.client()?.simple_query(&sql).await;
            let answer = answer.map_err(|error| from_postgres(self.source.source_name(), error))?;
            match cells(&answer)[..] {
                [which] if which == snapshot.which => Ok(loan),
                _ => Err(Error::internal("a snapshot of that name is another one")),
            }
        };
        match imported.await {
            Ok(loan) => Some(loan),
            Err(error) => {
                let source = self.source.source_name();
                tracing::debug!(%source, %error, "a further connection could not be used");
                None
            }
        }
    }
}

impl State {
    /// Is it the last one?
    fn start_one(&mut self) -> bool {
        match &mut self.unstarted {
            Some(unstarted) => {
                *unstarted = unstarted.saturating_sub(1);
                *unstarted == 0
            }
            None => false,
        }
    }
}

impl Anchor {
    async fn open(source: &PostgresSource, loan: Loan) -> Result<Anchor> {
        let client = loan.client()?;
        let theirs = |error| from_postgres(source.source_name(), error);
        let export = format!("{ONE_SNAPSHOT}; SELECT pg_catalog.pg_export_snapshot(), {WHICH}");
        let snapshot = match client.simple_query(&export).await {
            Ok(answer) => match cells(&answer)[..] {
                [name, which] => Some(Exported {
                    name: name.into(),
                    which: which.into(),
                }),
                _ => None,
            },
            Err(error) if error.as_db_error().is_some() && !client.is_closed() => {
                // without export (a right that is missing, a server that cannot) all
                // is read over this connection
                let name = source.source_name();
                tracing::debug!(source = %name, %error, "a snapshot could not be exported");
                let again = format!("ROLLBACK; {ONE_SNAPSHOT}");
                client.batch_execute(&again).await.map_err(theirs)?;
                None
            }
            Err(error) => return Err(theirs(error)),
        };
        Ok(Anchor {
            loan: Some(loan),
            snapshot,
            sharers: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            cursors: AtomicU64::new(0),
            turn: Mutex::new(()),
        })
    }

    pub fn client(&self) -> Result<&Client> {
        Ok(&self.session()?.client)
    }

    pub fn session(&self) -> Result<&Session> {
        match &self.loan {
            Some(loan) => loan.session(),
            None => Err(Error::internal("a connection was used after its end")),
        }
    }

    /// The right to use the connection now.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub fn next_cursor(&self) -> u64 {
        self.cursors.fetch_add(1, Ordering::Relaxed)
    }

    /// Until `answered`, the end of the anchor cancels what runs.
    pub fn asked(&self) {
        self.unanswered.fetch_add(1, Ordering::AcqRel);
    }

    pub fn answered(&self) {
        self.unanswered.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Those of the only row.
fn cells(answer: &[SimpleQueryMessage]) -> Vec<&str> {
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    match row {
        Some(row) => (0..row.len()).filter_map(|at| row.get(at)).collect(),
        None => Vec::new(),
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        if let Some(loan) = self.loan.take()
            && *self.unanswered.get_mut() == 0
        {
            loan.give_back();
        }
    }
}

impl Sharer {
    fn new(anchor: Arc<Anchor>) -> Self {
        anchor.sharers.fetch_add(1, Ordering::AcqRel);
        Sharer(anchor)
    }

    pub fn anchor(&self) -> &Arc<Anchor> {
        &self.0
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        self.0.sharers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Held {
    /// All was read: the connection is free for others.
    pub fn finish(self) {
        match self {
            Held::Own(loan, _) | Held::Imported(loan) => loan.give_back(),
            // the last to hold the anchor ends it
            Held::Whole(_) | Held::Shared(_) => {}
        }
    }
}
