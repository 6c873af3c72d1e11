//! An Iceberg table at one metadata file: found on disk or in a store, or told by
//! a catalog service. Called by the table's reader at each statement; data files
//! are listed in `load`.

use std::sync::Arc;

use iceberg::spec::TableMetadata;
use object_store::path::Path;
use tokio::sync::OnceCell;

use super::Place;
use super::load::snapshot;
use super::metadata::{parse_metadata, read_metadata};
use super::paths::{metadata_file, one_spelling};
use super::rest::{LoadedTable, TableAnswer, VendedStore};
use super::versions::{Chosen, Refs, choose};
use crate::error::{Error, Result};
use crate::names::RelationName;
use crate::sources::lake::{At, Kept, Snapshot};
use crate::sources::object_store::{Location, Stores};

/// A metadata file is never changed once written.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) location: Location,
    pub(super) metadata_file: Path,
    pub(super) metadata: TableMetadata,
    pub(super) refs: Refs,
    /// Of the catalog's answer, so that it can say that nothing changed.
    tag: Option<String>,
    current: OnceCell<Arc<Snapshot>>,
    older: Kept<(Option<i64>, i32)>,
}

/// The table at its latest metadata file.
pub(super) async fn open(
    table: &RelationName,
    place: &Place,
    previous: Option<Arc<Opened>>,
) -> Result<Arc<Opened>> {
    match place {
        Place::At(location) => {
            let file = metadata_file(table, location).await?;
            match previous {
                Some(previous) if previous.metadata_file == file => Ok(previous),
                _ => {
                    let (metadata, refs) = read_metadata(table, location, &file).await?;
                    Ok(Opened::new(location.clone(), file, (metadata, refs), None))
                }
            }
        }
        Place::Catalog {
            table: listed,
            stores,
            storage,
        } => {
            let tag = previous
                .as_ref()
                .and_then(|previous| previous.tag.as_deref());
            match (listed.ask(tag).await?, previous) {
                (TableAnswer::Unchanged, Some(previous)) => Ok(previous),
                (TableAnswer::Unchanged, None) => {
                    Err(Error::internal(format!("{table} is unchanged since never")))
                }
                (TableAnswer::Loaded(answer), previous) => {
                    told(table, listed, answer, stores, storage.as_deref(), previous).await
                }
            }
        }
    }
}

/// The table as its catalog tells it, metadata included.
async fn told(
    table: &RelationName,
    listed: &Arc<VendedStore>,
    answer: LoadedTable,
    stores: &Stores,
    storage: Option<&str>,
    previous: Option<Arc<Opened>>,
) -> Result<Arc<Opened>> {
    let Some(place) = answer.metadata_location.as_deref().map(one_spelling) else {
        return Err(Error::unsupported(format!(
            "the catalog names no metadata file of table \"{table}\""
        )));
    };
    let location = listed.locate(&answer, &place, stores, storage).await?;
    let file = location.path.clone();
    match previous {
        Some(previous)
            if previous.metadata_file == file
                && previous.location.store.url == location.store.url =>
        {
            Ok(previous)
        }
        _ => {
            let shown = location.to_string();
            let read = parse_metadata(table, &shown, &answer.metadata)?;
            Ok(Opened::new(location, file, read, answer.tag))
        }
    }
}

impl Opened {
    fn new(
        location: Location,
        metadata_file: Path,
        (metadata, refs): (TableMetadata, Refs),
        tag: Option<String>,
    ) -> Arc<Opened> {
        Arc::new(Opened {
            location,
            metadata_file,
            metadata,
            refs,
            tag,
            current: OnceCell::new(),
            older: Kept::default(),
        })
    }

    /// The table as it is.
    pub(super) async fn current(&self, table: &RelationName) -> Result<Arc<Snapshot>> {
        let read = async || {
            let chosen = Chosen::current(&self.metadata);
            snapshot(table, self, &chosen).await.map(Arc::new)
        };
        self.current.get_or_try_init(read).await.cloned()
    }

    /// The table as it was; 22023 where that is not kept.
    pub(super) async fn at(&self, table: &RelationName, at: &At) -> Result<Arc<Snapshot>> {
        let chosen = choose(table, &self.metadata, &self.refs, at)?;
        let key = chosen.key();
        if let Some(kept) = self.older.find(&key) {
            return Ok(kept);
        }
        let snapshot = Arc::new(snapshot(table, self, &chosen).await?);
        self.older.keep(key, snapshot.clone());
        Ok(snapshot)
    }
}
