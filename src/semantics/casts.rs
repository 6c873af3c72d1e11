//! Casts as Postgres does them (chapter 10 and section 4.2.9 of the manual):
//! which exist, what a literal becomes at once, which the engine's own cast
//! does as well, and a function for all others.

use std::hash::Hash;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options, try_unary};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, FieldRef, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{Cast, Placeholder};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::calendar;
use super::functions::{context_of, row_wise};
use super::numeric::Numeric;
use super::text_in::{self, Context};
use super::text_out;
use super::typed::{
    self, Known, cast_field, field_of, is_float, is_integer, is_numeric, is_text, type_name,
    typed_literal,
};
use super::value::{self, Value, out_of_range};
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// Does the statement ask for the cast, or does an operator?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Explicitly,
    Implicitly,
}

/// The expression as a value of `target`. `context` is `None` while planning,
/// where the session is not known: what depends on it stays a plain cast then.
pub(super) fn cast_expr(
    expr: Expr,
    from: Known,
    target: PgType,
    context: Option<Context>,
    asked: Asked,
) -> EngineResult<Expr> {
    match (expr, from) {
        (Expr::Alias(alias), from) => cast_expr(*alias.expr, from, target, context, asked),
        (Expr::Placeholder(Placeholder { id, field: None }), _) => Ok(Expr::Placeholder(
            Placeholder::new_with_field(id, Some(field_of(target, ""))),
        )),
        (Expr::Literal(value, _), Known::Unknown) => unknown_literal(value, target, context, asked),
        // NULL columns: the engine casts them to anything
        (expr, Known::Unknown) => Ok(plain_cast(expr, target)),
        (expr, Known::Typed(from)) => typed_cast(expr, from, target, context),
    }
}

fn plain_cast(expr: Expr, target: PgType) -> Expr {
    Expr::Cast(Cast::new_from_field(Box::new(expr), cast_field(target)))
}

fn unknown_literal(
    value: ScalarValue,
    target: PgType,
    context: Option<Context>,
    asked: Asked,
) -> EngineResult<Expr> {
    let ScalarValue::Utf8(Some(text)) = value else {
        let null = ScalarValue::try_from(field_of(target, "").data_type())?;
        return Ok(typed_literal(null, target));
    };
    let needs_session = depends_on_session(target) || text_is_relative(&text, target);
    let context = match context {
        Some(context) => context,
        None if needs_session => {
            let literal = Expr::Literal(ScalarValue::Utf8(Some(text)), None);
            return Ok(plain_cast(literal, target));
        }
        None => Context {
            zone: calendar::Zone::Fixed(0),
            now: 0,
        },
    };
    let mut value = text_in::parse(&text, target, context)?;
    if target.typmod != -1 {
        value = text_in::with_modifier(value, target)?;
    }
    // a comparison with char(n) ignores the spaces at the end
    if let (Value::Text(text), true) = (&mut value, target.oid == PgType::BPCHAR.oid) {
        text.truncate(text.trim_end_matches(' ').len());
    }
    let _ = asked;
    Ok(literal(value, target)?)
}

/// `now`, `today` and the like change with the clock.
fn text_is_relative(text: &str, target: PgType) -> bool {
    matches!(target.oid, 1082 | 1083 | 1114 | 1184)
        && ["now", "today", "tomorrow", "yesterday"]
            .iter()
            .any(|word| text.to_ascii_lowercase().contains(word))
}

/// A value as a literal of a type. Numerics without a declared scale take the
/// narrowest carrier, so that comparisons with columns stay cheap.
pub(super) fn literal(value: Value, target: PgType) -> Result<Expr> {
    if let (Value::Numeric(number), true) = (&value, target == PgType::NUMERIC)
        && let Some(narrow) = narrow_numeric(number)
    {
        return literal(value, narrow);
    }
    let field = field_of(target, "");
    let array = value::build(vec![value], field.data_type())?;
    Ok(typed_literal(value::scalar(&array)?, target))
}

fn narrow_numeric(number: &Numeric) -> Option<PgType> {
    let digits = number.unscaled.magnitude().to_string().len();
    let scale = i8::try_from(number.scale).ok()?;
    let precision = u8::try_from(digits).ok()?.max(scale.unsigned_abs()).max(1);
    (precision <= 38).then(|| PgType::numeric(precision, scale))
}

