//! Calls as the engine sees them: by name while planning, resolved to one
//! overload after analysis, and then run a row at a time.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, new_null_array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::FieldMetadata;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::{Body, Call, Overload, Resolution, Typing, resolve_function};
use crate::error::{Error, Result};
use crate::semantics::calendar::Zone;
use crate::semantics::casts::{CastFunction, literal};
use crate::semantics::session_vars::SessionVars;
use crate::semantics::text_in::Context;
use crate::semantics::typed::{Known, field_of, typed_literal};
use crate::semantics::value::{self, Value};
use crate::types::PgType;

/// A function by its name, before its arguments' types are settled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::semantics) struct NamedFunction {
    name: String,
    signature: Signature,
}

impl NamedFunction {
    pub(super) fn new(name: &str, overloads: &[&'static Overload]) -> Self {
        let volatility = overloads
            .iter()
            .map(|overload| overload.volatility)
            .max_by_key(|volatility| match volatility {
                Volatility::Immutable => 0,
                Volatility::Stable => 1,
                Volatility::Volatile => 2,
            })
            .unwrap_or(Volatility::Immutable);
        NamedFunction {
            name: name.to_string(),
            signature: Signature::user_defined(volatility),
        }
    }
}

impl ScalarUDFImpl for NamedFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Err(Error::internal("a call has no type without its arguments").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> EngineResult<FieldRef> {
        let types: Vec<Known> = args
            .arg_fields
            .iter()
            .zip(args.scalar_arguments)
            .map(|(field, literal)| match literal {
                Some(value) => {
                    let metadata = FieldMetadata::from(field.metadata());
                    Known::of_literal(value, Some(&metadata))
                }
                None => Known::of_field(field),
            })
            .collect();
        let literals: Vec<Option<ScalarValue>> = args
            .scalar_arguments
            .iter()
            .map(|literal| literal.cloned())
            .collect();
        let resolution = resolve_function(&self.name, &types)?;
        let typing = Typing {
            types: &resolution.arguments,
            literals: &literals,
        };
        Ok(field_of(
            resolution.overload.return_type(&typing),
            &self.name,
        ))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        Err(Error::internal(format!("{} ran before it was resolved", self.name)).into())
    }
}

/// One overload, whose arguments already have the types it takes.
#[derive(Debug, Clone)]
pub(in crate::semantics) struct ResolvedFunction {
    pub(in crate::semantics) overload: &'static Overload,
    pub(in crate::semantics) arguments: Vec<PgType>,
    pub(in crate::semantics) returns: PgType,
    signature: Signature,
}

impl ResolvedFunction {
    pub(in crate::semantics) fn new(
        resolution: Resolution,
        literals: &[Option<ScalarValue>],
    ) -> Self {
        let typing = Typing {
            types: &resolution.arguments,
            literals,
        };
        let returns = resolution.overload.return_type(&typing);
        ResolvedFunction {
            overload: resolution.overload,
            arguments: resolution.arguments,
            returns,
            signature: Signature::user_defined(resolution.overload.volatility),
        }
    }
}

impl PartialEq for ResolvedFunction {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.overload, other.overload)
            && self.arguments == other.arguments
            && self.returns == other.returns
    }
}

impl Eq for ResolvedFunction {}

impl Hash for ResolvedFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.overload.name.hash(state);
        self.arguments.hash(state);
        self.returns.hash(state);
    }
}

