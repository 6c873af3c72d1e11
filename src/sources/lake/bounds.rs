//! What is known of a column in one file, as the formats' metadata say it, and
//! what of that the planner may believe.

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::scalar::ScalarValue;

/// Limits of a column's values in one file. Unknown is `None`, never a guess.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnBounds {
    /// At most the smallest value.
    pub min: Option<ScalarValue>,
    /// At least the largest value.
    pub max: Option<ScalarValue>,
    pub nulls: Option<u64>,
    pub tightness: Tightness,
}

/// Are `min` and `max` values of the column, or only limits (cut strings,
/// rounded timestamps)?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tightness {
    Exact,
    #[default]
    Wide,
}

impl ColumnBounds {
    /// Of a column that has this value in each of `rows` rows.
    pub fn constant(value: &ScalarValue, rows: Option<u64>) -> Self {
        if value.is_null() {
            return ColumnBounds {
                nulls: rows,
                ..ColumnBounds::default()
            };
        }
        ColumnBounds {
            min: Some(value.clone()),
            max: Some(value.clone()),
            nulls: Some(0),
            tightness: Tightness::Exact,
        }
    }

    /// Writers leave NaN out of the bounds, and Postgres sorts it above every
    /// number: without a count of NaN, a float column has no upper bound and
    /// its lower bound is no value to answer min() from.
    pub fn without_nan_knowledge(mut self, data_type: &DataType) -> Self {
        if data_type.is_floating() {
            self.max = None;
            self.tightness = Tightness::Wide;
            if self.min.as_ref().is_some_and(is_nan) {
                self.min = None;
            }
        }
        self
    }

    fn statistics(&self) -> ColumnStatistics {
        let precise = |value: &Option<ScalarValue>| match (value, self.tightness) {
            (None, _) => Precision::Absent,
            (Some(value), Tightness::Exact) => Precision::Exact(value.clone()),
            (Some(value), Tightness::Wide) => Precision::Inexact(value.clone()),
        };
        ColumnStatistics {
            min_value: precise(&self.min),
            max_value: precise(&self.max),
            null_count: self
                .nulls
                .and_then(|nulls| usize::try_from(nulls).ok())
                .map_or(Precision::Absent, Precision::Exact),
            ..ColumnStatistics::new_unknown()
        }
    }
}

pub(super) fn statistics(
    rows: Option<u64>,
    bounds: &[ColumnBounds],
    schema: &SchemaRef,
) -> Statistics {
    let mut column_statistics: Vec<_> = bounds.iter().map(ColumnBounds::statistics).collect();
    column_statistics.resize_with(schema.fields().len(), ColumnStatistics::new_unknown);
    let mut statistics = Statistics {
        num_rows: rows
            .and_then(|rows| usize::try_from(rows).ok())
            .map_or(Precision::Absent, Precision::Exact),
        total_byte_size: Precision::Absent,
        column_statistics,
    };
    statistics.calculate_total_byte_size(schema);
    statistics
}

fn is_nan(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float32(Some(value)) => value.is_nan(),
        ScalarValue::Float64(Some(value)) => value.is_nan(),
        _ => false,
    }
}
