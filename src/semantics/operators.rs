//! Binary operators: Postgres's types on both sides, then the engine's plain
//! comparison where it agrees, so that filters still reach pruning and the
//! sources. Called while planning (the session unknown) and by the analyzer.

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{BinaryExpr, Cast, InList};
use datafusion::logical_expr::{Expr, Operator};

use super::calendar;
use super::casts::{Asked, cast_expr};
use super::functions::{self, Resolution, unresolved_operator};
use super::text_in::Context;
use super::typed::{
    Category, Known, category, common_type, is_float, is_int4, is_numeric, is_text, typed_literal,
};
use crate::types::PgType;

/// The operator with its operands' types settled; 42883 where none exists.
pub(super) fn binary(
    left: Expr,
    operator: Operator,
    right: Expr,
    schema: &DFSchema,
    context: Option<Context>,
) -> EngineResult<Expr> {
    let (left, right) = (integer_literal(left), integer_literal(right));
    let (left_type, right_type) = (Known::of(&left, schema)?, Known::of(&right, schema)?);
    if let Some(symbol) = comparison_symbol(operator) {
        let sides = ((left, left_type), (right, right_type));
        return comparison(sides.0, operator, symbol, sides.1, schema, context);
    }
    if operator == Operator::StringConcat {
        return concatenation((left, left_type), (right, right_type), context);
    }
    if let Some(symbol) = arithmetic_symbol(operator) {
        return by_symbol(symbol, (left, left_type), (right, right_type), context);
    }
    Ok(plain(left, operator, right))
}

/// An operator of the functions' tables.
pub(super) fn by_symbol(
    symbol: &str,
    (left, left_type): (Expr, Known),
    (right, right_type): (Expr, Known),
    context: Option<Context>,
) -> EngineResult<Expr> {
    let resolution = functions::resolve_operator(symbol, left_type, right_type)?;
    apply(
        resolution,
        vec![(left, left_type), (right, right_type)],
        context,
    )
}

/// A resolved call with its arguments cast to what it takes.
pub(super) fn apply(
    resolution: Resolution,
    args: Vec<(Expr, Known)>,
    context: Option<Context>,
) -> EngineResult<Expr> {
    let args = args
        .into_iter()
        .zip(&resolution.arguments)
        .map(|((arg, known), target)| {
            cast_expr(
                integer_literal(arg),
                known,
                *target,
                context,
                Asked::Implicitly,
            )
        })
        .collect::<EngineResult<Vec<_>>>()?;
    functions::call(resolution, args)
}

/// Whole numbers of the client's text are integers if they fit, as in Postgres.
pub(super) fn integer_literal(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), None) if is_int4(value) => {
            Expr::Literal(ScalarValue::Int32(Some(value as i32)), None)
        }
        Expr::Literal(ScalarValue::UInt64(Some(value)), None) => {
            Expr::Literal(ScalarValue::Decimal128(Some(value.into()), 20, 0), None)
        }
        other => other,
    }
}

fn plain(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

fn comparison_symbol(operator: Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Eq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    })
}

fn arithmetic_symbol(operator: Operator) -> Option<&'static str> {
    Some(match operator {
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Modulo => "%",
        Operator::BitwiseAnd => "&",
        Operator::BitwiseOr => "|",
        Operator::BitwiseXor => "#",
        Operator::BitwiseShiftLeft => "<<",
        Operator::BitwiseShiftRight => ">>",
        _ => return None,
    })
}

