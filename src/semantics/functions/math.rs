//! Mathematical functions (section 9.3 of the manual).

use super::arithmetic::{misfit, overflow, underflow};
use super::{Call, Overload, Typing, strict};
use crate::error::{Error, Result, SqlState};
use crate::semantics::numeric::{Numeric, division_by_zero};
use crate::semantics::typed::type_name;
use crate::semantics::value::{Value, out_of_range};
use crate::types::PgType;

const INT2: PgType = PgType::INT2;
const INT4: PgType = PgType::INT4;
const INT8: PgType = PgType::INT8;
const FLOAT4: PgType = PgType::FLOAT4;
const FLOAT8: PgType = PgType::FLOAT8;
const NUMERIC: PgType = PgType::NUMERIC;

macro_rules! float {
    ($name:literal, $body:expr) => {
        strict($name, &[FLOAT8], FLOAT8, |_, row| match row {
            [Value::Float8(x)] => {
                let body: fn(f64) -> Result<f64> = $body;
                Ok(Value::Float8(body(*x)?))
            }
            _ => Err(misfit()),
        })
    };
}

macro_rules! numeric {
    ($name:literal, $body:expr) => {
        strict($name, &[NUMERIC], NUMERIC, |_, row| match row {
            [Value::Numeric(x)] => {
                let body: fn(&Numeric) -> Result<Numeric> = $body;
                Ok(Value::Numeric(body(x)?))
            }
            _ => Err(misfit()),
        })
    };
}

macro_rules! integer {
    ($name:literal, $type:expr, $body:expr) => {
        strict($name, &[$type], $type, |call, row| match row {
            [Value::Int(x)] => {
                let body: fn(i64) -> Option<i64> = $body;
                checked(call, body(*x))
            }
            _ => Err(misfit()),
        })
    };
}

macro_rules! integers {
    ($name:literal, $type:expr, $body:expr) => {
        strict($name, &[$type, $type], $type, |call, row| match row {
            [Value::Int(x), Value::Int(y)] => {
                let body: fn(i64, i64) -> Option<i64> = $body;
                checked(call, body(*x, *y))
            }
            _ => Err(misfit()),
        })
    };
}

