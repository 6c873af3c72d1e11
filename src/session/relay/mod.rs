//! Statements that run on one Postgres source as they were written: which
//! connections this session holds there, and when they are given back. Called by
//! `wire`, which moves the frames; knows statements, never a byte of the protocol.
//!
//! A connection is attached when the first statement for its source comes and
//! given back when the source says that no transaction is open: between the
//! transactions of one client it serves others.

mod allow;
mod attached;
mod prepared;
mod read;
mod settings;
mod transaction;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;
use crate::plan::Planned;
use crate::plan::relay::{Effects, Kind, PlanForm, Rewritten, Temporary};
use crate::sources::postgres::{PinnedSources, PostgresSource, SharedLease};

pub use attached::{Attached, Batch};
use attached::{Block, Keep, Settled, Wrote};
pub use prepared::RelayPrepared;
use settings::AtSource;

use super::commands::Hold;
use super::portals::Portal;
use super::prepared::Prepared;
use super::transaction::State;
use super::{Session, plan};

/// A statement for one source.
#[derive(Debug, Clone)]
pub struct Relayed {
    pub source: SourceName,
    /// What is sent, and where its characters stand in the client's text.
    pub text: Rewritten,
    pub kind: Kind,
    pub effects: Effects,
    /// Characters of the message before the client's text.
    pub offset: usize,
    /// What it runs was prepared earlier: EXECUTE.
    pub runs: Option<Arc<Prepared>>,
    /// The cursor that it closes.
    pub closes: Option<String>,
    /// Its text was not understood: it is sent so that it can be one statement only.
    pub single: bool,
    /// Temporary relations that it makes.
    pub temporary: Vec<String>,
    /// It asks for what an earlier statement of the session got from a sequence.
    pub recalls: bool,
}

impl Relayed {
    /// Stands for a scan of the engine's in the session's transaction.
    fn scan(source: SourceName) -> Self {
        Relayed {
            source,
            text: Rewritten::unchanged(""),
            kind: Kind::Read,
            effects: Effects::Plain,
            offset: 0,
            runs: None,
            closes: None,
            single: false,
            temporary: Vec::new(),
            recalls: false,
        }
    }

    /// Of what EXECUTE runs, or its own.
    pub fn prepared_text(&self) -> &str {
        let runs = self.runs.as_ref().and_then(|runs| runs.relay.as_ref());
        runs.map_or(&self.text, |relay| &relay.relayed.text).text()
    }

    /// An EXPLAIN's answer says where the plan is from.
    pub fn heading(&self) -> Option<Heading> {
        let Kind::Explain { plan, .. } = &self.kind else {
            return None;
        };
        let text = format!("Route: relay to source \"{}\"", self.source);
        Some(match plan {
            PlanForm::Lines => Heading::Line(text),
            PlanForm::Document => Heading::Notice(text),
        })
    }

    /// A position in what was sent → one in the client's message; both 1-based characters.
    pub fn position(&self, remote: usize) -> usize {
        self.offset + self.text.original_position(remote)
    }
}

/// How the answer of an EXPLAIN begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heading {
    /// Its first row.
    Line(String),
    /// Beside it: clients parse the document.
    Notice(String),
}

/// What a session has open at sources.
#[derive(Debug, Default)]
pub struct Relays {
    attached: Vec<Attached>,
    settings: settings::Cache,
    last_read: Option<read::LastRead>,
    /// Temporary relations that the session made, all on one source.
    temporary: Vec<String>,
    temporary_at: Option<SourceName>,
}

impl Relays {
    pub fn is_empty(&self) -> bool {
        self.attached.is_empty()
    }

    fn temporary(&self) -> Temporary<'_> {
        Temporary {
            source: self.temporary_at.as_ref(),
            names: &self.temporary,
        }
    }

    /// Another number where other temporary relations are known; 0: none.
    fn epoch(&self) -> u64 {
        if self.temporary.is_empty() {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        (&self.temporary_at, &self.temporary).hash(&mut hasher);
        hasher.finish()
    }

    fn forget_temporary(&mut self) {
        self.temporary.clear();
        self.temporary_at = None;
    }
}

