//! What one statement reads from Postgres sources, known before it starts: how
//! many streams each source serves, so that they see one snapshot and share its
//! connections. It travels with the statement's task. Made by `execute`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;

use super::PostgresSource;
use super::places::Places;
use super::portal::PinnedSources;
use super::reading::Polled;
use super::scan::PostgresScan;
use super::snapshot::{SourceRead, Streams};
use super::work::Work;
use crate::names::SourceName;

/// How a session wants its sources to be read. It is in the session's config.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Connections that one scan reads over at the same time.
    pub parallel_reads: usize,
    /// How long a scan waits for the keys of a join; `None`: it sends none.
    pub join_keys_wait: Option<Duration>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            parallel_reads: 1,
            join_keys_wait: None,
        }
    }
}

#[derive(Debug)]
pub struct StatementReads {
    sources: BTreeMap<SourceName, Arc<SourceRead>>,
    /// By the number of the scan.
    work: Mutex<HashMap<u64, Arc<Work>>>,
    /// The filters that joins fill once, before their other side is needed.
    join_filters: HashSet<u64>,
    options: ReadOptions,
    polled: Polled,
}

#[derive(Debug)]
struct Found {
    source: Arc<PostgresSource>,
    fragments: usize,
    streams: usize,
    times: Times,
}

/// How often the plan may read a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    Unknown,
}

impl StatementReads {
    /// `pinned` sources are read over the connection of the client's transaction.
    pub fn of_plan(
        plan: &Arc<dyn ExecutionPlan>,
        pinned: &PinnedSources,
        options: ReadOptions,
    ) -> StatementReads {
        let mut found = BTreeMap::new();
        let mut join_filters = HashSet::new();
        collect(plan, Times::Once, &mut found, &mut join_filters);
        found.retain(|name, _| pinned.of(name).is_none());
        let places = Places::new(found.values().map(|found| &found.source));
        let sources = found.into_iter().map(|(name, found)| {
            let streams = match found.times {
                Times::Unknown => Streams::Unknown,
                Times::Once if found.streams == 1 => Streams::One,
                Times::Once => Streams::Several(found.fragments),
            };
            let read = SourceRead::new(found.source, streams, places.clone());
            (name, Arc::new(read))
        });
        StatementReads {
            sources: sources.collect(),
            work: Mutex::default(),
            join_filters,
            options,
            polled: match plan.downcast_ref::<PostgresScan>() {
                Some(scan) if scan.streams() == 1 => Polled::Always,
                _ => Polled::Perhaps,
            },
        }
    }

    pub(super) fn source(&self, name: &SourceName) -> Option<Arc<SourceRead>> {
        self.sources.get(name).cloned()
    }

    pub(super) fn work(&self, scan: u64) -> Arc<Work> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        work.entry(scan).or_default().clone()
    }

    /// Is it filled by a join of this statement, once?
    pub(super) fn is_of_a_join(&self, filter: Option<u64>) -> bool {
        filter.is_some_and(|filter| self.join_filters.contains(&filter))
    }

    pub(super) fn polled(&self) -> Polled {
        self.polled
    }

    pub(super) fn options(&self) -> &ReadOptions {
        &self.options
    }
}

/// A scan outside of a statement: it has a connection for itself.
pub(super) fn alone(source: &Arc<PostgresSource>) -> Arc<SourceRead> {
    let places = Places::new(std::iter::once(source));
    Arc::new(SourceRead::new(source.clone(), Streams::One, places))
}

fn collect(
    plan: &Arc<dyn ExecutionPlan>,
    times: Times,
    found: &mut BTreeMap<SourceName, Found>,
    join_filters: &mut HashSet<u64>,
) {
    if let Some(scan) = plan.downcast_ref::<PostgresScan>() {
        let of_source = found
            .entry(scan.source_name().clone())
            .or_insert_with(|| Found {
                source: scan.source().clone(),
                fragments: 0,
                streams: 0,
                times: Times::Once,
            });
        of_source.fragments += 1;
        of_source.streams += scan.streams();
        if times == Times::Unknown {
            of_source.times = times;
        }
    }
    // One runs its recursive part until it gives nothing new, the other its left
    // side again when it does not fit in memory.
    let repeats = plan.downcast_ref::<RecursiveQueryExec>().is_some()
        || plan.downcast_ref::<NestedLoopJoinExec>().is_some();
    let times = if repeats { Times::Unknown } else { times };
    if times == Times::Once && plan.downcast_ref::<HashJoinExec>().is_some() {
        let filters = plan.dynamic_expressions_produced();
        join_filters.extend(filters.iter().filter_map(|filter| filter.expression_id()));
    }
    for child in plan.children() {
        collect(child, times, found, join_filters);
    }
}
