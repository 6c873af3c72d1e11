//! `+ - * / % ^` and the bit operators on numbers (section 9.3 of the manual).
//! Integers and floats overflow into 22003 instead of wrapping; numerics of a
//! declared scale stay on the engine's decimal kernels.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Datum};
use datafusion::arrow::compute::kernels::numeric as kernels;
use datafusion::arrow::compute::try_binary;
use datafusion::arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{BinaryExpr, Cast};
use datafusion::logical_expr::{ColumnarValue, Expr, Operator};

use super::{Call, Overload, call_of, engine, strict, vector};
use crate::error::{Error, Result, SqlState};
use crate::semantics::casts::{self, Asked, cast_expr};
use crate::semantics::numeric::{Numeric, division_by_zero};
use crate::semantics::typed::{Known, type_name};
use crate::semantics::value::{self, Value, out_of_range};
use crate::types::PgType;

const INT2: PgType = PgType::INT2;
const INT4: PgType = PgType::INT4;
const INT8: PgType = PgType::INT8;
const FLOAT4: PgType = PgType::FLOAT4;
const FLOAT8: PgType = PgType::FLOAT8;
const NUMERIC: PgType = PgType::NUMERIC;

pub(super) const OPERATORS: &[Overload] = &[
    vector("+", &[INT2, INT2], INT2, add),
    vector("+", &[INT4, INT4], INT4, add),
    vector("+", &[INT8, INT8], INT8, add),
    vector("-", &[INT2, INT2], INT2, subtract),
    vector("-", &[INT4, INT4], INT4, subtract),
    vector("-", &[INT8, INT8], INT8, subtract),
    vector("*", &[INT2, INT2], INT2, multiply),
    vector("*", &[INT4, INT4], INT4, multiply),
    vector("*", &[INT8, INT8], INT8, multiply),
    vector("/", &[INT2, INT2], INT2, divide),
    vector("/", &[INT4, INT4], INT4, divide),
    vector("/", &[INT8, INT8], INT8, divide),
    vector("%", &[INT2, INT2], INT2, modulo),
    vector("%", &[INT4, INT4], INT4, modulo),
    vector("%", &[INT8, INT8], INT8, modulo),
    vector("mod", &[INT2, INT2], INT2, modulo),
    vector("mod", &[INT4, INT4], INT4, modulo),
    vector("mod", &[INT8, INT8], INT8, modulo),
    vector("+", &[FLOAT4, FLOAT4], FLOAT4, float_add),
    vector("-", &[FLOAT4, FLOAT4], FLOAT4, float_subtract),
    vector("*", &[FLOAT4, FLOAT4], FLOAT4, float_multiply),
    vector("/", &[FLOAT4, FLOAT4], FLOAT4, float_divide),
    vector("+", &[FLOAT8, FLOAT8], FLOAT8, float_add),
    vector("-", &[FLOAT8, FLOAT8], FLOAT8, float_subtract),
    vector("*", &[FLOAT8, FLOAT8], FLOAT8, float_multiply),
    vector("/", &[FLOAT8, FLOAT8], FLOAT8, float_divide),
    engine("+", &[FLOAT4, FLOAT8], FLOAT8, |types, args| {
        doubles("+", types, args)
    }),
    engine("+", &[FLOAT8, FLOAT4], FLOAT8, |types, args| {
        doubles("+", types, args)
    }),
    engine("-", &[FLOAT4, FLOAT8], FLOAT8, |types, args| {
        doubles("-", types, args)
    }),
    engine("-", &[FLOAT8, FLOAT4], FLOAT8, |types, args| {
        doubles("-", types, args)
    }),
    engine("*", &[FLOAT4, FLOAT8], FLOAT8, |types, args| {
        doubles("*", types, args)
    }),
    engine("*", &[FLOAT8, FLOAT4], FLOAT8, |types, args| {
        doubles("*", types, args)
    }),
    engine("/", &[FLOAT4, FLOAT8], FLOAT8, |types, args| {
        doubles("/", types, args)
    }),
    engine("/", &[FLOAT8, FLOAT4], FLOAT8, |types, args| {
        doubles("/", types, args)
    }),
    engine("+", &[NUMERIC, NUMERIC], NUMERIC, |types, args| {
        decimal(types, args, Operator::Plus, "numeric_add")
    }),
    engine("-", &[NUMERIC, NUMERIC], NUMERIC, |types, args| {
        decimal(types, args, Operator::Minus, "numeric_sub")
    }),
    engine("*", &[NUMERIC, NUMERIC], NUMERIC, |types, args| {
        decimal(types, args, Operator::Multiply, "numeric_mul")
    }),
    engine("/", &[NUMERIC, NUMERIC], NUMERIC, |types, args| {
        call_of("numeric_div", types.to_vec(), args)
    }),
    engine("%", &[NUMERIC, NUMERIC], NUMERIC, |types, args| {
        call_of("numeric_mod", types.to_vec(), args)
    }),
    engine("^", &[FLOAT8, FLOAT8], FLOAT8, |types, args| {
        call_of("power", types.to_vec(), args)
    }),
    engine("^", &[NUMERIC, NUMERIC], NUMERIC, |types, args| {
        call_of("power", types.to_vec(), args)
    }),
    strict(
        "numeric_add",
        &[NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| match row {
            [Value::Numeric(a), Value::Numeric(b)] => Ok(Value::Numeric(a.add(b))),
            _ => Err(misfit()),
        },
    ),
    strict(
        "numeric_sub",
        &[NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| match row {
            [Value::Numeric(a), Value::Numeric(b)] => Ok(Value::Numeric(a.add(&b.negate()))),
            _ => Err(misfit()),
        },
    ),
    strict(
        "numeric_mul",
        &[NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| match row {
            [Value::Numeric(a), Value::Numeric(b)] => Ok(Value::Numeric(a.multiply(b))),
            _ => Err(misfit()),
        },
    ),
    strict(
        "numeric_div",
        &[NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| match row {
            [Value::Numeric(a), Value::Numeric(b)] => Ok(Value::Numeric(a.divide(b)?)),
            _ => Err(misfit()),
        },
    ),
    strict(
        "numeric_mod",
        &[NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| match row {
            [Value::Numeric(a), Value::Numeric(b)] => Ok(Value::Numeric(a.modulo(b)?)),
            _ => Err(misfit()),
        },
    )
    .typed(|typing| match typing.types {
        [a, b] => modulo_type(*a, *b),
        _ => NUMERIC,
    }),
    strict("bitnot", &[INT2], INT2, bit_not),
    strict("bitnot", &[INT4], INT4, bit_not),
    strict("bitnot", &[INT8], INT8, bit_not),
    strict("&", &[INT2, INT2], INT2, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a & b)),
        _ => Err(misfit()),
    }),
    strict("&", &[INT4, INT4], INT4, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a & b)),
        _ => Err(misfit()),
    }),
    strict("&", &[INT8, INT8], INT8, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a & b)),
        _ => Err(misfit()),
    }),
    strict("|", &[INT2, INT2], INT2, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a | b)),
        _ => Err(misfit()),
    }),
    strict("|", &[INT4, INT4], INT4, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a | b)),
        _ => Err(misfit()),
    }),
    strict("|", &[INT8, INT8], INT8, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a | b)),
        _ => Err(misfit()),
    }),
    strict("#", &[INT2, INT2], INT2, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a ^ b)),
        _ => Err(misfit()),
    }),
    strict("#", &[INT4, INT4], INT4, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a ^ b)),
        _ => Err(misfit()),
    }),
    strict("#", &[INT8, INT8], INT8, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a ^ b)),
        _ => Err(misfit()),
    }),
    strict("<<", &[INT4, INT4], INT4, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => {
            Ok(Value::Int(i64::from((*a as i32).wrapping_shl(*b as u32))))
        }
        _ => Err(misfit()),
    }),
    strict("<<", &[INT8, INT4], INT8, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a.wrapping_shl(*b as u32))),
        _ => Err(misfit()),
    }),
    strict(">>", &[INT4, INT4], INT4, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => {
            Ok(Value::Int(i64::from((*a as i32).wrapping_shr(*b as u32))))
        }
        _ => Err(misfit()),
    }),
    strict(">>", &[INT8, INT4], INT8, |_, row| match row {
        [Value::Int(a), Value::Int(b)] => Ok(Value::Int(a.wrapping_shr(*b as u32))),
        _ => Err(misfit()),
    }),
];

