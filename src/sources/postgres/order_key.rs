//! The function that turns a column carried as it was sent into bytes that sort
//! as its source sorts the values. The planner makes sort keys of it; `pushdown`
//! sees through it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BinaryBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{Error, SqlState};
use crate::types::sent::Sent;

/// No name that a client would write.
const NAME: &str = "order key";

/// The function.
pub fn order_key() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(OrderKey {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// What is sorted by, if `expr` is a call of the function.
pub fn ordered_by(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == NAME => call.args.first(),
        _ => None,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OrderKey {
    signature: Signature,
}

impl ScalarUDFImpl for OrderKey {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let misplaced = || Error::internal("a sort key is no column as its source sent it");
        let ([value], [field]) = (args.args.as_slice(), args.arg_fields.as_slice()) else {
            return Err(misplaced().into());
        };
        let sent = Sent::of(field).ok_or_else(misplaced)?;
        let array = value.to_array(args.number_rows)?;
        let array = array.as_binary_view_opt().ok_or_else(misplaced)?;
        let mut keys = BinaryBuilder::with_capacity(array.len(), array.len() * 8);
        let mut key = Vec::new();
        for row in 0..array.len() {
            if array.is_null(row) {
                keys.append_null();
                continue;
            }
            key.clear();
            sent.write_order_key(array.value(row), &mut key)
                .map_err(|_| {
                    let column = field.name();
                    let what = format!("column \"{column}\" arrived malformed");
                    Error::new(SqlState::PROTOCOL_VIOLATION, what)
                })?;
            keys.append_value(&key);
        }
        Ok(ColumnarValue::Array(Arc::new(keys.finish())))
    }
}
