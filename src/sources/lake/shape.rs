//! Files that one scan reads together: the same of their columns are constant,
//! and the same columns have keys of deletes. Called by the scan.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::table_schema::TableSchema;

use super::{LakeFile, Snapshot};

/// Columns are positions in the snapshot: visible ones, then hidden ones.
#[derive(Debug)]
pub(super) struct Shape {
    /// The reader's order: what the files hold, then what is constant.
    order: Vec<usize>,
    constants: usize,
    /// Whose keys rows are compared with; empty for most files.
    pub(super) keys: Vec<usize>,
}

/// There is one but where a table's partitioning has changed over time, or rows
/// of some files are deleted by key.
pub(super) fn by_shape<'a>(
    snapshot: &Snapshot,
    files: Vec<&'a LakeFile>,
) -> Vec<(Shape, Vec<&'a LakeFile>)> {
    let mut sets: BTreeMap<(Vec<usize>, Vec<usize>), Vec<&LakeFile>> = BTreeMap::new();
    let visible = snapshot.schema.fields().len();
    for file in files {
        let keys = file.key_columns();
        let constants = file.constants.iter().map(|(column, _)| *column);
        let constants = constants
            .filter(|column| *column < visible || keys.contains(column))
            .collect();
        sets.entry((constants, keys)).or_default().push(file);
    }
    sets.into_iter()
        .map(|((constants, keys), files)| (Shape::new(visible, &constants, keys), files))
        .collect()
}

impl Shape {
    fn new(visible: usize, constants: &[usize], keys: Vec<usize>) -> Self {
        let hidden = keys.iter().copied().filter(|column| *column >= visible);
        let stored = (0..visible)
            .chain(hidden)
            .filter(|column| !constants.contains(column));
        Shape {
            order: stored.chain(constants.iter().copied()).collect(),
            constants: constants.len(),
            keys,
        }
    }

    /// Where the reader has a column.
    pub(super) fn position(&self, column: usize) -> Option<usize> {
        self.order.iter().position(|at| *at == column)
    }

    pub(super) fn table_schema(&self, snapshot: &Snapshot) -> TableSchema {
        let all = snapshot.all_fields();
        let fields = |columns: &[usize]| -> Vec<FieldRef> {
            let fields = columns.iter().filter_map(|column| all.get(*column));
            fields.cloned().collect()
        };
        let (stored, constant) = self.order.split_at(self.order.len() - self.constants);
        TableSchema::builder(Arc::new(Schema::new(fields(stored))))
            .with_table_partition_cols(fields(constant))
            .build()
    }

    pub(super) fn partitioned_file(&self, file: &LakeFile, snapshot: &Snapshot) -> PartitionedFile {
        let (_, constants) = self.order.split_at(self.order.len() - self.constants);
        let values = file
            .constants
            .iter()
            .filter(|(column, _)| constants.contains(column))
            .map(|(_, value)| value.clone());
        let mut partitioned = PartitionedFile::new_from_meta(file.object.clone())
            .with_partition_values(values.collect());
        if let Some(deletes) = &file.deletes {
            partitioned = partitioned.with_extension(deletes.clone());
        }
        let statistics = file.statistics(&snapshot.schema);
        let of_column = |column: &usize| {
            let known = statistics.column_statistics.get(*column);
            known.cloned().unwrap_or_else(ColumnStatistics::new_unknown)
        };
        // set here and not by `with_statistics`, which takes partition values to be never NULL
        partitioned.statistics = Some(Arc::new(Statistics {
            column_statistics: self.order.iter().map(of_column).collect(),
            ..statistics
        }));
        partitioned
    }
}