impl Session {
    /// The source's connection for a statement that starts now: the session's
    /// settings and transaction are told before anything else is sent.
    pub async fn attach(&mut self, relayed: &Relayed) -> Result<()> {
        let name = &relayed.source;
        if relayed.recalls && !self.begins_block() && !self.keeps(name) {
            return Err(not_recalled());
        }
        let writes = allow::writes(&relayed.kind);
        if !writes && relayed.effects == Effects::Plain && self.is_under_way(name) {
            return Ok(());
        }
        if writes && let Some(other) = self.wrote_elsewhere(name) {
            return Err(Error::unsupported(format!(
                "a transaction cannot write to two sources: it wrote to \"{other}\", this statement would write to \"{name}\""
            ))
            .with_hint("Commit first, or write in two transactions."));
        }
        if self.last_source.as_ref() != Some(name) || !self.last_route.starts_with("relay") {
            self.last_route = format!("relay: all that it names is of source \"{name}\"");
            self.last_source = Some(name.clone());
        }
        let known = self.at_source(name)?;
        let settings = &known.settings;
        let read_only = !self.postgres(name)?.is_writable();
        let at = match self.relays.attached.iter().position(|a| a.source == *name) {
            Some(at) => at,
            None => self.lease(name, &known).await?,
        };
        let in_block = self.begins_block();
        let begins = in_block && self.relays.attached[at].block == Block::Closed;
        let begin = begins.then(|| self.opening(name));
        let attached = &mut self.relays.attached[at];
        if !attached.is_in_hand() {
            Box::pin(attached.hold()).await?;
        }
        let batch = attached.batch;
        let lease = attached.lease()?;
        if batch == Batch::Ended {
            lease.apply(settings);
        }
        match begin {
            Some(text) => {
                lease.tell(&text);
                attached.block = Block::Open;
            }
            // what is kept may have been told to write
            None if !in_block
                && read_only
                && batch == Batch::Ended
                && lease.taint_reason().is_some() =>
            {
                lease.tell("SET SESSION default_transaction_read_only = on");
            }
            None => {}
        }
        attached.relations = known.relations;
        if writes {
            attached.wrote = Wrote::Something;
        }
        match relayed.effects {
            Effects::Plain => {}
            Effects::Taints => attached
                .lease()?
                .taint("a statement may have changed the session"),
            Effects::Keeps => {
                attached
                    .lease()?
                    .taint("a statement left something in the session");
                attached.keep = Keep::Session;
            }
        }
        Ok(())
    }

    /// Is the source's connection amid a batch, and told of everything before it?
    fn is_under_way(&self, name: &SourceName) -> bool {
        let begins = self.begins_block();
        self.relays.attached.iter().any(|attached| {
            attached.source == *name
                && attached.held.is_some()
                && attached.batch == Batch::Open
                && (attached.block == Block::Open || !begins)
        })
    }

    /// The connection to a source that is attached now.
    pub fn attached(&mut self, name: &SourceName) -> Option<&mut Attached> {
        self.relays
            .attached
            .iter_mut()
            .find(|attached| attached.source == *name)
    }

    /// Has a Sync ended all work at the sources?
    pub fn is_synced(&self) -> bool {
        let attached = &self.relays.attached;
        attached
            .iter()
            .all(|attached| attached.batch == Batch::Ended)
    }

    /// Sources whose connections have work that no Sync ended yet.
    pub fn unsynced(&self) -> Vec<SourceName> {
        self.relays
            .attached
            .iter()
            .filter(|attached| attached.batch == Batch::Open)
            .map(|attached| attached.source.clone())
            .collect()
    }

    async fn lease(&mut self, name: &SourceName, known: &AtSource) -> Result<usize> {
        let pool = self.postgres(name)?.relay();
        let role = pool.role(&self.identity.user);
        // what waits for nothing needs no room for the waiting
        let settings = &known.settings;
        let lease = match pool.lease_now(role, settings) {
            Some(lease) => lease,
            None => Box::pin(pool.lease(role, settings)).await?,
        };
        let shared: SharedLease = Arc::new(Mutex::new(Some(lease)));
        self.relays.attached.push(Attached {
            held: shared.clone().try_lock_owned().ok(),
            shared,
            source: name.clone(),
            relations: known.relations.clone(),
            batch: Batch::Ended,
            unnamed: None,
            block: Block::Closed,
            wrote: Wrote::Nothing,
            keep: Keep::Transaction,
        });
        Ok(self.relays.attached.len() - 1)
    }

    /// Connections without an open transaction go back to their pools. A source
    /// whose transaction failed fails the session's.
    pub fn settle(&mut self) {
        let mut failed = false;
        let mut at = 0;
        while at < self.relays.attached.len() {
            let attached = &mut self.relays.attached[at];
            match attached.settled() {
                Settled::Free => self.relays.attached.swap_remove(at).release(),
                Settled::Failed => {
                    failed = true;
                    at += 1;
                }
                Settled::Busy => at += 1,
            }
        }
        if failed {
            self.transaction.fail();
        }
    }

