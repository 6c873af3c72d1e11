//! Which files of a snapshot can hold rows that satisfy a predicate, by
//! partition values and file statistics alone. Called by the scan.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::common::pruning::PruningStatistics;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::scalar::ScalarValue;

use super::{ColumnBounds, LakeFile};

/// The files that may hold a row for which `predicate`, an expression over
/// `schema`, is true.
pub(super) fn prune<'a>(
    files: Vec<&'a LakeFile>,
    schema: &SchemaRef,
    predicate: &Arc<dyn PhysicalExpr>,
) -> Vec<&'a LakeFile> {
    let builder = PruningPredicateBuilder::new().with_file_schema(schema.clone());
    let Some(pruning) = builder.build(predicate.clone()) else {
        return files;
    };
    let statistics = FileStatistics {
        files: &files,
        schema,
    };
    match pruning.prune(&statistics) {
        Ok(keep) => files
            .iter()
            .zip(keep)
            .filter_map(|(file, keep)| keep.then_some(*file))
            .collect(),
        // a predicate that cannot be decided from statistics decides nothing
        Err(_) => files,
    }
}

struct FileStatistics<'a> {
    files: &'a [&'a LakeFile],
    schema: &'a SchemaRef,
}

impl FileStatistics<'_> {
    fn values(
        &self,
        column: &Column,
        pick: impl Fn(&ColumnBounds) -> Option<&ScalarValue>,
    ) -> Option<ArrayRef> {
        let index = self.schema.index_of(&column.name).ok()?;
        let null = ScalarValue::try_from(self.schema.field(index).data_type()).ok()?;
        let values = self.files.iter().map(|file| {
            file.bounds
                .get(index)
                .and_then(&pick)
                .filter(|value| value.data_type() == null.data_type())
                .unwrap_or(&null)
                .clone()
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |bounds| bounds.min.as_ref())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |bounds| bounds.max.as_ref())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let index = self.schema.index_of(&column.name).ok()?;
        let counts: UInt64Array = self
            .files
            .iter()
            .map(|file| file.bounds.get(index).and_then(|bounds| bounds.nulls))
            .collect();
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts: UInt64Array = self.files.iter().map(|file| file.rows).collect();
        Some(Arc::new(counts))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
