//! Postgres's functions and operators: their overloads in tables, one family
//! a file, and the resolution of a call (chapter 10 of the manual). A call is
//! planned by name, resolved by the analyzer, and then either runs row by row
//! here or becomes an expression of the engine's own.

mod arithmetic;
mod arrays;
mod bytes;
mod call;
mod collections;
mod datetime;
mod fields;
pub(super) mod json;
mod json_edit;
mod json_model;
mod math;
pub(super) mod regex;
mod resolve;
mod sets;
mod strings;
mod temporal;
mod to_char;
mod to_date;
mod to_number;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Volatility};

use super::text_in::Context;
use super::typed::{Known, field_of, typed_literal};
use super::value::Value;
use crate::error::Result;
use crate::types::PgType;

pub(super) use arrays::needs_array;
pub(super) use call::{NamedFunction, ResolvedFunction, context_of, folded, row_wise};
pub(super) use resolve::{
    Resolution, resolve_function, resolve_operator, unresolved_function, unresolved_operator,
};

/// Pseudo-types: any type; any array; the element of that array.
pub(super) const ANY: PgType = PgType {
    oid: 2276,
    typmod: -1,
};
pub(super) const ANYARRAY: PgType = PgType {
    oid: 2277,
    typmod: -1,
};
pub(super) const ANYELEMENT: PgType = PgType {
    oid: 2283,
    typmod: -1,
};

/// One signature of a function or an operator.
#[derive(Debug)]
pub(super) struct Overload {
    pub(super) name: &'static str,
    pub(super) arguments: &'static [PgType],
    /// The last argument may come any number of times, at least once.
    pub(super) variadic: bool,
    pub(super) returns: Returns,
    pub(super) body: Body,
    pub(super) volatility: Volatility,
}

