//! Which snapshot of an Iceberg table a statement asks for, and the schema that
//! it is read with. Called when a table is loaded; reads no manifests.
//!
//! By the rules of Iceberg's own library: a snapshot, a tag and an instant are
//! read with the schema of their snapshot, a branch with the table's present one.

use std::collections::BTreeMap;

use iceberg::spec::{SchemaRef, SnapshotRef, SnapshotReference, TableMetadata};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::names::RelationName;
use crate::sources::lake::{At, check_past, millis_text, no_such_version};

/// Tags and branches by their names.
pub(super) type Refs = BTreeMap<String, SnapshotReference>;

/// Of names that a hint lists.
const MOST_NAMES: usize = 20;

/// What is read of a table.
#[derive(Debug)]
pub(super) struct Chosen {
    /// `None`: nothing was written yet.
    pub(super) snapshot: Option<SnapshotRef>,
    pub(super) schema: SchemaRef,
}

impl Chosen {
    pub(super) fn current(metadata: &TableMetadata) -> Chosen {
        Chosen {
            snapshot: metadata.current_snapshot().cloned(),
            schema: metadata.current_schema().clone(),
        }
    }

    /// Tells versions of one metadata file apart.
    pub(super) fn key(&self) -> (Option<i64>, i32) {
        let id = self
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.snapshot_id());
        (id, self.schema.schema_id())
    }
}

/// The references of a metadata file: the library keeps them to itself. Where the
/// file has none there is one, to the current snapshot.
pub(super) fn refs(json: &Value, metadata: &TableMetadata) -> Refs {
    let mut refs: Refs = json
        .get("refs")
        .and_then(|refs| serde_json::from_value(refs.clone()).ok())
        .unwrap_or_default();
    if let Some(current) = metadata.current_snapshot_id()
        && !refs.contains_key("main")
        && let Ok(main) =
            serde_json::from_value(serde_json::json!({ "snapshot-id": current, "type": "branch" }))
    {
        refs.insert("main".into(), main);
    }
    refs
}

/// 22023 where no such snapshot is kept.
pub(super) fn choose(
    table: &RelationName,
    metadata: &TableMetadata,
    refs: &Refs,
    at: &At,
) -> Result<Chosen> {
    check_past(table, at)?;
    let named = |name: &String, branch: Option<bool>| {
        let found = refs
            .get(name)
            .filter(|found| branch.is_none_or(|branch| found.is_branch() == branch))?;
        let snapshot = metadata.snapshot_by_id(found.snapshot_id)?.clone();
        Some((snapshot, found.is_branch()))
    };
    let of_snapshot = |snapshot| Some((snapshot, false));
    let found = match at {
        At::Version(version) => by_number(metadata, *version).and_then(of_snapshot),
        At::Time(time) => at_time(metadata, time.timestamp_millis()).and_then(of_snapshot),
        At::Name(name) => named(name, None).or_else(|| {
            let number = name.parse().ok()?;
            by_number(metadata, number).and_then(of_snapshot)
        }),
        At::Tag(name) => named(name, Some(false)),
        At::Branch(name) => named(name, Some(true)),
    };
    let Some((snapshot, is_branch)) = found else {
        return Err(unknown(table, metadata, refs, at));
    };
    let own = snapshot.schema_id().filter(|_| !is_branch);
    let schema = match own {
        Some(id) => metadata.schema_by_id(id).cloned().ok_or_else(|| {
            let error = no_such_version(table, at);
            error.with_detail(format!("Its schema {id} is no longer known."))
        })?,
        // the first version of the format did not record it
        None => metadata.current_schema().clone(),
    };
    Ok(Chosen {
        snapshot: Some(snapshot),
        schema,
    })
}

/// By its id; where no snapshot has that, by its sequence number, of which each
/// snapshot since version 2 of the format has its own.
fn by_number(metadata: &TableMetadata, number: i64) -> Option<SnapshotRef> {
    metadata.snapshot_by_id(number).cloned().or_else(|| {
        let mut numbered = metadata
            .snapshots()
            .filter(|snapshot| number > 0 && snapshot.sequence_number() == number);
        let only = numbered.next()?;
        numbered.next().is_none().then(|| only.clone())
    })
}

/// The snapshot that was current then, as the table's log says: one that was
/// rolled back counts for as long as it was current.
fn at_time(metadata: &TableMetadata, millis: i64) -> Option<SnapshotRef> {
    let entry = metadata
        .history()
        .iter()
        .filter(|entry| entry.timestamp_ms() <= millis)
        .max_by_key(|entry| entry.timestamp_ms())?;
    metadata.snapshot_by_id(entry.snapshot_id).cloned()
}

fn unknown(table: &RelationName, metadata: &TableMetadata, refs: &Refs, at: &At) -> Error {
    let error = no_such_version(table, at);
    match at {
        At::Version(_) => error.with_hint(range(metadata)),
        At::Time(_) => error.with_hint(logged(metadata)),
        At::Name(_) | At::Tag(_) | At::Branch(_) => error.with_hint(names(refs)),
    }
}

fn range(metadata: &TableMetadata) -> String {
    let mut snapshots: Vec<&SnapshotRef> = metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| snapshot.timestamp_ms());
    match (snapshots.first(), snapshots.last()) {
        (Some(first), Some(last)) => format!(
            "Snapshots that are kept: {}, from {} of {} to {} of {}.",
            snapshots.len(),
            first.snapshot_id(),
            millis_text(first.timestamp_ms()),
            last.snapshot_id(),
            millis_text(last.timestamp_ms()),
        ),
        _ => "Nothing was written to it yet.".to_string(),
    }
}

fn logged(metadata: &TableMetadata) -> String {
    let history = metadata.history();
    match (history.first(), history.last()) {
        (Some(first), Some(last)) => format!(
            "What is kept begins at {} with snapshot {}; the latest is {} of {}.",
            millis_text(first.timestamp_ms()),
            first.snapshot_id,
            last.snapshot_id,
            millis_text(last.timestamp_ms()),
        ),
        _ => "Nothing was written to it yet.".to_string(),
    }
}

fn names(refs: &Refs) -> String {
    let listed = |branch: bool| {
        let names: Vec<&str> = refs
            .iter()
            .filter(|(_, found)| found.is_branch() == branch)
            .map(|(name, _)| name.as_str())
            .collect();
        match names.len() {
            0 => "none".to_string(),
            count if count > MOST_NAMES => {
                format!(
                    "{} and {} more",
                    names[..MOST_NAMES].join(", "),
                    count - MOST_NAMES
                )
            }
            _ => names.join(", "),
        }
    };
    format!(
        "Its tags: {}. Its branches: {}.",
        listed(false),
        listed(true)
    )
}
