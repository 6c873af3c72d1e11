//! Lake tables as `discover` lists them. Called by the formats.

use std::sync::Arc;

use futures::StreamExt;

use super::{LakeTable, Snapshot, SnapshotReader, column};
use crate::error::Error;
use crate::names::{RelationName, SourceName};
use crate::sources::{Column, RelationKind, Table, TableState};

/// Tables that are read at the same time.
const CONCURRENT_TABLES: usize = 8;

/// Reads each table, in order; one that cannot be read is listed as broken.
pub async fn list<R>(source: &SourceName, tables: Vec<(RelationName, Arc<R>)>) -> Vec<Table>
where
    R: SnapshotReader + 'static,
{
    futures::stream::iter(tables)
        .map(|(name, reader)| async move {
            match reader.snapshot().await {
                Ok(snapshot) => ready(name, source.clone(), &snapshot, reader),
                Err(error) => broken(name, source.clone(), error),
            }
        })
        .buffered(CONCURRENT_TABLES)
        .collect()
        .await
}

/// A table whose provider comes when it is asked for; its columns are those of the
/// version that was read last, if one was.
pub fn listed(
    name: RelationName,
    source: SourceName,
    last: Option<&Snapshot>,
    state: TableState,
) -> Table {
    let unread = Table {
        state,
        ..unread(name, source)
    };
    match last {
        None => unread,
        Some(snapshot) => Table {
            columns: columns(snapshot),
            rows: snapshot.rows(),
            bytes: Some(snapshot.bytes()),
            comment: snapshot.comment.clone(),
            ..unread
        },
    }
}

/// A table that was read: its columns, counts and provider.
fn ready(
    name: RelationName,
    source: SourceName,
    snapshot: &Snapshot,
    reader: Arc<dyn SnapshotReader>,
) -> Table {
    let provider = LakeTable::new(name.clone(), snapshot.schema.clone(), reader);
    Table {
        columns: columns(snapshot),
        rows: snapshot.rows(),
        bytes: Some(snapshot.bytes()),
        comment: snapshot.comment.clone(),
        state: TableState::Ready(Arc::new(provider)),
        ..unread(name, source)
    }
}

fn broken(name: RelationName, source: SourceName, error: Error) -> Table {
    Table {
        state: TableState::Broken(Arc::new(error)),
        ..unread(name, source)
    }
}

fn columns(snapshot: &Snapshot) -> Vec<Column> {
    let comments = snapshot.column_comments.iter().cloned();
    snapshot
        .schema
        .fields()
        .iter()
        .zip(comments.chain(std::iter::repeat(None)))
        .map(|(field, comment)| column(field, comment))
        .collect()
}

fn unread(name: RelationName, source: SourceName) -> Table {
    Table {
        state: TableState::Broken(Arc::new(Error::internal(format!("{name} was not read")))),
        name,
        source,
        kind: RelationKind::Table,
        columns: Vec::new(),
        keys: Vec::new(),
        rows: None,
        bytes: None,
        comment: None,
    }
}