/// What a result's type may depend on.
pub(super) struct Typing<'a> {
    pub(super) types: &'a [PgType],
    /// The arguments that are literals.
    pub(super) literals: &'a [Option<ScalarValue>],
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Returns {
    Type(PgType),
    Rule(fn(&Typing<'_>) -> PgType),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// NULL for a NULL argument, else one value a row.
    Strict(fn(&Call<'_>, &[Value]) -> Result<Value>),
    /// Sees NULL arguments.
    Nullable(fn(&Call<'_>, &[Value]) -> Result<Value>),
    /// A whole batch at a time.
    Vector(fn(&Call<'_>, &[ColumnarValue], usize) -> Result<ColumnarValue>),
    /// An expression of the engine's own, which agrees with Postgres for
    /// arguments of these types.
    Engine(fn(&[PgType], Vec<Expr>) -> EngineResult<Expr>),
}

/// A running call, as row functions see it.
pub(super) struct Call<'a> {
    pub(super) context: Context,
    pub(super) types: &'a [PgType],
    pub(super) returns: PgType,
}

pub(super) const fn strict(
    name: &'static str,
    arguments: &'static [PgType],
    returns: PgType,
    body: fn(&Call<'_>, &[Value]) -> Result<Value>,
) -> Overload {
    Overload {
        name,
        arguments,
        variadic: false,
        returns: Returns::Type(returns),
        body: Body::Strict(body),
        volatility: Volatility::Immutable,
    }
}

pub(super) const fn engine(
    name: &'static str,
    arguments: &'static [PgType],
    returns: PgType,
    body: fn(&[PgType], Vec<Expr>) -> EngineResult<Expr>,
) -> Overload {
    Overload {
        name,
        arguments,
        variadic: false,
        returns: Returns::Type(returns),
        body: Body::Engine(body),
        volatility: Volatility::Immutable,
    }
}

pub(super) const fn vector(
    name: &'static str,
    arguments: &'static [PgType],
    returns: PgType,
    body: fn(&Call<'_>, &[ColumnarValue], usize) -> Result<ColumnarValue>,
) -> Overload {
    Overload {
        name,
        arguments,
        variadic: false,
        returns: Returns::Type(returns),
        body: Body::Vector(body),
        volatility: Volatility::Immutable,
    }
}

/// The call that a resolution stands for; constants are computed at once.
pub(super) fn call(resolution: Resolution, args: Vec<Expr>) -> EngineResult<Expr> {
    let null = |arg: &Expr| matches!(arg, Expr::Literal(value, _) if value.is_null());
    if !matches!(resolution.overload.body, Body::Nullable(_)) && args.iter().any(null) {
        let typing = Typing {
            types: &resolution.arguments,
            literals: &[],
        };
        let returns = resolution.overload.return_type(&typing);
        let null = ScalarValue::try_from(field_of(returns, "").data_type())?;
        return Ok(typed_literal(null, returns));
    }
    if let Body::Engine(body) = resolution.overload.body {
        return body(&resolution.arguments, args);
    }
    let literals: Vec<Option<ScalarValue>> = args
        .iter()
        .map(|arg| match arg {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        })
        .collect();
    let function = ResolvedFunction::new(resolution, &literals);
    let immutable = function.overload.volatility == Volatility::Immutable;
    let call = ScalarUDF::from(function).call(args);
    match immutable {
        true => Ok(folded(call, &DEFAULT_OPTIONS)),
        false => Ok(call),
    }
}

static DEFAULT_OPTIONS: LazyLock<Arc<ConfigOptions>> = LazyLock::new(Arc::default);

pub(super) fn is_operator(symbol: &str) -> bool {
    BY_NAME.contains_key(symbol)
}

/// The function of this name as SQL calls it.
pub(super) fn by_name(name: &str) -> Option<ScalarUDF> {
    let (name, overloads) = BY_NAME.get_key_value(name)?;
    Some(NamedFunction::new(name, overloads).into())
}

/// A call of one overload by its name, with arguments that have its types.
pub(super) fn call_of(name: &str, arguments: Vec<PgType>, args: Vec<Expr>) -> EngineResult<Expr> {
    let types: Vec<Known> = arguments
        .iter()
        .map(|pg_type| Known::Typed(*pg_type))
        .collect();
    let resolution = resolve_function(name, &types)?;
    call(resolution, args)
}

impl Overload {
    pub(super) const fn nullable(mut self) -> Self {
        if let Body::Strict(body) = self.body {
            self.body = Body::Nullable(body);
        }
        self
    }

    pub(super) const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// Depends on the session: its time zone or its clock.
    pub(super) const fn stable(mut self) -> Self {
        self.volatility = Volatility::Stable;
        self
    }

    pub(super) const fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }

    pub(super) const fn typed(mut self, rule: fn(&Typing<'_>) -> PgType) -> Self {
        self.returns = Returns::Rule(rule);
        self
    }

    pub(super) fn return_type(&self, typing: &Typing<'_>) -> PgType {
        match self.returns {
            Returns::Type(pg_type) => pg_type,
            Returns::Rule(rule) => rule(typing),
        }
    }
}

/// Every overload by name; operators under their symbols.
pub(super) static BY_NAME: LazyLock<HashMap<&'static str, Vec<&'static Overload>>> =
    LazyLock::new(|| {
        let mut by_name: HashMap<&'static str, Vec<&'static Overload>> = HashMap::new();
        for family in [
            arithmetic::OPERATORS,
            arrays::FUNCTIONS,
            bytes::FUNCTIONS,
            collections::FUNCTIONS,
            datetime::FUNCTIONS,
            json::FUNCTIONS,
            json_edit::FUNCTIONS,
            math::FUNCTIONS,
            regex::FUNCTIONS,
            sets::FUNCTIONS,
            strings::FUNCTIONS,
            temporal::OPERATORS,
            to_char::FUNCTIONS,
            to_date::FUNCTIONS,
            to_number::FUNCTIONS,
        ] {
            for overload in family {
                by_name.entry(overload.name).or_default().push(overload);
            }
        }
        by_name
    });

/// What a call of a name that no function has stands for while planning: it
/// fails with the types of its arguments in the message.
pub(super) fn unknown(name: &str) -> ScalarUDF {
    NamedFunction::new(name, &[]).into()
}

/// The functions to register: every name that SQL can call.
pub(super) fn named() -> Vec<NamedFunction> {
    BY_NAME
        .iter()
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(|(name, overloads)| NamedFunction::new(name, overloads))
        .collect()
}
