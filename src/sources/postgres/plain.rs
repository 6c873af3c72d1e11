//! The function that turns a column carried as it was sent into what
//! expressions compute with. The planner puts it where an expression uses such a
//! column; `pushdown` sees through it.

use std::sync::Arc;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::decode;
use super::order_key::ordered_by;
use crate::error::Error;
use crate::types::sent::Sent;

/// No name that a client would write.
const NAME: &str = "plain value";

/// The function.
pub fn plain_value() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(PlainValue {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// The column, if `expr` is a call of the function or of the one that makes keys
/// to sort by: the source compares the column itself as they do.
pub fn turned(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == NAME => call.args.first(),
        _ => ordered_by(expr),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PlainValue {
    signature: Signature,
}

impl ScalarUDFImpl for PlainValue {
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
        Err(misplaced().into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> EngineResult<FieldRef> {
        let [field] = args.arg_fields else {
            return Err(misplaced().into());
        };
        let plain =
            Sent::of(field).and_then(|sent| sent.plain_field(field.name(), field.is_nullable()));
        Ok(plain.ok_or_else(misplaced)?.into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let ([value], [field]) = (args.args.as_slice(), args.arg_fields.as_slice()) else {
            return Err(misplaced().into());
        };
        let sent = Sent::of(field).ok_or_else(misplaced)?;
        let array = value.to_array(args.number_rows)?;
        let array = array
            .as_binary_view_opt()
            .ok_or_else(|| Error::internal("a column as sent is no bytes"))?;
        let plain = decode::plain(&sent, array, field.name())?;
        Ok(ColumnarValue::Array(plain))
    }
}

fn misplaced() -> Error {
    Error::internal("a column is turned that is not as its source sent it")
}