/// Does reading or printing the type ask for the session's time zone?
pub(super) fn depends_on_session(pg_type: PgType) -> bool {
    let element = pg_type.element().unwrap_or(pg_type);
    element.oid == PgType::TIMESTAMPTZ.oid
}

fn typed_cast(
    expr: Expr,
    from: PgType,
    to: PgType,
    context: Option<Context>,
) -> EngineResult<Expr> {
    if from == to || (from.oid == to.oid && to.typmod == -1) {
        // a bigint whose sign comes later is no integer then
        if let Expr::Literal(value @ ScalarValue::Int64(Some(_)), None) = expr {
            return Ok(typed_literal(value, to));
        }
        return Ok(expr);
    }
    if !exists(from, to) {
        return Err(Error::new(
            SqlState::CANNOT_COERCE,
            format!("cannot cast type {} to {}", type_name(from), type_name(to)),
        )
        .into());
    }
    if keeps_value(from, to) {
        if let Expr::Literal(value, _) = &expr {
            return Ok(typed_literal(
                value.cast_to(field_of(to, "").data_type())?,
                to,
            ));
        }
        return Ok(plain_cast(expr, to));
    }
    let function = CastFunction::new(from, to);
    let anywhere = Context {
        zone: calendar::Zone::Fixed(0),
        now: 0,
    };
    let session = depends_on_session(from) || depends_on_session(to);
    let context = context.or((!session).then_some(anywhere));
    if let (Expr::Literal(value, _), Some(context)) = (&expr, context) {
        let array = value::plain(&value.to_array()?)?;
        // one that fails stays as it is: it may never run
        if let Ok(cast) = convert(value::read(&array, 0)?, from, to, context) {
            return Ok(literal(cast, to)?);
        }
    }
    Ok(ScalarUDF::from(function).call(vec![expr]))
}

/// Casts of the engine that give Postgres's value for every input.
fn keeps_value(from: PgType, to: PgType) -> bool {
    let digits = |pg_type: PgType| match pg_type.oid {
        21 => Some((5, 0)),
        23 => Some((10, 0)),
        20 => Some((19, 0)),
        1700 => Some(
            pg_type
                .numeric_precision()
                .map_or((56, 20), |(p, s)| (p - s, s)),
        ),
        _ => None,
    };
    if is_text(from) && is_text(to) {
        return to.typmod == -1 && !matches!(to.oid, 18 | 19);
    }
    match (from.oid, to.oid) {
        (21, 20 | 23 | 700 | 701) | (23, 20 | 701) | (700, 701) => true,
        (21 | 23 | 20, oid) if typed::is_object_id(PgType::new(oid, -1)) => true,
        (_, 20) if typed::is_object_id(from) => true,
        (1082, 1114) => true,
        (21 | 23 | 20 | 1700, 1700) => match (digits(from), digits(to)) {
            (Some((whole, scale)), Some((to_whole, to_scale))) => {
                whole <= to_whole && scale <= to_scale
            }
            _ => false,
        },
        _ => false,
    }
}

/// Is there such an explicit cast (pg_cast, and text conversions)?
fn exists(from: PgType, to: PgType) -> bool {
    let number = |t: PgType| is_integer(t) || is_float(t) || is_numeric(t);
    if is_text(from) || is_text(to) {
        return true;
    }
    if number(from) && number(to) {
        return true;
    }
    if let (Some(from), Some(to)) = (from.element(), to.element()) {
        return exists(from, to) || from.oid == to.oid;
    }
    if from.oid == to.oid {
        return true;
    }
    let object = typed::is_object_id;
    if (is_integer(from) && object(to)) || (object(from) && (is_integer(to) || object(to))) {
        return true;
    }
    matches!(
        (from.oid, to.oid),
        (16, 23)
            | (23, 16)
            | (1082, 1114 | 1184)
            | (1114, 1082 | 1083 | 1184)
            | (1184, 1082 | 1083 | 1114)
            | (1083, 1186)
            | (1186, 1083)
            | (114, 3802)
            | (3802, 114 | 16 | 20 | 21 | 23 | 700 | 701 | 1700)
    )
}

/// A cast that the engine's own would do differently.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CastFunction {
    from: PgType,
    pub(super) to: PgType,
    name: String,
    signature: Signature,
}

