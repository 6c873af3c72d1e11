//! The versions that a Delta log still has, and when each was committed. Called
//! where a statement asks for an older version; reads no files of the table.
//!
//! A commit's time is the modification time of its file, or the one inside it
//! where the table says so ("In-Commit Timestamps" of the Delta protocol).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use crate::error::{Error, Result, SqlState};
use crate::names::RelationName;
use crate::sources::lake::{At, check_past, millis_text, no_such_version};
use crate::sources::object_store::{Location, read_error};

/// Bytes of a commit that are read from each of its ends.
const PIECE: u64 = 1 << 20;

/// Where a table's commits say when they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommitTimes {
    OfFiles,
    /// Inside of commits, since this version.
    Inside {
        since: i64,
    },
}

impl CommitTimes {
    pub(super) fn of(properties: &std::collections::HashMap<String, String>) -> CommitTimes {
        let property = |name: &str| properties.get(name).map(String::as_str);
        if property("delta.enableInCommitTimestamps") != Some("true") {
            return CommitTimes::OfFiles;
        }
        let since = property("delta.inCommitTimestampEnablementVersion");
        CommitTimes::Inside {
            since: since.and_then(|text| text.parse().ok()).unwrap_or(0),
        }
    }
}

/// What is in a table's log.
#[derive(Debug)]
pub(super) struct Log {
    /// Modification times in ms since 1970, made to grow with the versions.
    pub(super) commits: BTreeMap<i64, i64>,
    /// The first version that can still be put together.
    earliest: i64,
    latest: i64,
}

impl Log {
    /// 58030 where the log cannot be listed.
    pub(super) async fn list(table: &RelationName, location: &Location) -> Result<Log> {
        let folder = folder(location);
        let failed = |error| read_error(location.store.show(&folder), table, &error);
        let mut commits = BTreeMap::new();
        let mut checkpoints = BTreeSet::new();
        let mut objects = location.store.store.list(Some(&folder));
        while let Some(object) = objects.try_next().await.map_err(failed)? {
            // what lies in folders of its own is not committed
            if object.location.parts_count() != folder.parts_count() + 1 {
                continue;
            }
            match object.location.filename().and_then(entry) {
                Some(Entry::Commit(version)) => {
                    commits.insert(version, object.last_modified.timestamp_millis());
                }
                Some(Entry::Checkpoint(version)) => {
                    checkpoints.insert(version);
                }
                None => {}
            }
        }
        Ok(Log::of(commits, &checkpoints))
    }

    fn of(mut commits: BTreeMap<i64, i64>, checkpoints: &BTreeSet<i64>) -> Log {
        let latest = commits.last_key_value().map_or(-1, |(version, _)| *version);
        let mut first = latest;
        while commits.contains_key(&(first - 1)) {
            first -= 1;
        }
        let whole = |checkpoint: &&i64| **checkpoint >= first - 1 && **checkpoint <= latest;
        let earliest = match first {
            0 => 0,
            _ => checkpoints
                .iter()
                .find(whole)
                .copied()
                // nothing can be put together: any version will say why
                .unwrap_or(latest),
        };
        let mut before = i64::MIN;
        for millis in commits.values_mut() {
            *millis = (*millis).max(before.saturating_add(1));
            before = *millis;
        }
        Log {
            commits,
            earliest,
            latest,
        }
    }

    /// The version that `at` means; 22023 where the log has it no more, or not yet.
    pub(super) async fn version(
        &self,
        table: &RelationName,
        location: &Location,
        times: CommitTimes,
        at: &At,
    ) -> Result<i64> {
        check_past(table, at)?;
        let found = match at {
            At::Version(version) => Some(*version),
            At::Name(text) => match text.parse() {
                Ok(version) => Some(version),
                Err(_) => return Err(no_names(table, at)),
            },
            At::Tag(_) | At::Branch(_) => return Err(no_names(table, at)),
            At::Time(time) => self.as_of(table, location, times, *time).await?,
        };
        let kept = self.earliest..=self.latest;
        match found.filter(|version| kept.contains(version)) {
            Some(version) => Ok(version),
            None => {
                let first = self.shown(table, location, times, self.earliest).await?;
                let last = self.shown(table, location, times, self.latest).await?;
                Err(no_such_version(table, at)
                    .with_hint(format!("Versions that are kept: {first} to {last}.")))
            }
        }
    }

