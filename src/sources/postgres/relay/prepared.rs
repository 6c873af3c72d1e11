//! Prepared statements that outlive the connection they were first parsed on: one
//! name for the same text on all of a source's connections, and on each of them
//! the most recently used ones. Used by `pool` and `connection`.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::settings::UpstreamSettings;

/// On one connection: the source keeps a plan for each.
const MOST_ON_A_CONNECTION: usize = 256;
/// In the registry, as long as no client holds them.
const MOST_SHARED: usize = 4096;
/// Longer texts are not worth finding again.
const LONGEST_SHARED: usize = 64 << 10;

/// One text with its parameter types, as parsed under settings that may change
/// what it means.
#[derive(Debug)]
pub struct Statement {
    id: u64,
    name: Box<str>,
    sql: Box<str>,
    oids: Box<[u32]>,
    /// Names and literals are resolved by Parse: those in force then.
    settings: Arc<UpstreamSettings>,
    /// Its columns, once a connection told them.
    columns: OnceLock<Box<[u8]>>,
    /// Its columns are no longer what whoever prepared it was told.
    stale: AtomicBool,
}

impl Statement {
    /// What the source knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn sql(&self) -> &str {
        &self.sql
    }

    pub fn oids(&self) -> &[u32] {
        &self.oids
    }

    /// Would it be the same statement under these settings?
    pub fn fits(&self, settings: &Arc<UpstreamSettings>) -> bool {
        Arc::ptr_eq(&self.settings, settings) || self.settings.parses_as(settings)
    }

    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Would whoever knows the one be told the same of the other?
    pub fn has_columns_of(&self, other: &Statement) -> bool {
        match (self.columns.get(), other.columns.get()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    pub fn is_described(&self) -> bool {
        self.columns.get().is_some()
    }

    /// A connection parsed it and tells its columns: the body of RowDescription, or
    /// of NoData. They are what they were, or it is stale.
    pub(super) fn described(&self, body: &[u8]) {
        let columns = without_origins(body);
        if **self.columns.get_or_init(|| columns.clone()) != *columns {
            self.stale.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }
}

/// RowDescription's names, types and modifiers, of which Postgres says "cached plan
/// must not change result type"; a table that was made anew is no change. Each
/// column is its name, table (i32), number (i16), type (i32), length (i16), modifier
/// (i32) and format (i16): section 55.7 "Message Formats".
fn without_origins(body: &[u8]) -> Box<[u8]> {
    const ORIGIN: usize = 4 + 2;
    const TYPE: usize = 4 + 2 + 4 + 2;
    let mut kept = Vec::with_capacity(body.len());
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let (name, after) = rest.split_at(end + 1);
        kept.extend_from_slice(name);
        kept.extend_from_slice(after.get(ORIGIN..ORIGIN + TYPE).unwrap_or_default());
        rest = after.get(ORIGIN + TYPE..).unwrap_or_default();
    }
    kept.into()
}

pub(super) fn name_of(id: u64) -> String {
    format!("narrows_{id}")
}

/// All statements of a source, by what they mean.
#[derive(Debug, Default)]
pub(super) struct Statements {
    last: AtomicU64,
    shared: Mutex<HashMap<u64, Vec<Arc<Statement>>>>,
}

impl Statements {
    /// What `sql` reads was altered: whoever prepares it from now on gets a
    /// statement that no connection knows.
    pub fn forget(&self, sql: &str) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|_, same| {
            same.retain(|statement| {
                let gone = *statement.sql == *sql;
                statement.stale.fetch_or(gone, Ordering::Relaxed);
                !gone
            });
            !same.is_empty()
        });
    }

    /// The same statement for the same text, types and settings.
    pub fn intern(
        &self,
        sql: &str,
        oids: &[u32],
        settings: &Arc<UpstreamSettings>,
    ) -> Arc<Statement> {
        let mut hasher = DefaultHasher::new();
        (sql, oids).hash(&mut hasher);
        settings.hash_of_parsing().hash(&mut hasher);
        let key = hasher.finish();
        // A panic elsewhere cannot have left the map half changed.
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let found = shared.get_mut(&key).and_then(|same| {
            same.retain(|statement| !statement.is_stale());
            same.iter().find(|statement| {
                *statement.sql == *sql
                    && *statement.oids == *oids
                    && statement.settings.parses_as(settings)
            })
        });
        if let Some(found) = found {
            return found.clone();
        }
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let statement = Arc::new(Statement {
            id,
            name: name_of(id).into(),
            sql: sql.into(),
            oids: oids.into(),
            settings: settings.clone(),
            columns: OnceLock::new(),
            stale: AtomicBool::new(false),
        });
        if sql.len() <= LONGEST_SHARED {
            if shared.len() >= MOST_SHARED {
                shared.retain(|_, same| same.iter().any(|held| Arc::strong_count(held) > 1));
            }
            if shared.len() < MOST_SHARED {
                shared.entry(key).or_default().push(statement.clone());
            }
        }
        statement
    }
}