fn comparison(
    (left, left_type): (Expr, Known),
    operator: Operator,
    symbol: &str,
    (right, right_type): (Expr, Known),
    schema: &DFSchema,
    context: Option<Context>,
) -> EngineResult<Expr> {
    let (a, b) = match (left_type, right_type) {
        (Known::Unknown, Known::Unknown) => return Ok(plain(left, operator, right)),
        (Known::Typed(a), Known::Unknown) => {
            let right = cast_expr(right, right_type, compared(a), context, Asked::Implicitly)?;
            return settled((left, a), operator, (right, compared(a)));
        }
        (Known::Unknown, Known::Typed(b)) => {
            let left = cast_expr(left, left_type, compared(b), context, Asked::Implicitly)?;
            return settled((left, compared(b)), operator, (right, b));
        }
        (Known::Typed(a), Known::Typed(b)) => (a, b),
    };
    let target = match common_for_comparison(a, b) {
        Common::Same => None,
        Common::Cast(target) => Some(target),
        Common::None => {
            return Err(unresolved_operator(symbol, left_type, right_type, false).into());
        }
    };
    if let Some(dates) = date_with_timestamp((&left, a), operator, (&right, b), schema) {
        return Ok(dates);
    }
    let Some(target) = target else {
        return settled((left, a), operator, (right, b));
    };
    let left = cast_expr(left, left_type, target, context, Asked::Implicitly)?;
    let right = cast_expr(right, right_type, target, context, Asked::Implicitly)?;
    settled((left, target), operator, (right, target))
}

/// The type that a literal takes beside an operand: a column's modifier bounds
/// the column, not what is compared with it.
fn compared(pg_type: PgType) -> PgType {
    PgType::new(pg_type.oid, -1)
}

/// Is there a `=` of the two types?
pub(super) fn have_equality(a: PgType, b: PgType) -> bool {
    !matches!(common_for_comparison(a, b), Common::None)
}

enum Common {
    /// The engine compares them as they are.
    Same,
    Cast(PgType),
    None,
}

fn common_for_comparison(a: PgType, b: PgType) -> Common {
    if a.oid == b.oid {
        return match a.oid {
            // json has no equality
            114 | 142 => Common::None,
            _ => Common::Same,
        };
    }
    if is_text(a) && is_text(b) {
        return Common::Same;
    }
    if category(a) != category(b) {
        return Common::None;
    }
    match category(a) {
        Category::Numeric if is_float(a) || is_float(b) => {
            if is_numeric(a) || is_numeric(b) || a.oid != b.oid {
                return Common::Cast(PgType::FLOAT8);
            }
            Common::Same
        }
        Category::Numeric => Common::Same,
        Category::DateTime => match (a.oid, b.oid) {
            (1082, 1114) | (1114, 1082) => Common::Cast(PgType::TIMESTAMP),
            (1184, 1082 | 1114) | (1082 | 1114, 1184) => Common::Cast(PgType::TIMESTAMPTZ),
            _ => Common::None,
        },
        Category::Array => Common::Same,
        _ => Common::None,
    }
}

/// Both sides have one type now; some types order otherwise than their carriers.
fn settled(
    (left, a): (Expr, PgType),
    operator: Operator,
    (right, b): (Expr, PgType),
) -> EngineResult<Expr> {
    if a.oid == PgType::INTERVAL.oid && b.oid == a.oid {
        let left = functions::call_of("interval_order", vec![a], vec![left])?;
        let right = functions::call_of("interval_order", vec![b], vec![right])?;
        return Ok(plain(left, operator, right));
    }
    if a.oid == PgType::BPCHAR.oid || b.oid == PgType::BPCHAR.oid {
        return Ok(plain(trimmed(left), operator, trimmed(right)));
    }
    if is_float(a) {
        if let Some(zero) = with_zero(&left, operator, &right) {
            return Ok(zero);
        }
        if let Some(swapped) = operator.swap()
            && let Some(zero) = with_zero(&right, swapped, &left)
        {
            return Ok(zero);
        }
    }
    Ok(plain(left, operator, right))
}

/// char(n) compares without the spaces at its end; columns are carried so.
fn trimmed(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(value, metadata) => {
            let cut = |text: &String| text.trim_end_matches(' ').to_string();
            let value = match &value {
                ScalarValue::Utf8(Some(text)) => ScalarValue::Utf8(Some(cut(text))),
                ScalarValue::Utf8View(Some(text)) => ScalarValue::Utf8View(Some(cut(text))),
                _ => value,
            };
            Expr::Literal(value, metadata)
        }
        other => other,
    }
}

