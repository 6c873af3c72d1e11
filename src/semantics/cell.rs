//! A cell of VALUES while it is planned. The engine wants all cells of a column
//! to agree before the analyzer can make them, in metadata too; this stands
//! around each, with its type alone, until the analyzer takes it off.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::metadata::FieldMetadata;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::typed::{Known, field_of};
use crate::error::Error;

/// No name that a client would write.
pub(super) const CELL: &str = "values cell";

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    signature: Signature,
}

impl Default for Cell {
    fn default() -> Self {
        Cell {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Cell {
    fn name(&self) -> &str {
        CELL
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> EngineResult<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> EngineResult<FieldRef> {
        let literal: Option<&ScalarValue> = args.scalar_arguments.first().copied().flatten();
        let data_type = match (args.arg_fields.first(), literal) {
            (Some(field), Some(value)) => {
                let metadata = FieldMetadata::from(field.metadata());
                match Known::of_literal(value, Some(&metadata)) {
                    Known::Typed(pg_type) => field_of(pg_type, "").data_type().clone(),
                    Known::Unknown => value.data_type(),
                }
            }
            // a cast that is told from others; the cells of a column are to look alike
            (Some(field), None) if args.arg_fields.len() == 2 => {
                return Ok(field.as_ref().clone().with_name(CELL).into());
            }
            (Some(field), None) => field.data_type().clone(),
            (None, _) => DataType::Null,
        };
        Ok(Field::new(CELL, data_type, true).into())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        Err(Error::internal("a cell of VALUES ran before it was analyzed").into())
    }
}