/// Which statements one connection knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Statement → when it was used last.
    used: HashMap<u64, u64>,
    clock: u64,
}

impl Known {
    pub fn touch(&mut self, id: u64) -> bool {
        self.clock += 1;
        match self.used.get_mut(&id) {
            Some(used) => {
                *used = self.clock;
                true
            }
            None => false,
        }
    }

    pub fn contains(&self, id: u64) -> bool {
        self.used.contains_key(&id)
    }

    /// The statement that has to go for it.
    pub fn insert(&mut self, id: u64) -> Option<u64> {
        let mut evicted = None;
        if self.used.len() >= MOST_ON_A_CONNECTION {
            let oldest = self.used.iter().min_by_key(|(_, used)| **used);
            evicted = oldest.map(|(id, _)| *id);
            evicted.map(|id| self.used.remove(&id));
        }
        self.clock += 1;
        self.used.insert(id, self.clock);
        evicted
    }

    pub fn forget(&mut self, id: u64) {
        self.used.remove(&id);
    }

    pub fn clear(&mut self) {
        self.used.clear();
    }

    pub fn len(&self) -> usize {
        self.used.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Arc<UpstreamSettings> {
        UpstreamSettings::new(pairs.iter().copied()).expect("valid")
    }

    #[test]
    fn what_was_altered_is_prepared_under_another_name() {
        let statements = Statements::default();
        let utc = settings(&[("TimeZone", "UTC")]);
        let one = statements.intern("TABLE t", &[], &utc);
        let other = statements.intern("TABLE u", &[], &utc);
        statements.forget("TABLE t");
        assert!(one.is_stale() && !other.is_stale());
        let again = statements.intern("TABLE t", &[], &utc);
        assert!(again.id() != one.id() && !again.is_stale());
        assert_eq!(statements.intern("TABLE u", &[], &utc).id(), other.id());
    }

    #[test]
    fn other_columns_make_a_statement_stale() {
        let column = |name: &str, table: u32, kind: u32| {
            let mut body = vec![0, 1];
            body.extend_from_slice(name.as_bytes());
            body.push(0);
            body.extend_from_slice(&table.to_be_bytes());
            body.extend_from_slice(&[0, 1]);
            body.extend_from_slice(&kind.to_be_bytes());
            body.extend_from_slice(&[0, 4, 255, 255, 255, 255, 0, 0]);
            body
        };
        let statements = Statements::default();
        let utc = settings(&[("TimeZone", "UTC")]);
        let first = column("id", 16_384, 23);
        for (second, stale) in [
            (column("id", 16_384, 23), false),
            (column("id", 16_999, 23), false),
            (column("id", 16_384, 25), true),
            (column("other", 16_384, 23), true),
            (Vec::new(), true),
        ] {
            let statement = statements.intern("TABLE t", &[], &utc);
            statement.described(&first);
            assert!(statement.is_described() && !statement.is_stale());
            statement.described(&second);
            assert_eq!(statement.is_stale(), stale, "{second:?}");
            let again = statements.intern("TABLE t", &[], &utc);
            assert_eq!(again.id() != statement.id(), stale);
        }
    }

    #[test]
    fn the_same_meaning_has_the_same_name() {
        let statements = Statements::default();
        let utc = settings(&[("TimeZone", "UTC"), ("statement_timeout", "1s")]);
        let patient = settings(&[("TimeZone", "UTC"), ("statement_timeout", "9s")]);
        let tokyo = settings(&[("TimeZone", "Asia/Tokyo")]);
        let one = statements.intern("SELECT $1", &[23], &utc);
        for (sql, oids, settings, same) in [
            ("SELECT $1", &[23][..], &utc, true),
            ("SELECT $1", &[23], &patient, true),
            ("SELECT $1", &[23], &tokyo, false),
            ("SELECT $1", &[25], &utc, false),
            ("SELECT $1 ", &[23], &utc, false),
        ] {
            let other = statements.intern(sql, oids, settings);
            assert_eq!(other.name() == one.name(), same, "{sql} {settings:?}");
        }
    }

    #[test]
    fn the_registry_is_bounded() {
        let statements = Statements::default();
        let none = settings(&[]);
        let kept = statements.intern("SELECT 'kept'", &[], &none);
        for i in 0..3 * MOST_SHARED {
            statements.intern(&format!("SELECT {i}"), &[], &none);
        }
        let count = statements.shared.lock().expect("whole").len();
        assert!(count <= MOST_SHARED, "{count}");
        let again = statements.intern("SELECT 'kept'", &[], &none);
        assert!(Arc::ptr_eq(&kept, &again));
    }

    #[test]
    fn the_least_recently_used_goes() {
        let mut known = Known::default();
        for id in 0..MOST_ON_A_CONNECTION as u64 {
            assert_eq!(known.insert(id), None);
        }
        assert!(known.touch(0));
        assert_eq!(known.insert(1000), Some(1));
        assert!(!known.touch(1));
        assert!(known.touch(0) && known.touch(1000));
        assert_eq!(known.len(), MOST_ON_A_CONNECTION);
    }
}
