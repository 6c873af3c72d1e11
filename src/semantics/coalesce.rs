//! COALESCE over arrays and a constant: `coalesce(array_agg(x), '{}')`. The engine
//! looks for a type that both have before the analyzer can say that a constant
//! without a type takes the others' (section 10.5 of the Postgres manual).

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// The engine's own, but for its types.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Coalesce(Arc<ScalarUDF>);

impl Default for Coalesce {
    fn default() -> Self {
        Coalesce(datafusion::functions::core::coalesce())
    }
}

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> EngineResult<DataType> {
        self.0.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> EngineResult<FieldRef> {
        self.0.return_field_from_args(args)
    }

    fn simplify(
        &self,
        args: Vec<Expr>,
        info: &SimplifyContext,
    ) -> EngineResult<ExprSimplifyResult> {
        self.0.simplify(args, info)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        self.0.invoke_with_args(args)
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.0.conditional_arguments(args)
    }

    fn short_circuits(&self) -> bool {
        self.0.short_circuits()
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        match array_beside_text(types) {
            Some(array) => Ok(vec![array.clone(); types.len()]),
            None => self.0.coerce_types(types),
        }
    }
}

/// The array's type, where all others are texts or NULL: the analyzer has the
/// last word on whether a text can be one.
fn array_beside_text(types: &[DataType]) -> Option<&DataType> {
    let is_text = |of: &DataType| {
        matches!(
            of,
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null
        )
    };
    let mut arrays = types.iter().filter(|of| !is_text(of));
    let array = arrays.next()?;
    let alone = arrays.all(|other| other == array);
    (alone && matches!(array, DataType::List(_))).then_some(array)
}