pub(super) const FUNCTIONS: &[Overload] = &[
    integer!("abs", INT2, i64::checked_abs),
    integer!("abs", INT4, i64::checked_abs),
    integer!("abs", INT8, i64::checked_abs),
    strict("abs", &[FLOAT4], FLOAT4, |_, row| match row {
        [Value::Float4(x)] => Ok(Value::Float4(x.abs())),
        _ => Err(misfit()),
    }),
    float!("abs", |x| Ok(x.abs())),
    numeric!("abs", |x| Ok(x.abs())).typed(same),
    float!("ceil", |x| Ok(x.ceil())),
    float!("ceiling", |x| Ok(x.ceil())),
    float!("floor", |x| Ok(x.floor())),
    float!("round", |x| Ok(x.round_ties_even())),
    float!("trunc", |x| Ok(x.trunc())),
    numeric!("ceil", |x| Ok(x.ceil())).typed(whole),
    numeric!("ceiling", |x| Ok(x.ceil())).typed(whole),
    numeric!("floor", |x| Ok(x.floor())).typed(whole),
    numeric!("round", |x| Ok(x.round(0))).typed(whole),
    numeric!("trunc", |x| Ok(x.trunc(0))).typed(whole),
    strict("round", &[NUMERIC, INT4], NUMERIC, |_, row| match row {
        [Value::Numeric(x), Value::Int(digits)] => Ok(Value::Numeric(x.round(places(*digits)))),
        _ => Err(misfit()),
    })
    .typed(rounded),
    strict("trunc", &[NUMERIC, INT4], NUMERIC, |_, row| match row {
        [Value::Numeric(x), Value::Int(digits)] => Ok(Value::Numeric(x.trunc(places(*digits)))),
        _ => Err(misfit()),
    })
    .typed(rounded),
    float!("sign", |x| Ok(if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x.abs()
    })),
    numeric!("sign", |x| Ok(Numeric::from(
        match (x.is_zero(), x.is_negative()) {
            (true, _) => 0,
            (_, true) => -1,
            _ => 1,
        }
    )))
    .typed(|_| PgType::numeric(1, 0)),
    float!("sqrt", |x| match x < 0.0 {
        true => Err(power_argument(
            "cannot take square root of a negative number"
        )),
        false => Ok(x.sqrt()),
    }),
    numeric!("sqrt", Numeric::sqrt),
    float!("cbrt", |x| Ok(x.cbrt())),
    float!("exp", |x| range(x, x.exp())),
    numeric!("exp", Numeric::exp),
    float!("ln", |x| logarithm(x).map(|()| x.ln())),
    numeric!("ln", Numeric::ln),
    float!("log", |x| logarithm(x).map(|()| x.log10())),
    float!("log10", |x| logarithm(x).map(|()| x.log10())),
    numeric!("log", |x| x.log(&Numeric::from(10))),
    numeric!("log10", |x| x.log(&Numeric::from(10))),
    strict("log", &[NUMERIC, NUMERIC], NUMERIC, |_, row| match row {
        [Value::Numeric(base), Value::Numeric(x)] => Ok(Value::Numeric(x.log(base)?)),
        _ => Err(misfit()),
    }),
    strict("power", &[FLOAT8, FLOAT8], FLOAT8, float_power),
    strict("pow", &[FLOAT8, FLOAT8], FLOAT8, float_power),
    strict("power", &[NUMERIC, NUMERIC], NUMERIC, numeric_power),
    strict("pow", &[NUMERIC, NUMERIC], NUMERIC, numeric_power),
    strict("mod", &[NUMERIC, NUMERIC], NUMERIC, |_, row| match row {
        [Value::Numeric(a), Value::Numeric(b)] => Ok(Value::Numeric(a.modulo(b)?)),
        _ => Err(misfit()),
    }),
    strict("div", &[NUMERIC, NUMERIC], NUMERIC, |_, row| match row {
        [Value::Numeric(a), Value::Numeric(b)] => {
            let scale = a.scale.max(b.scale);
            if b.is_zero() {
                return Err(division_by_zero());
            }
            Ok(Value::Numeric(Numeric::new(
                a.at_scale(scale) / b.at_scale(scale),
                0,
            )))
        }
        _ => Err(misfit()),
    }),
    integers!("gcd", INT4, |a, b| i64::try_from(gcd(a, b)).ok()),
    integers!("gcd", INT8, |a, b| i64::try_from(gcd(a, b)).ok()),
    integers!("lcm", INT4, lcm),
    integers!("lcm", INT8, lcm),
    strict("factorial", &[INT8], NUMERIC, |_, row| match row {
        [Value::Int(n)] => factorial(*n),
        _ => Err(misfit()),
    }),
    strict("scale", &[NUMERIC], INT4, |_, row| match row {
        [Value::Numeric(x)] => Ok(Value::Int(x.scale.into())),
        _ => Err(misfit()),
    }),
    strict("min_scale", &[NUMERIC], INT4, |_, row| match row {
        [Value::Numeric(x)] => Ok(Value::Int(x.clone().trimmed().scale.into())),
        _ => Err(misfit()),
    }),
    numeric!("trim_scale", |x| Ok(x.clone().trimmed())),
    float!("degrees", |x| range(x, x.to_degrees())),
    float!("radians", |x| Ok(x.to_radians())),
    float!("sin", |x| trigonometric(x, x.sin())),
    float!("cos", |x| trigonometric(x, x.cos())),
    float!("tan", |x| trigonometric(x, x.tan())),
    float!("cot", |x| trigonometric(x, 1.0 / x.tan())),
    float!("asin", |x| trigonometric(x, x.asin())),
    float!("acos", |x| trigonometric(x, x.acos())),
    float!("atan", |x| Ok(x.atan())),
    float!("sinh", |x| Ok(x.sinh())),
    float!("cosh", |x| Ok(x.cosh())),
    float!("tanh", |x| Ok(x.tanh())),
    float!("asinh", |x| Ok(x.asinh())),
    float!("acosh", |x| trigonometric(x, x.acosh())),
    float!("atanh", |x| trigonometric(x, x.atanh())),
    strict(
        "numeric_var_samp",
        &[NUMERIC, NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| spread(row, Sample::Some, Root::No),
    ),
    strict(
        "numeric_var_pop",
        &[NUMERIC, NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| spread(row, Sample::All, Root::No),
    ),
    strict(
        "numeric_stddev_samp",
        &[NUMERIC, NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| spread(row, Sample::Some, Root::Yes),
    ),
    strict(
        "numeric_stddev_pop",
        &[NUMERIC, NUMERIC, NUMERIC],
        NUMERIC,
        |_, row| spread(row, Sample::All, Root::Yes),
    ),
    strict("atan2", &[FLOAT8, FLOAT8], FLOAT8, |_, row| match row {
        [Value::Float8(y), Value::Float8(x)] => Ok(Value::Float8(y.atan2(*x))),
        _ => Err(misfit()),
    }),
    strict("pi", &[], FLOAT8, |_, _| {
        Ok(Value::Float8(std::f64::consts::PI))
    }),
    strict(
        "width_bucket",
        &[FLOAT8, FLOAT8, FLOAT8, INT4],
        INT4,
        |_, row| match row {
            [
                Value::Float8(x),
                Value::Float8(low),
                Value::Float8(high),
                Value::Int(count),
            ] => width_bucket(*x, *low, *high, *count),
            _ => Err(misfit()),
        },
    ),
    strict(
        "width_bucket",
        &[NUMERIC, NUMERIC, NUMERIC, INT4],
        INT4,
        |_, row| match row {
            [
                Value::Numeric(x),
                Value::Numeric(low),
                Value::Numeric(high),
                Value::Int(count),
            ] => numeric_bucket(x, low, high, *count),
            _ => Err(misfit()),
        },
    ),
];

fn checked(call: &Call<'_>, value: Option<i64>) -> Result<Value> {
    value
        .map(Value::Int)
        .ok_or_else(|| out_of_range(&type_name(call.returns)))
}

fn places(digits: i64) -> i32 {
    digits.clamp(-1_000, 1_000) as i32
}

fn power_argument(message: &str) -> Error {
    Error::new(SqlState::INVALID_POWER_ARGUMENT, message)
}

fn logarithm(x: f64) -> Result<()> {
    let what = if x == 0.0 {
        "zero"
    } else if x < 0.0 {
        "a negative number"
    } else {
        return Ok(());
    };
    Err(Error::new(
        SqlState::INVALID_LOGARITHM_ARGUMENT,
        format!("cannot take logarithm of {what}"),
    ))
}

fn range(x: f64, result: f64) -> Result<f64> {
    if result.is_infinite() && x.is_finite() {
        return Err(overflow());
    }
    if result == 0.0 && x.is_finite() && x != 0.0 {
        return Err(underflow());
    }
    Ok(result)
}

fn trigonometric(x: f64, result: f64) -> Result<f64> {
    match result.is_nan() && !x.is_nan() {
        true => Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "input is out of range",
        )),
        false => Ok(result),
    }
}