    /// In a transaction the engine reads a source over the transaction's own
    /// connection, and sees what it wrote there.
    pub(super) async fn pin(&mut self, planned: &Planned) -> Result<PinnedSources> {
        let mut pinned = PinnedSources::default();
        if !self.begins_block() {
            return Ok(pinned);
        }
        for name in &planned.sources {
            if self.postgres(name).is_err() {
                continue;
            }
            self.attach(&Relayed::scan(name.clone())).await?;
            let Some(attached) = self.attached(name) else {
                continue;
            };
            attached.held = None;
            pinned.0.push((name.clone(), attached.shared.clone()));
        }
        Ok(pinned)
    }

    /// A relayed statement ended well: what it did to the session's own names.
    pub fn relayed(&mut self, prepared: &Arc<Prepared>) {
        let Some(RelayPrepared { relayed, .. }) = &prepared.relay else {
            return;
        };
        if !relayed.temporary.is_empty() {
            if self.relays.temporary_at.as_ref() != Some(&relayed.source) {
                self.relays.forget_temporary();
                self.relays.temporary_at = Some(relayed.source.clone());
            }
            self.relays
                .temporary
                .extend(relayed.temporary.iter().cloned());
        }
        if let Some(name) = &relayed.closes {
            self.portals.remove(name);
        }
        match &relayed.kind {
            Kind::Declare { name, hold, .. } => {
                let hold = match hold {
                    plan::relay::Hold::Transaction => Hold::Transaction,
                    plan::relay::Hold::Session => Hold::Session,
                };
                let portal = Portal::declared(prepared.clone(), hold, self.transaction.depth());
                self.portals.remove(name);
                // a name in use would have been refused by the source
                let _ = self.portals.put(name, portal);
            }
            Kind::Define => self.engine.engine().refresh_soon(&relayed.source),
            _ => {}
        }
    }

    /// A source has not what a statement names: does it have something else now?
    pub fn suspect(&self, name: &SourceName) {
        self.engine.engine().suspect(name);
    }

    /// A connection that broke is forgotten; the source cancels what it ran.
    pub fn detach(&mut self, name: &SourceName) {
        if self.relays.temporary_at.as_ref() == Some(name) {
            self.relays.forget_temporary();
        }
        self.relays
            .attached
            .retain(|attached| attached.source != *name);
    }

    /// DISCARD TEMP, where there is something.
    pub(super) async fn discard_temporary(&mut self) -> Result<()> {
        let Some(name) = self.relays.temporary_at.clone() else {
            return Ok(());
        };
        if let Some(attached) = self.attached(&name) {
            attached.hold().await?;
            attached.lease()?.perform("DISCARD TEMP").await?;
        }
        self.relays.forget_temporary();
        Ok(())
    }

    /// DISCARD ALL: nothing of this session stays at the sources.
    pub(super) fn detach_all(&mut self) {
        self.relays.forget_temporary();
        for attached in self.relays.attached.drain(..) {
            attached.release();
        }
    }

    /// Does this session stay on its connection to the source?
    fn keeps(&self, name: &SourceName) -> bool {
        let mut attached = self.relays.attached.iter();
        attached.any(|attached| attached.source == *name && attached.keep == Keep::Session)
    }

    fn wrote_elsewhere(&self, name: &SourceName) -> Option<SourceName> {
        if !self.begins_block() {
            return None;
        }
        self.relays
            .attached
            .iter()
            .find(|attached| attached.wrote == Wrote::Something && attached.source != *name)
            .map(|attached| attached.source.clone())
    }

    /// Do statements now belong to a transaction of more than their own?
    pub(super) fn begins_block(&self) -> bool {
        matches!(self.transaction.state, State::Block(_)) || self.transaction.is_shared()
    }

    pub(super) fn postgres(&self, name: &SourceName) -> Result<&PostgresSource> {
        self.engine
            .engine()
            .source(name.as_str())
            .and_then(|source| source.as_postgres())
            .ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("there is no Postgres source \"{name}\""),
                )
            })
    }

    fn at_source(&mut self, name: &SourceName) -> Result<AtSource> {
        let version = self.settings.version();
        let catalog = self.engine.engine().catalog();
        if let Some(known) = self.relays.settings.get(name, version, &catalog) {
            return Ok(known);
        }
        let made = self.make_upstream_settings(name, &catalog)?;
        let made = self.postgres(name)?.relay().shared_settings(made);
        Ok(self.relays.settings.put(name, version, &catalog, made))
    }
}

/// Another statement of this client may have run on another connection, and this
/// one may have served another client.
fn not_recalled() -> Error {
    Error::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "currval and lastval are not defined outside of a transaction",
    )
    .with_hint(
        "Between transactions, connections to the source are shared. Call them in the transaction that advanced the sequence, or use RETURNING.",
    )
}