/// Negative and positive zero are equal, but the engine orders them.
fn with_zero(side: &Expr, operator: Operator, zero: &Expr) -> Option<Expr> {
    let (minus, plus) = match zero {
        Expr::Literal(ScalarValue::Float64(Some(v)), m) if *v == 0.0 => (
            Expr::Literal(ScalarValue::Float64(Some(-0.0)), m.clone()),
            Expr::Literal(ScalarValue::Float64(Some(0.0)), m.clone()),
        ),
        Expr::Literal(ScalarValue::Float32(Some(v)), m) if *v == 0.0 => (
            Expr::Literal(ScalarValue::Float32(Some(-0.0)), m.clone()),
            Expr::Literal(ScalarValue::Float32(Some(0.0)), m.clone()),
        ),
        _ => return None,
    };
    if !matches!(side, Expr::Column(_) | Expr::Cast(_)) {
        return None;
    }
    let at_least = plain(side.clone(), Operator::GtEq, minus.clone());
    let at_most = plain(side.clone(), Operator::LtEq, plus.clone());
    Some(match operator {
        Operator::Eq => at_least.and(at_most),
        Operator::NotEq => {
            plain(side.clone(), Operator::Lt, minus).or(plain(side.clone(), Operator::Gt, plus))
        }
        Operator::Lt => plain(side.clone(), Operator::Lt, minus),
        Operator::LtEq => at_most,
        Operator::Gt => plain(side.clone(), Operator::Gt, plus),
        Operator::GtEq => at_least,
        _ => return None,
    })
}

/// A date compared with a constant timestamp stays a comparison of dates, so
/// that `l_shipdate <= date '1998-12-01' - interval '90' day` still prunes.
fn date_with_timestamp(
    (left, a): (&Expr, PgType),
    operator: Operator,
    (right, b): (&Expr, PgType),
    schema: &DFSchema,
) -> Option<Expr> {
    let (left_date, right_date) = (as_date(left, a, schema), as_date(right, b, schema));
    let (date, operator, micros) = match (left_date, right_date) {
        (Some(date), None) => (date, operator, constant_timestamp(right)?),
        (None, Some(date)) => (date, operator.swap()?, constant_timestamp(left)?),
        _ => return None,
    };
    let day = calendar::date_of(micros);
    let whole = calendar::is_infinite(micros) || calendar::split(micros).1 == 0;
    let operator = match (operator, whole) {
        (Operator::Eq | Operator::NotEq, false) => return None,
        (operator, true) if comparison_symbol(operator).is_some() => operator,
        (Operator::Lt | Operator::LtEq, false) => Operator::LtEq,
        (Operator::Gt | Operator::GtEq, false) => Operator::Gt,
        _ => return None,
    };
    let literal = typed_literal(ScalarValue::Date32(Some(day)), PgType::DATE);
    Some(plain(date.clone(), operator, literal))
}

/// A date, also one that a comparison planned earlier has made a timestamp.
fn as_date<'a>(expr: &'a Expr, pg_type: PgType, schema: &DFSchema) -> Option<&'a Expr> {
    if pg_type.oid == PgType::DATE.oid {
        return Some(expr);
    }
    match expr {
        Expr::Cast(Cast { expr: inner, field })
            if matches!(field.data_type(), DataType::Timestamp(_, None))
                && Known::of(inner, schema).is_ok_and(|known| known.is(PgType::DATE)) =>
        {
            Some(inner)
        }
        _ => None,
    }
}

fn constant_timestamp(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), None), _) => Some(*micros),
        _ => None,
    }
}