fn float_power(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    let [Value::Float8(x), Value::Float8(y)] = row else {
        return Err(misfit());
    };
    if *x == 0.0 && *y < 0.0 {
        return Err(power_argument(
            "zero raised to a negative power is undefined",
        ));
    }
    if *x < 0.0 && x.is_finite() && y.is_finite() && y.fract() != 0.0 {
        return Err(power_argument(
            "a negative number raised to a non-integer power yields a complex result",
        ));
    }
    let result = x.powf(*y);
    if result.is_infinite() && x.is_finite() && y.is_finite() {
        return Err(overflow());
    }
    if result == 0.0 && *x != 0.0 && x.is_finite() && y.is_finite() {
        return Err(underflow());
    }
    Ok(Value::Float8(result))
}

fn numeric_power(_: &Call<'_>, row: &[Value]) -> Result<Value> {
    match row {
        [Value::Numeric(x), Value::Numeric(y)] => Ok(Value::Numeric(x.power(y)?)),
        _ => Err(misfit()),
    }
}

fn gcd(a: i64, b: i64) -> u64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(a: i64, b: i64) -> Option<i64> {
    if a == 0 || b == 0 {
        return Some(0);
    }
    let parts = i64::try_from(gcd(a, b)).ok()?;
    (a / parts).checked_mul(b)?.checked_abs()
}

fn factorial(n: i64) -> Result<Value> {
    if n < 0 {
        return Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "factorial of a negative number is undefined",
        ));
    }
    if n > 32_177 {
        return Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "value overflows numeric format",
        ));
    }
    let product = (2..=n.min(60)).fold(Numeric::from(1), |product, factor| {
        product.multiply(&Numeric::from(factor))
    });
    Ok(Value::Numeric(product))
}

