//! The rows that deletes by key leave of a file's batches. Made when the file is
//! opened, applied to its stream.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::row::RowConverter;
use datafusion::physical_plan::metrics::Count;
use futures::{StreamExt, TryStreamExt, stream};

use super::equality::{KeySet, KeySets, comparable, converter};
use super::{CONCURRENT_READS, EqualityDeletes};
use crate::error::{Error, Result};

/// For batches whose last columns are those of keys.
#[derive(Debug)]
pub(in super::super) struct KeyFilter {
    keys: Vec<Key>,
    /// How many columns at the end are read for keys alone.
    extra: usize,
    deleted: Count,
}

/// The delete files with the same columns.
#[derive(Debug)]
struct Key {
    /// Positions among the extra columns.
    columns: Vec<usize>,
    converter: RowConverter,
    sets: Vec<Arc<KeySet>>,
}

impl KeyFilter {
    /// `extra` are the columns at the end of each batch, as positions in the snapshot.
    pub(in super::super) async fn read(
        sets: &KeySets,
        deletes: &[Arc<EqualityDeletes>],
        extra: &[usize],
        deleted: Count,
    ) -> Result<KeyFilter> {
        let mut keys: Vec<Key> = Vec::new();
        let mut reading = stream::iter(deletes.to_vec())
            .map(|deletes| async move {
                let set = sets.get(&deletes).await?;
                Ok::<_, Error>((deletes, set))
            })
            .buffered(CONCURRENT_READS);
        while let Some((deletes, set)) = reading.try_next().await? {
            let columns: Option<Vec<usize>> = deletes
                .columns
                .iter()
                .map(|column| extra.iter().position(|at| at == column))
                .collect();
            let columns = columns.ok_or_else(|| Error::internal("a key's column is not read"))?;
            match keys.iter_mut().find(|key| key.columns == columns) {
                Some(key) => key.sets.push(set),
                None => keys.push(Key {
                    columns,
                    converter: converter(sets.types(&deletes.columns))?,
                    sets: vec![set],
                }),
            }
        }
        Ok(KeyFilter {
            keys,
            extra: extra.len(),
            deleted,
        })
    }

    /// The rows that are left, without the extra columns.
    pub(in super::super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let kept = batch
            .num_columns()
            .checked_sub(self.extra)
            .ok_or_else(|| Error::internal("a key's column was not read"))?;
        let mut left = vec![true; batch.num_rows()];
        for key in &self.keys {
            let columns: Vec<ArrayRef> = key
                .columns
                .iter()
                .map(|column| batch.column(kept + column).clone())
                .collect();
            let rows = key.converter.convert_columns(&comparable(columns))?;
            for (left, row) in left.iter_mut().zip(rows.iter()) {
                *left = *left && !key.sets.iter().any(|set| set.contains(row.as_ref()));
            }
        }
        let batch = batch.project(&(0..kept).collect::<Vec<_>>())?;
        let gone = left.iter().filter(|left| !**left).count();
        if gone == 0 {
            return Ok(batch);
        }
        self.deleted.add(gone);
        Ok(filter_record_batch(&batch, &BooleanArray::from(left))?)
    }
}