impl CastFunction {
    fn new(from: PgType, to: PgType) -> Self {
        let session = depends_on_session(from) || depends_on_session(to);
        let volatility = match session || matches!(to.oid, 1082 | 1114) {
            true => Volatility::Stable,
            false => Volatility::Immutable,
        };
        CastFunction {
            from,
            to,
            name: format!("cast_to_{}", type_name(to).replace(' ', "_")),
            signature: Signature::user_defined(volatility),
        }
    }
}

impl ScalarUDFImpl for CastFunction {
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
        Ok(field_of(self.to, "").data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> EngineResult<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        let field: Field = field_of(self.to, &self.name).as_ref().clone();
        Ok(field.with_nullable(nullable).into())
    }

    fn evaluate_bounds(&self, _: &[&Interval]) -> EngineResult<Interval> {
        Interval::make_unbounded(field_of(self.to, "").data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let target = args.return_field.data_type();
        if let [ColumnarValue::Array(array)] = args.args.as_slice()
            && let Some(cast) = vectorized(array, target)?
        {
            return Ok(ColumnarValue::Array(cast));
        }
        let context = context_of(&args.config_options);
        let result = row_wise(&args.args, args.number_rows, target, |row| {
            let value = row.first().cloned().unwrap_or(Value::Null);
            convert(value, self.from, self.to, context)
        })?;
        Ok(result)
    }
}

/// Casts between numbers a batch at a time; `None`: row by row, also for the
/// exact error of a value that does not fit.
fn vectorized(array: &ArrayRef, target: &DataType) -> Result<Option<ArrayRef>> {
    Ok(match (array.data_type(), target) {
        (DataType::Float64, DataType::Int16) => {
            Some(rounded::<Float64Type, Int16Type>(array, "smallint")?)
        }
        (DataType::Float64, DataType::Int32) => {
            Some(rounded::<Float64Type, Int32Type>(array, "integer")?)
        }
        (DataType::Float64, DataType::Int64) => {
            Some(rounded::<Float64Type, Int64Type>(array, "bigint")?)
        }
        (DataType::Float32, DataType::Int16) => {
            Some(rounded::<Float32Type, Int16Type>(array, "smallint")?)
        }
        (DataType::Float32, DataType::Int32) => {
            Some(rounded::<Float32Type, Int32Type>(array, "integer")?)
        }
        (DataType::Float32, DataType::Int64) => {
            Some(rounded::<Float32Type, Int64Type>(array, "bigint")?)
        }
        (
            DataType::Int16 | DataType::Int32 | DataType::Int64,
            DataType::Int16
            | DataType::Int32
            | DataType::Utf8View
            | DataType::Float32
            | DataType::Float64,
        ) => {
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(array, target, &options).ok()
        }
        _ => None,
    })
}

fn rounded<F, I>(array: &ArrayRef, type_name: &str) -> Result<ArrayRef>
where
    F: ArrowPrimitiveType<Native: Into<f64>>,
    I: ArrowPrimitiveType<Native: TryFrom<i64>>,
{
    let cast = try_unary::<F, _, I>(array.as_primitive::<F>(), |value| {
        float_to_int(value.into())
            .and_then(|value| I::Native::try_from(value).ok())
            .ok_or_else(|| out_of_range(type_name).into())
    })?;
    Ok(std::sync::Arc::new(cast))
}

/// Half to even, as rint(); `None` outside bigint.
fn float_to_int(value: f64) -> Option<i64> {
    let rounded = value.round_ties_even();
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
        .contains(&rounded)
        .then_some(rounded as i64)
}

/// One value from type to type, its modifier applied.
pub(super) fn convert(value: Value, from: PgType, to: PgType, context: Context) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let cast = convert_type(value, from, to, context)?;
    text_in::with_modifier(cast, to)
}