pub(super) fn misfit() -> Error {
    Error::internal("a function met arguments of other types than it takes")
}

fn bit_not(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [Value::Int(a)] => Ok(Value::Int(!a)),
        _ => Err(misfit()),
    }
}

/// real with double precision is computed in double precision.
fn doubles(symbol: &str, types: &[PgType], args: Vec<Expr>) -> EngineResult<Expr> {
    let args = args
        .into_iter()
        .zip(types)
        .map(|(arg, own)| cast_expr(arg, Known::Typed(*own), FLOAT8, None, Asked::Implicitly))
        .collect::<EngineResult<Vec<_>>>()?;
    call_of(symbol, vec![FLOAT8, FLOAT8], args)
}

/// Stays a plain operation of the engine unless a side has no declared scale
/// or the result needs more digits than a carrier has.
fn decimal(
    types: &[PgType],
    args: Vec<Expr>,
    operator: Operator,
    exact: &str,
) -> EngineResult<Expr> {
    let [Some(left), Some(right)] = [types.first(), types.get(1)].map(|t| t.and_then(bounds))
    else {
        return call_of(exact, types.to_vec(), args);
    };
    if args.iter().all(|arg| matches!(arg, Expr::Literal(..))) {
        return constant(exact, types, args, operator, (left, right));
    }
    let scale = match operator {
        Operator::Multiply => left.1 + right.1,
        _ => left.1.max(right.1),
    };
    if scale > 76 {
        return call_of(exact, types.to_vec(), args);
    }
    let digits = match operator {
        Operator::Multiply => left.0 + right.0,
        _ => scale + (left.0 - left.1).max(right.0 - right.1) + 1,
    };
    // declared widths are far more than values need: products keep to 38 digits
    // until both sides are wide, and fail there rather than wrap
    let wide = scale > 38 || digits > 50;
    let mut args = args.into_iter();
    let (Some(a), Some(b)) = (args.next(), args.next()) else {
        return Err(misfit().into());
    };
    let (a, b) = match wide {
        true => (widened(a, left), widened(b, right)),
        false => (a, b),
    };
    Ok(Expr::BinaryExpr(BinaryExpr::new(
        Box::new(a),
        operator,
        Box::new(b),
    )))
}