    /// The last version that was committed by then.
    async fn as_of(
        &self,
        table: &RelationName,
        location: &Location,
        times: CommitTimes,
        time: DateTime<Utc>,
    ) -> Result<Option<i64>> {
        let asked = time.timestamp_millis();
        let versions: Vec<i64> = self.commits.keys().copied().collect();
        let (mut low, mut high) = (0, versions.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let millis = self
                .millis(table, location, times, versions[middle])
                .await?;
            match millis.is_some_and(|millis| millis <= asked) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low.checked_sub(1).map(|last| versions[last]))
    }

    /// When a version was committed; `None` where its commit is kept no more.
    pub(super) async fn millis(
        &self,
        table: &RelationName,
        location: &Location,
        times: CommitTimes,
        version: i64,
    ) -> Result<Option<i64>> {
        match (self.commits.get(&version), times) {
            (Some(_), CommitTimes::Inside { since }) if version >= since => {
                let info = commit_info(table, location, version).await?;
                let millis = info["inCommitTimestamp"].as_i64();
                millis
                    .map(Some)
                    .ok_or_else(|| malformed(table, location, version))
            }
            (millis, _) => Ok(millis.copied()),
        }
    }

    async fn shown(
        &self,
        table: &RelationName,
        location: &Location,
        times: CommitTimes,
        version: i64,
    ) -> Result<String> {
        Ok(match self.millis(table, location, times, version).await? {
            Some(millis) => format!("{version} of {}", millis_text(millis)),
            None => version.to_string(),
        })
    }
}

/// What a commit says of itself; `Null` where it says nothing.
pub(super) async fn commit_info(
    table: &RelationName,
    location: &Location,
    version: i64,
) -> Result<Value> {
    let path = folder(location).join(format!("{version:020}.json"));
    let failed = |error| read_error(location.store.show(&path), table, &error);
    let store = &location.store.store;
    let size = store.head(&path).await.map_err(failed)?.size;
    // most writers begin with it, some end with it
    let ends = [0..size.min(PIECE), size.saturating_sub(PIECE)..size];
    let pieces = if size > PIECE { 2 } else { 1 };
    for piece in ends.into_iter().take(pieces) {
        let bytes = store.get_range(&path, piece).await.map_err(failed)?;
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Ok(Value::Object(mut action)) = serde_json::from_slice::<Value>(line)
                && let Some(info) = action.remove("commitInfo")
            {
                return Ok(info);
            }
        }
    }
    Ok(Value::Null)
}

enum Entry {
    Commit(i64),
    Checkpoint(i64),
}

/// Of `00000000000000000012.json` and `00000000000000000010.checkpoint…`.
fn entry(name: &str) -> Option<Entry> {
    let (digits, rest) = name.split_at_checked(20)?;
    let version = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    match rest {
        ".json" => Some(Entry::Commit(version)),
        _ if rest.starts_with(".checkpoint.") => Some(Entry::Checkpoint(version)),
        _ => None,
    }
}

fn folder(location: &Location) -> Path {
    location.path.clone().join("_delta_log")
}

fn no_names(table: &RelationName, at: &At) -> Error {
    no_such_version(table, at)
        .with_hint("Delta tables have numbered versions, no tags or branches.")
}

fn malformed(table: &RelationName, location: &Location, version: i64) -> Error {
    Error::new(
        SqlState::DATA_CORRUPTED,
        format!(
            "commit {version} of the Delta log \"{location}/_delta_log\" of table \"{table}\" does not say when it was made"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_put_together_is_what_is_kept() {
        let log = |commits: std::ops::RangeInclusive<i64>, checkpoints: &[i64]| {
            let commits = commits.map(|version| (version, 7)).collect();
            let log = Log::of(commits, &checkpoints.iter().copied().collect());
            (log.earliest, log.latest)
        };
        assert_eq!(log(0..=4, &[2]), (0, 4));
        assert_eq!(log(5..=9, &[2, 4, 8]), (4, 9));
        assert_eq!(log(5..=9, &[2, 8]), (8, 9));
        let commits = BTreeMap::from([(0, 1), (1, 1), (2, 0), (3, 9)]);
        let times: Vec<i64> = Log::of(commits, &BTreeSet::new())
            .commits
            .into_values()
            .collect();
        assert_eq!(times, [1, 2, 3, 9]);
    }
}