fn convert_type(value: Value, from: PgType, to: PgType, context: Context) -> Result<Value> {
    if let (Value::List(items), Some(from), Some(to)) = (&value, from.element(), to.element()) {
        let items = items
            .iter()
            .map(|item| convert(item.clone(), from, to, context));
        return Ok(Value::List(items.collect::<Result<_>>()?));
    }
    if is_text(to) {
        return Ok(text_out::text(&value, context.zone).map_or(Value::Null, Value::Text));
    }
    Ok(match (value, to.oid) {
        (Value::Text(text), 3802) => text_in::parse(&text, to, context)?,
        (Value::Text(text), 114) if from.oid == 3802 => Value::Text(text),
        (Value::Text(text), oid) if from.oid == 3802 => jsonb_scalar(&text, oid, to)?,
        (Value::Text(text), _) => text_in::parse(&text, to, context)?,
        (Value::Bool(value), 23) => Value::Int(value.into()),
        (Value::Int(value), 16) => Value::Bool(value != 0),
        (Value::Int(value), 700) => Value::Float4(value as f32),
        (Value::Int(value), 701) => Value::Float8(value as f64),
        (Value::Int(value), 1700) => Value::Numeric(value.into()),
        (Value::Float8(value), 20 | 21 | 23) => integral(float_to_int(value), to)?,
        (Value::Float4(value), 20 | 21 | 23) => integral(float_to_int(value.into()), to)?,
        (Value::Float8(value), 700) => single(value)?,
        (Value::Float4(value), 701) => Value::Float8(value.into()),
        (Value::Float8(value), 1700) => Value::Numeric(Numeric::from_float(value, 15)?),
        (Value::Float4(value), 1700) => Value::Numeric(Numeric::from_float(value.into(), 6)?),
        (Value::Numeric(number), 20 | 21 | 23) => integral(number.to_integer(), to)?,
        (Value::Numeric(number), 700) => single(number.to_f64())?,
        (Value::Numeric(number), 701) => Value::Float8(number.to_f64()),
        (Value::Date(days), 1114) => Value::Timestamp(calendar::midnight(days)?),
        (Value::Date(days), 1184) => {
            Value::TimestampTz(context.zone.instant(calendar::midnight(days)?))
        }
        (Value::Timestamp(micros), 1082) => Value::Date(calendar::date_of(micros)),
        (Value::Timestamp(micros), 1083) => time_of_day(micros),
        (Value::Timestamp(micros), 1184) => Value::TimestampTz(context.zone.instant(micros)),
        (Value::TimestampTz(micros), 1114) => Value::Timestamp(context.zone.local(micros)),
        (Value::TimestampTz(micros), 1082) => {
            Value::Date(calendar::date_of(context.zone.local(micros)))
        }
        (Value::TimestampTz(micros), 1083) => time_of_day(context.zone.local(micros)),
        (Value::Time(micros), 1186) => Value::Interval(value::Interval {
            micros,
            ..value::Interval::default()
        }),
        (Value::Interval(interval), 1083) => Value::Time(interval.micros.rem_euclid(calendar::DAY)),
        (value, _) => value,
    })
}

fn time_of_day(micros: i64) -> Value {
    match calendar::is_infinite(micros) {
        true => Value::Null,
        false => Value::Time(calendar::split(micros).1),
    }
}

fn integral(value: Option<i64>, to: PgType) -> Result<Value> {
    value
        .map(Value::Int)
        .ok_or_else(|| out_of_range(&type_name(to)))
}

fn single(value: f64) -> Result<Value> {
    let narrow = value as f32;
    if narrow.is_infinite() && value.is_finite() {
        return Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "value out of range: overflow",
        ));
    }
    if narrow == 0.0 && value != 0.0 {
        return Err(Error::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "value out of range: underflow",
        ));
    }
    Ok(Value::Float4(narrow))
}

/// Numbers and booleans of jsonb as SQL values.
fn jsonb_scalar(text: &str, oid: u32, to: PgType) -> Result<Value> {
    let kind = match text.as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b'n') => "null",
        Some(b't' | b'f') => "boolean",
        _ => "numeric",
    };
    let wanted = if oid == 16 { "boolean" } else { "numeric" };
    if kind != wanted {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("cannot cast jsonb {kind} to type {}", type_name(to)),
        ));
    }
    if oid == 16 {
        return Ok(Value::Bool(text == "true"));
    }
    let number = Numeric::parse(text).ok_or_else(|| text_in::invalid(PgType::NUMERIC, text))?;
    Ok(match oid {
        1700 => Value::Numeric(number),
        701 => Value::Float8(number.to_f64()),
        700 => single(number.to_f64())?,
        _ => integral(number.to_integer(), to)?,
    })
}
