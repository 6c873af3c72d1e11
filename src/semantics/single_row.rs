//! `narrows_single_row(x)`: the value of a scalar subquery as an aggregate, so
//! that the engine can decorrelate it. NULL for no row; more than one row is
//! 21000, as in Postgres (section 4.2.11 "Scalar Subqueries").

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_int64_array;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::error::{Error, SqlState};

pub(super) fn single_row() -> AggregateUDF {
    AggregateUDF::from(SingleRow {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleRow {
    signature: Signature,
}

impl AggregateUDFImpl for SingleRow {
    fn name(&self) -> &str {
        "narrows_single_row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    /// The argument's own field, so that its Postgres type is remembered.
    fn return_field(&self, arguments: &[FieldRef]) -> EngineResult<FieldRef> {
        Ok(match arguments.first() {
            Some(field) => Arc::new(
                field
                    .as_ref()
                    .clone()
                    .with_name(self.name())
                    .with_nullable(true),
            ),
            None => Arc::new(Field::new(self.name(), DataType::Null, true)),
        })
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> EngineResult<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(
                arguments
                    .return_field
                    .as_ref()
                    .clone()
                    .with_name(format!("{}_value", arguments.name)),
            ),
            Arc::new(Field::new(
                format!("{}_rows", arguments.name),
                DataType::Int64,
                false,
            )),
        ])
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> EngineResult<Box<dyn Accumulator>> {
        Ok(Box::new(Seen {
            value: ScalarValue::try_from(arguments.return_field.data_type())?,
            rows: 0,
        }))
    }
}

/// The first value and how many rows came.
#[derive(Debug)]
struct Seen {
    value: ScalarValue,
    rows: i64,
}

impl Seen {
    fn add(&mut self, values: &ArrayRef, row: usize, rows: i64) -> EngineResult<()> {
        if rows == 0 {
            return Ok(());
        }
        self.rows += rows;
        if self.rows > 1 {
            return Err(Error::new(
                SqlState::CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression",
            )
            .into());
        }
        self.value = ScalarValue::try_from_array(values, row)?;
        Ok(())
    }
}

impl Accumulator for Seen {
    fn update_batch(&mut self, values: &[ArrayRef]) -> EngineResult<()> {
        let [values] = values else {
            return Ok(());
        };
        match values.len() {
            0 => Ok(()),
            rows => self.add(values, 0, i64::try_from(rows).unwrap_or(i64::MAX)),
        }
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> EngineResult<()> {
        let [values, rows] = states else {
            return Ok(());
        };
        let rows: &Int64Array = as_int64_array(rows)?;
        for (row, count) in rows.iter().enumerate() {
            self.add(values, row, count.unwrap_or(0))?;
        }
        Ok(())
    }

    fn state(&mut self) -> EngineResult<Vec<ScalarValue>> {
        Ok(vec![
            self.value.clone(),
            ScalarValue::Int64(Some(self.rows)),
        ])
    }

    fn evaluate(&mut self) -> EngineResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }
}
