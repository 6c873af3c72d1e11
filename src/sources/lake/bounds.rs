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

    /// What still holds of the `left` of `rows` rows. Limits stay limits, but the
    /// rows that had those values may be gone, or all rows.
    fn statistics_of_rest(&self, rows: Option<u64>, left: Precision<u64>) -> ColumnStatistics {
        let whole = self.statistics();
        let some_left = matches!(left, Precision::Exact(left) if left > 0);
        let one_value = self.tightness == Tightness::Exact
            && self.min.is_some()
            && self.min == self.max
            && self.nulls == Some(0);
        let null_count = match (self.nulls, rows) {
            (Some(0), _) => Precision::Exact(0),
            (Some(nulls), Some(rows)) if nulls == rows => count(left),
            // how many of them are left is unknown, and no guess: an engine that
            // finds it equal to the number of rows takes all for NULL
            _ => Precision::Absent,
        };
        let (min_value, max_value) = match one_value && some_left {
            true => (whole.min_value, whole.max_value),
            false => (whole.min_value.to_inexact(), whole.max_value.to_inexact()),
        };
        ColumnStatistics {
            min_value,
            max_value,
            null_count,
            ..ColumnStatistics::new_unknown()
        }
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
    let columns = bounds.iter().map(ColumnBounds::statistics);
    let rows = rows.map_or(Precision::Absent, Precision::Exact);
    of_table(rows, columns.collect(), schema)
}

/// Of a file that has `rows` rows, of which deletes leave `left`.
pub(super) fn statistics_of_rest(
    rows: Option<u64>,
    left: Precision<u64>,
    bounds: &[ColumnBounds],
    schema: &SchemaRef,
) -> Statistics {
    let columns = bounds
        .iter()
        .map(|bounds| bounds.statistics_of_rest(rows, left));
    of_table(left, columns.collect(), schema)
}

fn of_table(
    rows: Precision<u64>,
    mut column_statistics: Vec<ColumnStatistics>,
    schema: &SchemaRef,
) -> Statistics {
    column_statistics.resize_with(schema.fields().len(), ColumnStatistics::new_unknown);
    let mut statistics = Statistics {
        num_rows: count(rows),
        total_byte_size: Precision::Absent,
        column_statistics,
    };
    statistics.calculate_total_byte_size(schema);
    statistics
}

fn count(rows: Precision<u64>) -> Precision<usize> {
    let number = |rows| usize::try_from(rows);
    match rows {
        Precision::Exact(rows) => number(rows).map_or(Precision::Absent, Precision::Exact),
        Precision::Inexact(rows) => number(rows).map_or(Precision::Absent, Precision::Inexact),
        Precision::Absent => Precision::Absent,
    }
}

fn is_nan(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float32(Some(value)) => value.is_nan(),
        ScalarValue::Float64(Some(value)) => value.is_nan(),
        _ => false,
    }
}
