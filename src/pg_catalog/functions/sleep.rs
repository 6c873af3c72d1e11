//! pg_sleep(seconds): waits without holding a thread, so that cancelling the
//! statement ends the wait.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::error::Error;

pub fn pg_sleep() -> ScalarUDF {
    let sleep = Sleep {
        signature: Signature::exact(vec![DataType::Float64], Volatility::Volatile),
    };
    AsyncScalarUDF::new(Arc::new(sleep)).into_scalar_udf()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sleep {
    signature: Signature,
}

impl ScalarUDFImpl for Sleep {
    fn name(&self) -> &str {
        "pg_sleep"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        Err(Error::internal("pg_sleep() runs asynchronously").into())
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(
        &self,
        arguments: ScalarFunctionArgs,
    ) -> EngineResult<ColumnarValue> {
        // one wait a row, as in Postgres
        let rows = arguments.number_rows;
        let seconds = match arguments.args.into_iter().next() {
            Some(seconds) => seconds.into_array(rows)?,
            None => return Err(Error::internal("no argument").into()),
        };
        let mut results = Vec::with_capacity(rows);
        for row in 0..rows {
            let result = match ScalarValue::try_from_array(&seconds, row)? {
                ScalarValue::Float64(Some(seconds)) => {
                    let wait =
                        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
                    tokio::time::sleep(wait).await;
                    Some(String::new())
                }
                _ => None,
            };
            results.push(ScalarValue::Utf8View(result));
        }
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(results)?))
    }
}
