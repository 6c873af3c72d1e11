//! Deleted positions → what the Parquet reader reads of a file. Called when a
//! file with deletes is opened.

use std::sync::Arc;

use datafusion::datasource::listing::FileRange;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::RowGroupMetaData;
use roaring::RoaringTreemap;

use super::{CONCURRENT_READS, FileDeletes, PositionDeletes, corrupt};
use crate::error::{Error, Result};
use crate::names::RelationName;

/// What is left of a file.
pub(in super::super) struct ReadPlan {
    pub(in super::super) access: ParquetAccessPlan,
    /// Rows that are not read, of the row groups that `range` takes.
    pub(in super::super) deleted: usize,
}

/// The rows that `deletes` leave of a file with these row groups. Those that do
/// not begin in `range`, which another reader takes, are left out. XX001 where a
/// position is past the file's end.
pub(in super::super) async fn read_plan(
    table: &RelationName,
    file: &str,
    deletes: &FileDeletes,
    row_groups: &[RowGroupMetaData],
    range: Option<&FileRange>,
) -> Result<ReadPlan> {
    let rows = row_groups.iter().map(rows_of).sum::<Result<u64>>()?;
    let mut all = Arc::new(RoaringTreemap::new());
    let reads: Vec<_> = deletes.positions.iter().cloned().map(read).collect();
    let mut reading = stream::iter(reads).buffered(CONCURRENT_READS);
    while let Some((deletes, positions)) = reading.try_next().await? {
        if let Some(last) = positions.max()
            && last >= rows
        {
            let why = format!("row {last} of \"{file}\", which has {rows} rows, is deleted");
            return Err(corrupt(table, &deletes.object(), why));
        }
        match all.is_empty() {
            true => all = positions,
            false => *Arc::make_mut(&mut all) |= positions.as_ref(),
        }
    }
    plan_of(&all, row_groups, range)
}

type Read = (Arc<dyn PositionDeletes>, Arc<RoaringTreemap>);

fn read(deletes: Arc<dyn PositionDeletes>) -> BoxFuture<'static, Result<Read>> {
    async move {
        let positions = deletes.positions().await?;
        Ok((deletes, positions))
    }
    .boxed()
}

fn plan_of(
    deleted: &RoaringTreemap,
    row_groups: &[RowGroupMetaData],
    range: Option<&FileRange>,
) -> Result<ReadPlan> {
    let mut access = Vec::with_capacity(row_groups.len());
    let mut count = 0;
    let mut first = 0;
    for group in row_groups {
        let next = first + rows_of(group)?;
        if range.is_some_and(|range| !begins_in(group, range)) {
            access.push(RowGroupAccess::Skip);
        } else {
            let (group, deleted) = access_of(deleted, first, next)?;
            access.push(group);
            count += deleted;
        }
        first = next;
    }
    Ok(ReadPlan {
        access: ParquetAccessPlan::new(access),
        deleted: count,
    })
}

/// Of the rows from `first` to before `next`, and how many of them are deleted.
fn access_of(deleted: &RoaringTreemap, first: u64, next: u64) -> Result<(RowGroupAccess, usize)> {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut at = first;
    let mut count = 0;
    let mut positions = deleted.iter();
    positions.advance_to(first);
    for position in positions.take_while(|position| *position < next) {
        if position > at {
            selectors.push(RowSelector::select(length(at, position)?));
        }
        match selectors.last_mut() {
            Some(last) if last.skip => last.row_count += 1,
            _ => selectors.push(RowSelector::skip(1)),
        }
        at = position + 1;
        count += 1;
    }
    if count == 0 {
        return Ok((RowGroupAccess::Scan, 0));
    }
    if at < next {
        selectors.push(RowSelector::select(length(at, next)?));
    }
    let access = match selectors.iter().all(|selector| selector.skip) {
        true => RowGroupAccess::Skip,
        false => RowGroupAccess::Selection(RowSelection::from(selectors)),
    };
    Ok((access, count))
}

/// As the engine decides which of a file's ranges a row group belongs to.
fn begins_in(group: &RowGroupMetaData, range: &FileRange) -> bool {
    let Some(column) = group.columns().first() else {
        return true;
    };
    let offset = column
        .dictionary_page_offset()
        .unwrap_or_else(|| column.data_page_offset());
    range.start <= offset && offset < range.end
}

fn rows_of(group: &RowGroupMetaData) -> Result<u64> {
    u64::try_from(group.num_rows()).map_err(|_| Error::internal("a row group of less than no rows"))
}

fn length(from: u64, to: u64) -> Result<usize> {
    usize::try_from(to - from).map_err(|error| Error::internal(error.to_string()))
}
