//! Readings by the shape of the text, for all sessions. A text whose shape is
//! known costs a scan of its tokens and one copy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Reading;
use super::names::Names;
use super::rewritten::Rewritten;
use super::shape::Shape;
use super::statement::Reason;
use super::template::Template;
use super::walk;

/// Locks, so that sessions rarely wait for each other.
const SHARDS: usize = 8;

/// Of all sessions: as many shapes, and again as many that were used lately.
const MAX_ENTRIES: usize = 2_048;
const MAX_BYTES: usize = 4 << 20;

/// Shared by all sessions; a lookup holds one of several locks for a moment.
pub struct Cache {
    shards: [Mutex<Shard>; SHARDS],
}

/// What a shape is read as.
#[derive(Clone)]
enum Entry {
    Relay(Arc<Template>),
    Engine(Arc<Reason>),
    /// The values of these tokens belong to the key.
    Decisive(Arc<[u32]>),
}

/// Two generations: when the young one is full the old one is forgotten. What is
/// found in the old one is young again.
#[derive(Default)]
struct Shard {
    young: HashMap<Box<[u8]>, Entry>,
    old: HashMap<Box<[u8]>, Entry>,
    bytes: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Cache {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Cache {
    /// What `read` answers. `epoch` stands for the names: it differs where the
    /// catalog snapshot, the search_path or the database do.
    pub fn lookup_or_read(&self, text: &str, names: &Names, epoch: u64) -> Reading {
        let Some(mut shape) = Shape::of(text, epoch) else {
            return super::read(text, names);
        };
        let mut decided = false;
        let mut known = self.find(&shape.key);
        if let Some(Entry::Decisive(tokens)) = known {
            decided = true;
            shape.decide(text, &tokens);
            known = self.find(&shape.key);
        }
        match known {
            Some(Entry::Relay(template)) => {
                Reading::Relay(template.statement.clone(), template.apply(text, &shape))
            }
            Some(Entry::Engine(reason)) => Reading::Engine(reason),
            _ => self.read(text, names, shape, decided),
        }
    }

    /// Reads the text and remembers it. `decided`: the values that matter are in
    /// the shape's key already.
    fn read(&self, text: &str, names: &Names, mut shape: Shape, decided: bool) -> Reading {
        let read = walk::read(text, names);
        let mut decisive: Vec<u32> = Vec::new();
        for at in &read.decisive {
            match shape.starting(*at) {
                Some(token) => decisive.push(token),
                // Not a token of ours: not to be remembered.
                None => return super::finish(text, read),
            }
        }
        decisive.sort_unstable();
        decisive.dedup();
        if !decisive.is_empty() && !decided {
            self.insert(&shape.key, Entry::Decisive(decisive.as_slice().into()));
            shape.decide(text, &decisive);
        }
        match read.outcome {
            Ok(relayed) => {
                let statement = Arc::new(relayed.statement);
                let rewritten = Rewritten::new(text, &relayed.edits);
                if let Some(template) = Template::new(statement.clone(), &shape, &relayed.edits) {
                    self.insert(&shape.key, Entry::Relay(Arc::new(template)));
                }
                Reading::Relay(statement, rewritten)
            }
            Err(reason) => {
                let reason = Arc::new(reason);
                // What is wrong may lie in a constant.
                if !matches!(*reason, Reason::NotUnderstood(_) | Reason::TooDeep) {
                    self.insert(&shape.key, Entry::Engine(reason.clone()));
                }
                Reading::Engine(reason)
            }
        }
    }

    fn find(&self, key: &[u8]) -> Option<Entry> {
        let mut shard = self.shard(key);
        if let Some(entry) = shard.young.get(key) {
            return Some(entry.clone());
        }
        let (key, entry) = shard.old.remove_entry(key)?;
        shard.insert(key, entry.clone());
        Some(entry)
    }

    /// How many shapes are remembered.
    pub fn len(&self) -> usize {
        let shards = self.shards.iter();
        let lengths = shards.map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.len()
        });
        lengths.sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert(&self, key: &[u8], entry: Entry) {
        self.shard(key).insert(key.into(), entry);
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        // any spread will do: the shard's own map hashes well
        let spread = key.iter().rev().take(16);
        let at = spread.fold(key.len(), |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        });
        self.shards[at % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        match self {
            Entry::Relay(template) => template.bytes(),
            Entry::Engine(_) => 128,
            Entry::Decisive(tokens) => 32 + tokens.len() * 4,
        }
    }
}

impl Shard {
    fn insert(&mut self, key: Box<[u8]>, entry: Entry) {
        self.bytes += key.len() + entry.bytes();
        self.young.insert(key, entry);
        if self.young.len() > MAX_ENTRIES / SHARDS || self.bytes > MAX_BYTES / SHARDS {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }
}
