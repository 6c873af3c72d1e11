//! The rows of information_schema._pg_expandarray(): a list here, which the
//! planner unnests.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::function::Function;
use super::value::Value;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

const INT4_ARRAY: PgType = PgType {
    oid: 1007,
    typmod: -1,
};

pub const FUNCTIONS: &[Function] = &[
    // The .n of information_schema._pg_expandarray(array).
    Function::new(
        "rows of expandarray_n",
        1..=1,
        INT4_ARRAY,
        |_, arguments| {
            let count = list(&arguments[0]).map_or(0, |all| all.len() as i64);
            Ok(Value::List((1..=count).map(Value::Int).collect()))
        },
    ),
];

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(all) => Some(all),
        _ => None,
    }
}

/// `_pg_expandarray(array)` as a list of its rows (x, n).
pub fn expand_array() -> ScalarUDF {
    ScalarUDF::from(ExpandArray {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExpandArray {
    signature: Signature,
}

impl ScalarUDFImpl for ExpandArray {
    fn name(&self) -> &str {
        "_pg_expandarray"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::List(row_field(element(arguments.first())?)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let array = arrays
            .first()
            .ok_or_else(|| Error::internal("no argument"))?;
        let element = element(Some(array.data_type()))?;
        let lists = cast(array, &DataType::List(element.clone()))?;
        Ok(ColumnarValue::Array(expanded(
            lists.as_list::<i32>(),
            element,
        )?))
    }
}

fn element(array: Option<&DataType>) -> Result<FieldRef> {
    match array {
        Some(DataType::List(element) | DataType::LargeList(element)) => Ok(element.clone()),
        _ => Err(Error::new(
            SqlState::UNDEFINED_FUNCTION,
            "function _pg_expandarray needs an array",
        )),
    }
}

fn row_field(element: FieldRef) -> FieldRef {
    let x = Field::new("x", element.data_type().clone(), true)
        .with_metadata(element.metadata().clone());
    let n = PgType::INT4.tag(Field::new("n", DataType::Int32, true));
    Arc::new(Field::new(
        Field::LIST_FIELD_DEFAULT_NAME,
        DataType::Struct(Fields::from(vec![x, n])),
        true,
    ))
}

fn expanded(lists: &ListArray, element: FieldRef) -> Result<ArrayRef> {
    let first = lists.offsets().first().copied().unwrap_or_default();
    let lengths: Vec<usize> = lists.offsets().lengths().collect();
    let count = lengths.iter().sum();
    let values = lists.values().slice(first as usize, count);
    let numbers: Int32Array = lengths
        .iter()
        .flat_map(|length| 1..=*length as i32)
        .map(Some)
        .collect();
    let row = row_field(element);
    let DataType::Struct(fields) = row.data_type().clone() else {
        return Err(Error::internal("a row is a struct"));
    };
    let rows = StructArray::try_new(fields, vec![values, Arc::new(numbers)], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(
        row,
        offsets,
        Arc::new(rows),
        lists.nulls().cloned(),
    )?))
}