/// Constants are computed exactly and keep the scale of the result.
fn constant(
    exact: &str,
    types: &[PgType],
    args: Vec<Expr>,
    operator: Operator,
    (left, right): ((i32, i32), (i32, i32)),
) -> EngineResult<Expr> {
    let computed = call_of(exact, types.to_vec(), args)?;
    let scale = match operator {
        Operator::Multiply => left.1 + right.1,
        _ => left.1.max(right.1),
    };
    match &computed {
        Expr::Literal(value, _) => {
            let row = value::read(&value::plain(&value.to_array()?)?, 0)?;
            let Value::Numeric(number) = row else {
                return Ok(computed);
            };
            let scaled = Numeric::new(number.at_scale(scale as u32), scale as u32);
            Ok(casts::literal(Value::Numeric(scaled), NUMERIC)?)
        }
        _ => Ok(computed),
    }
}

fn widened(expr: Expr, (precision, scale): (i32, i32)) -> Expr {
    let data_type = DataType::Decimal256(precision as u8, scale as i8);
    Expr::Cast(Cast::new_from_field(
        Box::new(expr),
        Field::new("", data_type, true).into(),
    ))
}

/// Precision and scale of a numeric whose carrier has them.
fn bounds(pg_type: &PgType) -> Option<(i32, i32)> {
    pg_type.numeric_precision().filter(|(precision, scale)| {
        (0..=76).contains(precision) && (0..=*precision).contains(scale)
    })
}

fn modulo_type(a: PgType, b: PgType) -> PgType {
    match (bounds(&a), bounds(&b)) {
        (Some((p1, s1)), Some((p2, s2))) => {
            let scale = s1.max(s2);
            let precision = (p1 - s1).max(p2 - s2) + scale;
            match precision {
                1..=76 => PgType::numeric(precision as u8, scale as i8),
                _ => NUMERIC,
            }
        }
        _ => NUMERIC,
    }
}

type Kernel = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>;

fn add(call: &Call<'_>, args: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    checked(call, args, kernels::add)
}

fn subtract(call: &Call<'_>, args: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    checked(call, args, kernels::sub)
}