impl ScalarUDFImpl for ResolvedFunction {
    fn name(&self) -> &str {
        self.overload.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(field_of(self.returns, "").data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> EngineResult<FieldRef> {
        Ok(field_of(self.returns, self.overload.name))
    }

    /// Any value of its type. The engine's default is of no type: what compares it
    /// with something then has no order that the engine would know again.
    fn evaluate_bounds(&self, _: &[&Interval]) -> EngineResult<Interval> {
        Interval::make_unbounded(field_of(self.returns, "").data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let call = Call {
            context: context_of(&args.config_options),
            types: &self.arguments,
            returns: self.returns,
        };
        let data_type = args.return_field.data_type();
        let result = match self.overload.body {
            Body::Strict(body) => row_wise(&args.args, args.number_rows, data_type, |row| {
                if row.iter().any(Value::is_null) {
                    return Ok(Value::Null);
                }
                body(&call, row)
            }),
            Body::Nullable(body) => row_wise(&args.args, args.number_rows, data_type, |row| {
                body(&call, row)
            }),
            Body::Vector(body) => body(&call, &args.args, args.number_rows),
            Body::Engine(_) => Err(Error::internal("an engine's expression ran as a call")),
        };
        Ok(result?)
    }
}

/// What reading and printing values needs of the session.
pub(in crate::semantics) fn context_of(options: &ConfigOptions) -> Context {
    let zone = options.execution.time_zone.as_deref().unwrap_or("UTC");
    Context {
        zone: Zone::known(zone).unwrap_or(Zone::Fixed(0)),
        now: options
            .extensions
            .get::<SessionVars>()
            .map_or(0, |vars| vars.transaction_start.timestamp_micros()),
    }
}

/// The value of one of our calls if all its arguments are literals. A call
/// that fails stays as it is: it may never run.
pub(in crate::semantics) fn folded(expr: Expr, options: &Arc<ConfigOptions>) -> Expr {
    match fold(&expr, options) {
        Some(literal) => literal,
        None => expr,
    }
}

fn fold(expr: &Expr, options: &Arc<ConfigOptions>) -> Option<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
        return None;
    };
    let inner = func.inner();
    let pg_type = match inner.downcast_ref::<ResolvedFunction>() {
        Some(function) if function.overload.volatility == Volatility::Volatile => return None,
        Some(function) => function.returns,
        None => inner.downcast_ref::<CastFunction>()?.to,
    };
    if let Some(function) = inner.downcast_ref::<ResolvedFunction>()
        && function.returns == PgType::NUMERIC
        && let Some(exact) = exact_constant(function, args, options)
    {
        return Some(exact);
    }
    let mut values = Vec::with_capacity(args.len());
    let mut fields = Vec::with_capacity(args.len());
    for arg in args {
        let Expr::Literal(value, _) = arg else {
            return None;
        };
        fields.push(Field::new("", value.data_type(), true).into());
        values.push(ColumnarValue::Scalar(value.clone()));
    }
    let result = func
        .invoke_with_args(ScalarFunctionArgs {
            args: values,
            arg_fields: fields,
            number_rows: 1,
            return_field: field_of(pg_type, ""),
            config_options: options.clone(),
        })
        .ok()?;
    let value = match result {
        ColumnarValue::Scalar(value) => value,
        ColumnarValue::Array(array) => value::scalar(&array).ok()?,
    };
    Some(typed_literal(value, pg_type))
}

/// A constant numeric with all its digits, which the carrier of numerics without
/// a scale would cut.
fn exact_constant(
    function: &ResolvedFunction,
    args: &[Expr],
    options: &Arc<ConfigOptions>,
) -> Option<Expr> {
    let row = args
        .iter()
        .map(|arg| match arg {
            Expr::Literal(value, _) => {
                let array = value::plain(&value.to_array().ok()?).ok()?;
                value::read(&array, 0).ok()
            }
            _ => None,
        })
        .collect::<Option<Vec<Value>>>()?;
    let call = Call {
        context: context_of(options),
        types: &function.arguments,
        returns: function.returns,
    };
    let value = match function.overload.body {
        Body::Strict(_) if row.iter().any(Value::is_null) => return None,
        Body::Strict(body) | Body::Nullable(body) => body(&call, &row).ok()?,
        _ => return None,
    };
    match value {
        Value::Numeric(_) => literal(value, PgType::NUMERIC).ok(),
        _ => None,
    }
}

/// Runs `body` once a row; once in all if every argument is a scalar.
pub(in crate::semantics) fn row_wise(
    arguments: &[ColumnarValue],
    rows: usize,
    data_type: &DataType,
    mut body: impl FnMut(&[Value]) -> Result<Value>,
) -> Result<ColumnarValue> {
    let scalar = arguments
        .iter()
        .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    let columns = arguments
        .iter()
        .map(Column::of)
        .collect::<Result<Vec<_>>>()?;
    let count = if scalar { 1 } else { rows };
    let mut row: Vec<Value> = columns
        .iter()
        .map(|column| match column {
            Column::Constant(value) => value.clone(),
            Column::Array(_) => Value::Null,
        })
        .collect();
    let mut results = Vec::with_capacity(count);
    for index in 0..count {
        for (slot, column) in row.iter_mut().zip(&columns) {
            if let Column::Array(array) = column {
                *slot = value::read(array, index)?;
            }
        }
        results.push(body(&row)?);
    }
    let array = match results.iter().all(Value::is_null) {
        true => new_null_array(data_type, count),
        false => value::build(results, data_type)?,
    };
    match scalar {
        true => Ok(ColumnarValue::Scalar(value::scalar(&array)?)),
        false => Ok(ColumnarValue::Array(array)),
    }
}

/// A column of integers, widened.
pub(super) fn integers(argument: &ColumnarValue, rows: usize) -> Result<Vec<Option<i128>>> {
    let array = value::plain(&argument.to_array(rows)?)?;
    (0..rows)
        .map(|row| match value::read(&array, row)? {
            Value::Int(value) => Ok(Some(value.into())),
            _ => Ok(None),
        })
        .collect()
}

enum Column {
    Constant(Value),
    Array(ArrayRef),
}

impl Column {
    fn of(argument: &ColumnarValue) -> Result<Column> {
        Ok(match argument {
            ColumnarValue::Array(array) => Column::Array(value::plain(array)?),
            ColumnarValue::Scalar(scalar) => {
                let array = value::plain(&Arc::clone(&scalar.to_array()?))?;
                Column::Constant(value::read(&array, 0)?)
            }
        })
    }
}