/// `= ANY (array)`: a list where the array is known, else a function of both.
pub(super) fn of_array(
    symbol: &str,
    (left, left_type): (Expr, Known),
    (right, right_type): (Expr, Known),
    context: Option<Context>,
) -> EngineResult<Expr> {
    let element = match right_type.pg_type() {
        Some(array) => Known::Typed(array.element().ok_or_else(functions::needs_array)?),
        None => Known::Unknown,
    };
    let common = common_type(&[left_type, element]).ok_or_else(|| {
        let operator = symbol.split(' ').next().unwrap_or(symbol);
        unresolved_operator(operator, left_type, element, false)
    })?;
    let common = PgType::new(
        common.oid,
        if is_numeric(common) {
            common.typmod
        } else {
            -1
        },
    );
    let left = cast_expr(left, left_type, common, context, Asked::Implicitly)?;
    let right = cast_expr(
        right,
        right_type,
        common.array(),
        context,
        Asked::Implicitly,
    )?;
    let known = [Known::Typed(common), Known::Typed(common.array())];
    let call = functions::call(
        functions::resolve_function(symbol, &known)?,
        vec![left, right],
    )?;
    Ok(as_list(call))
}

/// A search in an array whose items are written out or bound is an IN list.
pub(super) fn as_list(call: Expr) -> Expr {
    let Expr::ScalarFunction(function) = &call else {
        return call;
    };
    let negated = match function.func.name() {
        "= any" => false,
        "<> all" => true,
        _ => return call,
    };
    let [wanted, array] = function.args.as_slice() else {
        return call;
    };
    let items = match array {
        Expr::Literal(ScalarValue::List(list), _) if list.len() == 1 && list.is_valid(0) => {
            let items = list.value(0);
            let own = PgType::nearest(items.data_type());
            let own = match list.data_type() {
                DataType::List(field) => PgType::of(field),
                _ => own,
            };
            (0..items.len())
                .map(|at| ScalarValue::try_from_array(&items, at).map(|v| typed_literal(v, own)))
                .collect::<EngineResult<Vec<_>>>()
                .ok()
        }
        Expr::ScalarFunction(make) if make.func.name() == "make_array" => Some(make.args.clone()),
        _ => None,
    };
    match items {
        Some(list) if !list.is_empty() => Expr::InList(InList {
            expr: Box::new(wanted.clone()),
            list,
            negated,
        }),
        _ => call,
    }
}

/// `||` of text and anything that has a text form; arrays are the engine's.
fn concatenation(
    (left, left_type): (Expr, Known),
    (right, right_type): (Expr, Known),
    context: Option<Context>,
) -> EngineResult<Expr> {
    let known = [left_type, right_type];
    let any = |test: fn(PgType) -> bool| known.iter().any(|k| k.pg_type().is_some_and(test));
    let text_or_unknown = |known: Known| known.pg_type().is_none_or(is_text);
    if any(|t| t.element().is_some()) {
        let is_array = |known: Known| known.pg_type().is_some_and(|t| t.element().is_some());
        let name = match (left_type, right_type) {
            (a, b) if is_array(a) && is_array(b) => "array_cat",
            (_, Known::Unknown) | (Known::Unknown, _) => "array_cat",
            (a, _) if is_array(a) => "array_append",
            _ => "array_prepend",
        };
        let resolution = functions::resolve_function(name, &known)
            .map_err(|_| unresolved_operator("||", left_type, right_type, false))?;
        return apply(
            resolution,
            vec![(left, left_type), (right, right_type)],
            context,
        );
    }
    if any(|t| matches!(t.oid, 17 | 3802)) || !known.iter().any(|k| text_or_unknown(*k)) {
        return by_symbol("||", (left, left_type), (right, right_type), context);
    }
    let left = cast_expr(left, left_type, PgType::TEXT, context, Asked::Implicitly)?;
    let right = cast_expr(right, right_type, PgType::TEXT, context, Asked::Implicitly)?;
    Ok(plain(left, Operator::StringConcat, right))
}
