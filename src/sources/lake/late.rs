//! Which files are read in two steps: the columns of a filter first, the others for
//! the rows that pass. It pays where few rows do. A filter that a join makes while
//! the statement runs is asked when a file is opened, with values from the range
//! that the file's statistics give; all other files are read in one step. What the
//! filter lets through is compared again above the scan, whichever way it is read.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::Statistics;
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::DynamicFilterPhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns, split_conjunction};
use datafusion::scalar::ScalarValue;

/// Values that are asked about.
const SAMPLE: i64 = 1024;
/// Of them, those that may pass.
const FEW: usize = 10;

/// A filter that may turn out to leave few rows.
#[derive(Debug, Clone)]
pub(super) struct LateFilter {
    filter: Arc<dyn PhysicalExpr>,
    /// Of the column that it is about.
    column: usize,
    name: String,
}

/// Those of a scan; empty: it has none, or others beside them, whose columns would
/// have to be read for all rows as well.
pub(super) fn filters_of(source: &ParquetSource) -> Vec<LateFilter> {
    let Some(predicate) = source.filter() else {
        return Vec::new();
    };
    let filters = split_conjunction(&predicate);
    let made_later = |filter: &&Arc<dyn PhysicalExpr>| {
        filter.downcast_ref::<DynamicFilterPhysicalExpr>().is_some()
    };
    if !filters.iter().all(made_later) {
        return Vec::new();
    }
    filters
        .into_iter()
        .filter_map(|filter| {
            let columns = collect_columns(filter);
            let mut columns = columns.iter();
            match (columns.next(), columns.next()) {
                (Some(column), None) => Some(LateFilter {
                    filter: filter.clone(),
                    column: column.index(),
                    name: column.name().to_string(),
                }),
                _ => None,
            }
        })
        .collect()
}

impl LateFilter {
    /// Do few rows pass, as far as the range of the file's values tells?
    pub(super) fn leaves_few(&self, statistics: &Statistics, schema: &Schema) -> bool {
        self.passing(statistics, schema)
            .ok()
            .flatten()
            .is_some_and(|passing| passing <= FEW)
    }

    /// `None`: the column's range is not known.
    fn passing(&self, statistics: &Statistics, schema: &Schema) -> Result<Option<usize>> {
        let Some(filter) = self.filter.downcast_ref::<DynamicFilterPhysicalExpr>() else {
            return Ok(None);
        };
        let (Some(column), Ok(field)) = (
            statistics.column_statistics.get(self.column),
            schema.field_with_name(&self.name),
        ) else {
            return Ok(None);
        };
        let bounds = (column.min_value.get_value(), column.max_value.get_value());
        let (Some(low), Some(high)) = (bounds.0.and_then(number), bounds.1.and_then(number)) else {
            return Ok(None);
        };
        let Some(values) = sample(low, high, field.data_type())? else {
            return Ok(None);
        };
        let schema = Arc::new(Schema::new(vec![field.clone()]));
        let filter = reassign_expr_columns(filter.current()?, &schema)?;
        let batch = RecordBatch::try_new(schema, vec![values])?;
        let passed = filter.evaluate(&batch)?.into_array(batch.num_rows())?;
        let passed = passed.as_any().downcast_ref::<BooleanArray>();
        Ok(passed.map(|passed| passed.true_count()))
    }
}

fn number(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int16(value) => value.map(i64::from),
        ScalarValue::Int32(value) | ScalarValue::Date32(value) => value.map(i64::from),
        ScalarValue::Int64(value) => *value,
        _ => None,
    }
}

/// Values all over a range, in no step that keys could have too. `None`: there are
/// not so many.
fn sample(low: i64, high: i64, data_type: &DataType) -> Result<Option<ArrayRef>> {
    /// The golden ratio's share of 2^64.
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let span = high.abs_diff(low);
    if high < low || span < SAMPLE as u64 {
        return Ok(None);
    }
    let value = |at: i64| {
        let share = u128::from((at as u64).wrapping_mul(STEP));
        let offset = (share * u128::from(span)) >> 64;
        low.wrapping_add_unsigned(offset as u64)
    };
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values((0..SAMPLE).map(value)));
    Ok(match data_type {
        DataType::Int64 => Some(values),
        DataType::Int16 | DataType::Int32 => Some(cast(&values, data_type)?),
        DataType::Date32 => {
            let days = cast(&values, &DataType::Int32)?;
            Some(cast(&days, data_type)?)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use datafusion::common::ColumnStatistics;
    use datafusion::common::stats::Precision;
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{binary, col, in_list, lit};

    use super::*;

    fn asked(data_type: DataType, range: (ScalarValue, ScalarValue), filter: &str) -> bool {
        let field =
            |name: &str, data_type| datafusion::arrow::datatypes::Field::new(name, data_type, true);
        let schema = Schema::new(vec![
            field("other", DataType::Utf8),
            field("key", data_type.clone()),
        ]);
        let key = || col("key", &schema).expect("a column");
        let value = |number: i32| {
            lit(ScalarValue::Int32(Some(number))
                .cast_to(&data_type)
                .expect("fits"))
        };
        let current = match filter {
            "few" => {
                in_list(key(), vec![value(5), value(90_000)], &false, &schema).expect("a list")
            }
            "half" => binary(key(), Operator::Lt, value(50_000), &schema).expect("typed"),
            "start" => binary(key(), Operator::Lt, value(100), &schema).expect("typed"),
            _ => lit(true),
        };
        let dynamic = DynamicFilterPhysicalExpr::new(vec![key()], current);
        let late = LateFilter {
            filter: Arc::new(dynamic),
            column: 1,
            name: "key".into(),
        };
        let statistics = Statistics {
            column_statistics: vec![
                ColumnStatistics::new_unknown(),
                ColumnStatistics::new_unknown()
                    .with_min_value(Precision::Inexact(range.0))
                    .with_max_value(Precision::Exact(range.1)),
            ],
            ..Statistics::new_unknown(&schema)
        };
        late.leaves_few(&statistics, &schema)
    }

    #[test]
    fn a_filter_is_asked_with_values_of_the_file() {
        let ints = |a, b| (ScalarValue::Int32(Some(a)), ScalarValue::Int32(Some(b)));
        let longs = |a, b| (ScalarValue::Int64(Some(a)), ScalarValue::Int64(Some(b)));
        for (data_type, range, filter, few) in [
            (DataType::Int32, ints(1, 100_000), "few", true),
            (DataType::Int32, ints(1, 100_000), "start", true),
            (DataType::Int32, ints(1, 100_000), "half", false),
            (DataType::Int32, ints(1, 100_000), "not yet", false),
            (DataType::Int32, ints(1, 50), "few", false),
            (DataType::Int64, longs(i64::MIN, i64::MAX), "few", true),
            (DataType::Int64, longs(0, 90_000), "half", false),
            (
                DataType::Date32,
                (
                    ScalarValue::Date32(Some(0)),
                    ScalarValue::Date32(Some(100_000)),
                ),
                "few",
                true,
            ),
            (
                DataType::Utf8,
                (ScalarValue::from("a"), ScalarValue::from("b")),
                "not yet",
                false,
            ),
        ] {
            assert_eq!(
                asked(data_type.clone(), range, filter),
                few,
                "{data_type} {filter}"
            );
        }
    }
}
