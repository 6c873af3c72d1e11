//! The leaves of a physical plan that read a source: what each one runs, what
//! was kept here, and, once it ran, what it moved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use object_store::path::Path;

use crate::sources::lake;
use crate::sources::postgres::{PostgresScan, counted};

/// How a fragment's work is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    RemoteSql,
    Files,
}

impl What {
    pub(super) fn label(&self) -> &'static str {
        match self {
            What::RemoteSql => "Remote SQL",
            What::Files => "Files",
        }
    }
}

#[derive(Debug)]
pub(super) struct Fragment {
    /// The source, or the table where the source has several.
    pub source: String,
    pub kind: &'static str,
    pub what: What,
    pub text: String,
    /// Conditions that run here, with the reason.
    pub kept: Vec<String>,
    pub rows: usize,
    pub bytes: usize,
    /// How the source was read, where there is more to say.
    pub reading: Option<Reading>,
}

/// How a Postgres source was read.
#[derive(Debug)]
pub(super) struct Reading {
    /// That the fragment had for itself.
    pub connections: usize,
    /// Streams that took turns with other fragments on a connection.
    pub turns: usize,
    pub snapshot: Snapshot,
    pub keys: usize,
    /// Of all streams together.
    pub wait: Duration,
    pub read: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Snapshot {
    /// One stream's.
    Own,
    /// The same for all streams of the statement.
    Shared,
}

impl Snapshot {
    pub(super) fn label(self) -> &'static str {
        match self {
            Snapshot::Own => "own",
            Snapshot::Shared => "shared",
        }
    }
}

/// In the order of the plan, left to right.
pub(super) fn fragments(plan: &Arc<dyn ExecutionPlan>) -> Vec<Fragment> {
    let mut found = Vec::new();
    collect(plan, &mut found);
    found
}

fn collect(plan: &Arc<dyn ExecutionPlan>, found: &mut Vec<Fragment>) {
    if let Some(scan) = plan.downcast_ref::<PostgresScan>() {
        found.push(of_postgres(scan));
    } else if let Some(fragment) = plan.downcast_ref::<DataSourceExec>().and_then(of_files) {
        found.push(fragment);
    }
    for child in plan.children() {
        collect(child, found);
    }
}

fn of_postgres(scan: &PostgresScan) -> Fragment {
    Fragment {
        source: scan.source_name().to_string(),
        kind: "postgres",
        what: What::RemoteSql,
        text: scan.sql().to_string(),
        kept: scan.notes().to_vec(),
        rows: output_rows(scan),
        bytes: metric(scan, counted::BYTES),
        reading: Some(reading(scan)),
    }
}

fn reading(scan: &PostgresScan) -> Reading {
    let time = |name| Duration::from_nanos(metric(scan, name) as u64);
    Reading {
        connections: metric(scan, counted::CONNECTIONS),
        turns: metric(scan, counted::TURNS),
        snapshot: match metric(scan, counted::SNAPSHOTS) {
            0 => Snapshot::Own,
            _ => Snapshot::Shared,
        },
        keys: metric(scan, counted::KEYS),
        wait: time(counted::WAIT),
        read: time(counted::READ),
    }
}

fn of_files(scan: &DataSourceExec) -> Option<Fragment> {
    let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
    // the engine splits large files by byte range
    let read: HashMap<&Path, u64> = config
        .file_groups
        .iter()
        .flat_map(|group| group.iter())
        .map(|file| (&file.object_meta.location, file.object_meta.size))
        .collect();
    let (files, bytes) = (read.len(), read.values().sum::<u64>());
    let origin = lake::origin_of(config)?;
    Some(Fragment {
        source: origin.table.to_string(),
        kind: "lake",
        what: What::Files,
        text: format!(
            "{files} of {} at version {}, {bytes} bytes",
            origin.files, origin.version
        ),
        kept: Vec::new(),
        rows: output_rows(scan),
        bytes: metric(scan, "bytes_scanned"),
        reading: None,
    })
}

fn output_rows(plan: &dyn ExecutionPlan) -> usize {
    plan.metrics()
        .and_then(|metrics| metrics.output_rows())
        .unwrap_or(0)
}

fn metric(plan: &dyn ExecutionPlan, name: &str) -> usize {
    plan.metrics()
        .and_then(|metrics| metrics.sum_by_name(name))
        .map_or(0, |value| value.as_usize())
}
