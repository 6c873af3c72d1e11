//! What the source's planner knows about a table → the engine's statistics.
//! All of it is `Inexact`: estimates may choose a plan, never an answer.
//!
//! After sections 53.11 "pg_class" and 54.27 "pg_stats" of the Postgres manual.

use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};

/// One column's line of pg_stats.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColumnEstimate {
    /// Part of the rows that hold NULL, 0 to 1.
    pub null_fraction: Option<f64>,
    /// Positive: distinct values; negative: minus distinct values by rows.
    pub distinct: Option<f64>,
    /// Bytes of an average value.
    pub width: Option<u32>,
}

/// Statistics of a whole table, one entry of `columns` a column.
pub(super) fn statistics<'a>(
    rows: Option<u64>,
    columns: impl Iterator<Item = &'a ColumnEstimate>,
) -> Statistics {
    let rows = rows.and_then(|rows| usize::try_from(rows).ok());
    let column_statistics: Vec<_> = columns.map(|column| of_column(rows, column)).collect();
    let bytes = column_statistics
        .iter()
        .map(|column| column.byte_size.get_value().copied())
        .try_fold(0usize, |sum, bytes| sum.checked_add(bytes?));
    Statistics {
        num_rows: inexact(rows),
        total_byte_size: inexact(bytes),
        column_statistics,
    }
}

/// The same with another number of rows. What chooses the sides of a join weighs
/// bytes, so these shrink too.
pub fn with_rows(statistics: Statistics, rows: usize) -> Statistics {
    let part = match statistics.num_rows.get_value() {
        Some(all) if *all > 0 => rows as f64 / *all as f64,
        _ => 1.0,
    };
    let scaled = |bytes: &Precision<usize>| match bytes.get_value() {
        Some(bytes) => Precision::Inexact((*bytes as f64 * part).ceil() as usize),
        None => Precision::Absent,
    };
    let column_statistics = statistics
        .column_statistics
        .into_iter()
        .map(|column| {
            let nulls = scaled(&column.null_count);
            let bytes = scaled(&column.byte_size);
            let distinct = match column.distinct_count.get_value() {
                Some(distinct) => Precision::Inexact((*distinct).min(rows)),
                None => Precision::Absent,
            };
            column
                .with_null_count(nulls)
                .with_byte_size(bytes)
                .with_distinct_count(distinct)
        })
        .collect();
    Statistics {
        num_rows: Precision::Inexact(rows),
        total_byte_size: scaled(&statistics.total_byte_size),
        column_statistics,
    }
}

fn of_column(rows: Option<usize>, column: &ColumnEstimate) -> ColumnStatistics {
    let nulls = part_of(rows, column.null_fraction);
    let distinct = match column.distinct {
        Some(distinct) if distinct < 0.0 => part_of(rows, Some(-distinct)),
        Some(distinct) if distinct > 0.0 => Some(distinct as usize),
        _ => None,
    };
    let bytes = rows
        .zip(column.width)
        .and_then(|(rows, width)| rows.checked_mul(usize::try_from(width).ok()?));
    ColumnStatistics::new_unknown()
        .with_null_count(inexact(nulls))
        .with_distinct_count(inexact(distinct))
        .with_byte_size(inexact(bytes))
}

fn part_of(rows: Option<usize>, fraction: Option<f64>) -> Option<usize> {
    let fraction = fraction.filter(|fraction| (0.0..=1.0).contains(fraction))?;
    Some((rows? as f64 * fraction).round() as usize)
}

fn inexact(value: Option<usize>) -> Precision<usize> {
    value.map_or(Precision::Absent, Precision::Inexact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_become_counts() {
        let column = ColumnEstimate {
            null_fraction: Some(0.25),
            distinct: Some(-0.5),
            width: Some(8),
        };
        let statistics = statistics(Some(1000), [column].iter());
        assert_eq!(statistics.num_rows, Precision::Inexact(1000));
        assert_eq!(statistics.total_byte_size, Precision::Inexact(8000));
        let column = &statistics.column_statistics[0];
        assert_eq!(column.null_count, Precision::Inexact(250));
        assert_eq!(column.distinct_count, Precision::Inexact(500));
    }

    #[test]
    fn fewer_rows_have_fewer_bytes() {
        let column = ColumnEstimate {
            null_fraction: Some(0.5),
            distinct: Some(400.0),
            width: Some(8),
        };
        let fewer = with_rows(statistics(Some(1000), [column].iter()), 10);
        assert_eq!(fewer.num_rows, Precision::Inexact(10));
        assert_eq!(fewer.total_byte_size, Precision::Inexact(80));
        let column = &fewer.column_statistics[0];
        assert_eq!(column.null_count, Precision::Inexact(5));
        assert_eq!(column.distinct_count, Precision::Inexact(10));
    }

    #[test]
    fn unknown_stays_unknown() {
        let column = ColumnEstimate {
            null_fraction: Some(0.25),
            distinct: Some(7.0),
            width: None,
        };
        let statistics = statistics(None, [column].iter());
        assert_eq!(statistics.num_rows, Precision::Absent);
        let column = &statistics.column_statistics[0];
        assert_eq!(column.null_count, Precision::Absent);
        assert_eq!(column.distinct_count, Precision::Inexact(7));
    }
}