#[derive(Clone, Copy, PartialEq)]
enum Sample {
    Some,
    All,
}

#[derive(Clone, Copy, PartialEq)]
enum Root {
    Yes,
    No,
}

/// numeric_stddev_internal: of count, sum and sum of squares.
fn spread(row: &[Value], sample: Sample, root: Root) -> Result<Value> {
    let [
        Value::Numeric(count),
        Value::Numeric(sum),
        Value::Numeric(squares),
    ] = row
    else {
        return Err(misfit());
    };
    let one = Numeric::from(1);
    let least = if sample == Sample::Some { 1 } else { 0 };
    if count.compare(&Numeric::from(least)).is_le() {
        return Ok(Value::Null);
    }
    let dividend = squares.multiply(count).add(&sum.multiply(sum).negate());
    if dividend.is_zero() || dividend.is_negative() {
        return Ok(Value::Numeric(Numeric::from(0)));
    }
    let divisor = match sample {
        Sample::Some => count.multiply(&count.add(&one.negate())),
        Sample::All => count.multiply(count),
    };
    let variance = dividend.divide(&divisor)?;
    Ok(Value::Numeric(match root {
        Root::Yes => variance.sqrt()?,
        Root::No => variance,
    }))
}

fn bucket_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_WIDTH_BUCKET_ARGUMENT, message)
}

fn width_bucket(x: f64, low: f64, high: f64, count: i64) -> Result<Value> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if x.is_nan() || low.is_nan() || high.is_nan() {
        return Err(bucket_error(
            "operand, lower bound, and upper bound cannot be NaN",
        ));
    }
    if low == high {
        return Err(bucket_error("lower bound cannot equal upper bound"));
    }
    let (x, low, high) = if low < high {
        (x, low, high)
    } else {
        (-x, -low, -high)
    };
    Ok(Value::Int(if x < low {
        0
    } else if x >= high {
        count + 1
    } else {
        ((count as f64 * ((x - low) / (high - low))) as i64 + 1).min(count)
    }))
}

fn numeric_bucket(x: &Numeric, low: &Numeric, high: &Numeric, count: i64) -> Result<Value> {
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    let (x, low, high) = match low.compare(high) {
        std::cmp::Ordering::Equal => {
            return Err(bucket_error("lower bound cannot equal upper bound"));
        }
        std::cmp::Ordering::Less => (x.clone(), low.clone(), high.clone()),
        std::cmp::Ordering::Greater => (x.negate(), low.negate(), high.negate()),
    };
    if x.compare(&low).is_lt() {
        return Ok(Value::Int(0));
    }
    if x.compare(&high).is_ge() {
        return Ok(Value::Int(count + 1));
    }
    let offset = x.add(&low.negate()).multiply(&Numeric::from(count));
    let width = high.add(&low.negate());
    let scale = offset.scale.max(width.scale);
    let bucket = Numeric::new(offset.at_scale(scale) / width.at_scale(scale), 0);
    Ok(Value::Int(bucket.to_integer().unwrap_or(0) + 1))
}

fn same(typing: &Typing<'_>) -> PgType {
    typing.types.first().copied().unwrap_or(NUMERIC)
}

/// No fraction; one digit more, because rounding can carry.
fn whole(typing: &Typing<'_>) -> PgType {
    with_scale(same(typing), 0)
}

fn rounded(typing: &Typing<'_>) -> PgType {
    use datafusion::common::ScalarValue;
    let digits = match typing.literals.get(1) {
        Some(Some(ScalarValue::Int32(Some(digits)))) => i64::from(*digits),
        Some(Some(ScalarValue::Int64(Some(digits)))) => *digits,
        _ => return NUMERIC,
    };
    with_scale(same(typing), digits.max(0))
}

fn with_scale(own: PgType, scale: i64) -> PgType {
    let Some((precision, own_scale)) = own.numeric_precision() else {
        return NUMERIC;
    };
    let precision = i64::from(precision) - i64::from(own_scale) + 1 + scale;
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=76), Ok(scale)) => PgType::numeric(precision, scale),
        _ => NUMERIC,
    }
}
