//! Lake tables as `discover` lists them. Called by the formats.

use std::sync::Arc;

use super::{LakeTable, Snapshot, SnapshotReader, column};
use crate::error::Error;
use crate::names::{RelationName, SourceName};
use crate::sources::{Column, RelationKind, Table, TableState};

/// A table that was read: its columns, counts and provider.
pub fn ready(
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

/// A table that cannot be read, with the columns that are known all the same.
pub fn broken(name: RelationName, source: SourceName, columns: Vec<Column>, error: Error) -> Table {
    Table {
        columns,
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
