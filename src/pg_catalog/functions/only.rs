//! A scalar subquery that is no aggregate, as the engine can run it when it is
//! correlated: `narrows_only((SELECT narrows_collect(e) FROM …))`. The aggregate
//! keeps the first value and counts; the function gives the value, or error 21000
//! where an outer row met more than one. The check is outside because inside, the
//! engine aggregates groups that no outer row asks for.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::error::{Error, SqlState};

pub fn collect() -> AggregateUDF {
    AggregateUDF::from(Collect {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

pub fn only() -> ScalarUDF {
    ScalarUDF::from(Only {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Collect {
    signature: Signature,
}

impl AggregateUDFImpl for Collect {
    fn name(&self) -> &str {
        "narrows_collect"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        let value = arguments.first().cloned().unwrap_or(DataType::Null);
        Ok(pair(&Field::new("value", value, true)))
    }

    fn return_field(&self, arguments: &[FieldRef]) -> EngineResult<FieldRef> {
        let value = arguments
            .first()
            .ok_or_else(|| Error::internal("no argument"))?;
        Ok(Arc::new(Field::new(self.name(), pair(value), true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> EngineResult<Box<dyn Accumulator>> {
        let value = match arguments.return_field.data_type() {
            DataType::Struct(fields) => fields.first().map(|field| field.data_type().clone()),
            _ => None,
        };
        let value = value.ok_or_else(|| Error::internal("no value to collect"))?;
        Ok(Box::new(Collected {
            first: ScalarValue::try_from(&value)?,
            rows: 0,
            fields: match arguments.return_field.data_type() {
                DataType::Struct(fields) => fields.clone(),
                _ => Fields::empty(),
            },
        }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> EngineResult<Vec<FieldRef>> {
        let value = match arguments.return_field.data_type() {
            DataType::Struct(fields) => fields.first().map(|field| field.data_type().clone()),
            _ => None,
        };
        let value = value.ok_or_else(|| Error::internal("no value to collect"))?;
        Ok(vec![
            Arc::new(Field::new(
                format!("{}[value]", arguments.name),
                value,
                true,
            )),
            Arc::new(Field::new(
                format!("{}[rows]", arguments.name),
                DataType::Int64,
                false,
            )),
        ])
    }
}

/// (value, rows), remembering the value's Postgres type.
fn pair(value: &Field) -> DataType {
    DataType::Struct(Fields::from(vec![
        value.clone().with_name("value").with_nullable(true),
        Field::new("rows", DataType::Int64, true),
    ]))
}

#[derive(Debug)]
struct Collected {
    first: ScalarValue,
    rows: i64,
    fields: Fields,
}

impl Collected {
    fn add(&mut self, values: &ArrayRef, at: usize, rows: i64) -> EngineResult<()> {
        if self.rows == 0 && rows > 0 {
            self.first = ScalarValue::try_from_array(values, at)?;
        }
        self.rows += rows;
        Ok(())
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> EngineResult<()> {
        match values.first() {
            Some(values) if !values.is_empty() => self.add(values, 0, values.len() as i64),
            _ => Ok(()),
        }
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> EngineResult<()> {
        let [values, rows] = states else {
            return Err(Error::internal("two states are kept").into());
        };
        for (at, rows) in rows.as_primitive::<Int64Type>().values().iter().enumerate() {
            self.add(values, at, *rows)?;
        }
        Ok(())
    }

    fn state(&mut self) -> EngineResult<Vec<ScalarValue>> {
        Ok(vec![
            self.first.clone(),
            ScalarValue::Int64(Some(self.rows)),
        ])
    }

    fn evaluate(&mut self) -> EngineResult<ScalarValue> {
        let columns = vec![
            self.first.to_array_of_size(1)?,
            ScalarValue::Int64(Some(self.rows)).to_array_of_size(1)?,
        ];
        let pair =
            datafusion::arrow::array::StructArray::try_new(self.fields.clone(), columns, None)?;
        Ok(ScalarValue::Struct(Arc::new(pair)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.first.size()
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Only {
    signature: Signature,
}

impl ScalarUDFImpl for Only {
    fn name(&self) -> &str {
        "narrows_only"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        match arguments.first() {
            Some(DataType::Struct(fields)) if fields.len() == 2 => {
                Ok(fields[0].data_type().clone())
            }
            _ => Err(Error::internal("narrows_only() takes what narrows_collect() gives").into()),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> EngineResult<FieldRef> {
        match arguments.arg_fields.first().map(|field| field.data_type()) {
            Some(DataType::Struct(fields)) if fields.len() == 2 => {
                Ok(Arc::new(fields[0].as_ref().clone().with_name(self.name())))
            }
            _ => Err(Error::internal("narrows_only() takes what narrows_collect() gives").into()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let pairs = arrays
            .first()
            .ok_or_else(|| Error::internal("no argument"))?
            .as_struct();
        let counts = pairs.column(1).as_primitive::<Int64Type>();
        let too_many = (0..pairs.len())
            .any(|row| pairs.is_valid(row) && counts.is_valid(row) && counts.value(row) > 1);
        if too_many {
            return Err(Error::new(
                SqlState::CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression",
            )
            .into());
        }
        // a missing pair hides its value
        let (fields, columns, nulls) = pairs.clone().into_parts();
        drop(fields);
        let value = columns.first().ok_or_else(|| Error::internal("no value"))?;
        let valid = datafusion::arrow::array::BooleanArray::from(
            (0..pairs.len())
                .map(|row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)))
                .collect::<Vec<_>>(),
        );
        let missing = datafusion::arrow::compute::not(&valid)?;
        Ok(ColumnarValue::Array(datafusion::arrow::compute::nullif(
            value, &missing,
        )?))
    }
}