fn multiply(call: &Call<'_>, args: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    checked(call, args, kernels::mul)
}

fn divide(call: &Call<'_>, args: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    checked(call, args, kernels::div)
}

fn modulo(call: &Call<'_>, args: &[ColumnarValue], _: usize) -> Result<ColumnarValue> {
    checked(call, args, kernels::rem)
}

fn checked(call: &Call<'_>, args: &[ColumnarValue], kernel: Kernel) -> Result<ColumnarValue> {
    let [left, right] = args else {
        return Err(misfit());
    };
    let result = match (left, right) {
        (ColumnarValue::Array(a), ColumnarValue::Array(b)) => kernel(a, b),
        (ColumnarValue::Array(a), ColumnarValue::Scalar(b)) => kernel(a, &b.to_scalar()?),
        (ColumnarValue::Scalar(a), ColumnarValue::Array(b)) => kernel(&a.to_scalar()?, b),
        (ColumnarValue::Scalar(a), ColumnarValue::Scalar(b)) => {
            kernel(&a.to_scalar()?, &b.to_scalar()?)
        }
    };
    let array = result.map_err(|error| match error {
        ArrowError::ArithmeticOverflow(_) => out_of_range(&type_name(call.returns)),
        ArrowError::DivideByZero => division_by_zero(),
        other => other.into(),
    })?;
    back(array, args)
}

/// A scalar if all arguments were.
fn back(array: ArrayRef, args: &[ColumnarValue]) -> Result<ColumnarValue> {
    let scalar = args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    Ok(match scalar {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
        false => ColumnarValue::Array(array),
    })
}

fn float_add(_: &Call<'_>, args: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    floats(args, rows, |a, b| finite(a, b, a + b))
}

fn float_subtract(_: &Call<'_>, args: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    floats(args, rows, |a, b| finite(a, b, a - b))
}

fn float_multiply(_: &Call<'_>, args: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    floats(args, rows, |a, b| {
        let product = finite(a, b, a * b)?;
        match product == 0.0 && a != 0.0 && b != 0.0 {
            true => Err(underflow()),
            false => Ok(product),
        }
    })
}

fn float_divide(_: &Call<'_>, args: &[ColumnarValue], rows: usize) -> Result<ColumnarValue> {
    floats(args, rows, |a, b| {
        if b == 0.0 && !a.is_nan() {
            return Err(division_by_zero());
        }
        let quotient = finite(a, b, a / b)?;
        match quotient == 0.0 && a != 0.0 && b.is_finite() {
            true => Err(underflow()),
            false => Ok(quotient),
        }
    })
}

fn finite(a: f64, b: f64, result: f64) -> Result<f64> {
    match result.is_infinite() && a.is_finite() && b.is_finite() {
        true => Err(overflow()),
        false => Ok(result),
    }
}

pub(super) fn overflow() -> Error {
    Error::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value out of range: overflow",
    )
}

pub(super) fn underflow() -> Error {
    Error::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "value out of range: underflow",
    )
}

fn floats(
    args: &[ColumnarValue],
    rows: usize,
    operation: impl Fn(f64, f64) -> Result<f64>,
) -> Result<ColumnarValue> {
    let scalar = args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if scalar { 1 } else { rows };
    let [left, right] = args else {
        return Err(misfit());
    };
    let (left, right) = (left.to_array(rows)?, right.to_array(rows)?);
    let array: ArrayRef = match left.data_type() {
        DataType::Float32 => std::sync::Arc::new(try_binary::<_, _, _, Float32Type>(
            left.as_primitive::<Float32Type>(),
            right.as_primitive::<Float32Type>(),
            |a, b| single(operation(a.into(), b.into())?, a, b),
        )?),
        _ => std::sync::Arc::new(try_binary::<_, _, _, Float64Type>(
            left.as_primitive::<Float64Type>(),
            right.as_primitive::<Float64Type>(),
            |a, b| Ok(operation(a, b)?),
        )?),
    };
    back(array, args)
}

/// Rounded once to single precision: products and quotients of two singles
/// are the same when they are computed in double precision first.
fn single(result: f64, a: f32, b: f32) -> Result<f32, ArrowError> {
    let rounded = result as f32;
    if rounded.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(overflow().into());
    }
    if rounded == 0.0 && result != 0.0 {
        return Err(underflow().into());
    }
    Ok(rounded)
}
