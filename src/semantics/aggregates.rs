//! sum and avg with Postgres's result types (section 9.21 of the manual).
//! While planning they are stand-ins that know the types; the analyzer puts
//! the engine's own sum and count in their place, and an exact quotient above.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Column;
use datafusion::error::Result as EngineResult;
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::bool_and_or::bool_and_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::stddev::{stddev_pop_udaf, stddev_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::functions_aggregate::variance::{var_pop_udaf, var_samp_udaf};
use datafusion::logical_expr::expr::{
    AggregateFunction, Alias, BinaryExpr, Cast, WindowFunction, WindowFunctionDefinition,
};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::logical_plan::{Aggregate, Projection, Window};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, ExprSchemable, LogicalPlan, Operator,
    Signature, Volatility,
};

use super::functions;
use super::typed::{Known, cast_field, field_of, needs_tag};
use crate::error::Error;
use crate::types::PgType;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Avg,
    Spread(Spread),
    /// The engine's list forgets what its items are.
    ArrayAgg,
}

/// The variances and deviations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Spread {
    Variance,
    VarSamp,
    VarPop,
    Stddev,
    StddevSamp,
    StddevPop,
}

impl Spread {
    fn name(self) -> &'static str {
        match self {
            Spread::Variance => "variance",
            Spread::VarSamp => "var_samp",
            Spread::VarPop => "var_pop",
            Spread::Stddev => "stddev",
            Spread::StddevSamp => "stddev_samp",
            Spread::StddevPop => "stddev_pop",
        }
    }

    /// Of count, sum and sum of squares.
    fn of_numerics(self) -> &'static str {
        match self {
            Spread::Variance | Spread::VarSamp => "numeric_var_samp",
            Spread::VarPop => "numeric_var_pop",
            Spread::Stddev | Spread::StddevSamp => "numeric_stddev_samp",
            Spread::StddevPop => "numeric_stddev_pop",
        }
    }

    fn of_floats(self) -> Arc<AggregateUDF> {
        match self {
            Spread::Variance | Spread::VarSamp => var_samp_udaf(),
            Spread::VarPop => var_pop_udaf(),
            Spread::Stddev | Spread::StddevSamp => stddev_udaf(),
            Spread::StddevPop => stddev_pop_udaf(),
        }
    }
}

const KINDS: [Kind; 9] = [
    Kind::ArrayAgg,
    Kind::Sum,
    Kind::Avg,
    Kind::Spread(Spread::Variance),
    Kind::Spread(Spread::VarSamp),
    Kind::Spread(Spread::VarPop),
    Kind::Spread(Spread::Stddev),
    Kind::Spread(Spread::StddevSamp),
    Kind::Spread(Spread::StddevPop),
];

/// sum or avg until the analyzer has seen it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Planned {
    kind: Kind,
    signature: Signature,
}

/// What stands for sum and avg while planning.
pub(super) fn planned() -> Vec<AggregateUDF> {
    KINDS
        .into_iter()
        .map(|kind| {
            AggregateUDF::from(Planned {
                kind,
                signature: Signature::user_defined(Volatility::Immutable),
            })
        })
        .chain([bool_and_udaf().as_ref().clone().with_aliases(["every"])])
        .collect()
}

/// The exact quotient that avg shows.
const QUOTIENT: PgType = PgType::NUMERIC;
/// A count as a numeric.
const COUNT: PgType = PgType {
    oid: 1700,
    typmod: (19 << 16) + 4,
};

impl Planned {
    fn result(&self, own: PgType) -> Option<PgType> {
        if self.kind == Kind::ArrayAgg {
            return Some(own.array());
        }
        Some(match (self.kind, own.oid) {
            (Kind::Sum, 21 | 23) => PgType::INT8,
            (Kind::Sum, 20) => PgType::numeric(29, 0),
            (Kind::Sum, 700) => PgType::FLOAT4,
            (_, 700 | 701) => PgType::FLOAT8,
            (Kind::Avg | Kind::Spread(_), 20 | 21 | 23 | 1700) => QUOTIENT,
            (Kind::Sum, 1700) => match own.numeric_precision() {
                Some((p, s)) if p <= 38 => PgType::numeric((p + 10).min(38) as u8, s as i8),
                Some((p, s)) => PgType::numeric((p + 10).min(76) as u8, s as i8),
                None => PgType::NUMERIC,
            },
            _ => return None,
        })
    }
}

impl AggregateUDFImpl for Planned {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Avg => "avg",
            Kind::Spread(spread) => spread.name(),
            Kind::ArrayAgg => "array_agg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> EngineResult<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> EngineResult<DataType> {
        let fields: Vec<FieldRef> = types
            .iter()
            .map(|data_type| Field::new("", data_type.clone(), true).into())
            .collect();
        Ok(self.return_field(&fields)?.data_type().clone())
    }

    fn return_field(&self, fields: &[FieldRef]) -> EngineResult<FieldRef> {
        let known: Vec<Known> = fields.iter().map(|field| Known::of_field(field)).collect();
        let result = match known.as_slice() {
            [Known::Typed(own)] => self.result(*own),
            [Known::Unknown] if self.kind == Kind::ArrayAgg => Some(PgType::TEXT_ARRAY),
            _ => None,
        };
        match result {
            Some(pg_type) => Ok(field_of(pg_type, self.name())),
            None => {
                let ambiguous = known.contains(&Known::Unknown);
                Err(functions::unresolved_function(self.name(), &known, ambiguous).into())
            }
        }
    }

    fn accumulator(&self, _: AccumulatorArgs) -> EngineResult<Box<dyn Accumulator>> {
        Err(Error::internal(format!("{} ran before it was resolved", self.name())).into())
    }
}

/// Replaces the stand-ins of an aggregation or a window.
pub(super) fn rewrite(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    match plan {
        // over an aggregation whose intervals have been taken care of
        LogicalPlan::Projection(projection)
            if matches!(projection.input.as_ref(), LogicalPlan::Aggregate(below)
                if below.aggr_expr.iter().any(is_planned)) =>
        {
            let input = rewrite(projection.input.as_ref().clone())?;
            let rebuilt = Projection::try_new(projection.expr, Arc::new(input))?;
            Ok(LogicalPlan::Projection(rebuilt))
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(is_planned) => {
            rewrite_aggregate(aggregate)
        }
        LogicalPlan::Window(window) if window.window_expr.iter().any(is_planned) => {
            rewrite_window(window)
        }
        other => Ok(other),
    }
}

fn is_planned(expr: &Expr) -> bool {
    planned_of(expr).is_some()
}

fn planned_of(expr: &Expr) -> Option<Kind> {
    let function = match expr {
        Expr::Alias(alias) => return planned_of(&alias.expr),
        Expr::AggregateFunction(call) => &call.func,
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(function) => function,
            WindowFunctionDefinition::WindowUDF(_) => return None,
        },
        _ => return None,
    };
    let planned = function.inner().downcast_ref::<Planned>()?;
    Some(planned.kind)
}

fn rewrite_aggregate(aggregate: Aggregate) -> EngineResult<LogicalPlan> {
    let schema = aggregate.schema.clone();
    let input = aggregate.input.clone();
    let groups = schema.fields().len() - aggregate.aggr_expr.len();
    let mut parts = Parts::default();
    let mut results = Vec::new();
    for expr in &aggregate.aggr_expr {
        results.push(parts.result(expr, input.schema())?);
    }
    let lower = Aggregate::try_new(input, aggregate.group_expr, parts.exprs)?;
    let lower = Arc::new(LogicalPlan::Aggregate(lower));
    let mut columns: Vec<Expr> = schema
        .columns()
        .into_iter()
        .take(groups)
        .map(Expr::Column)
        .collect();
    columns.extend(results);
    Ok(LogicalPlan::Projection(Projection::try_new(
        columns, lower,
    )?))
}

fn rewrite_window(window: Window) -> EngineResult<LogicalPlan> {
    let input = window.input.clone();
    let mut parts = Parts::default();
    let mut results = Vec::new();
    for expr in &window.window_expr {
        results.push(parts.result(expr, input.schema())?);
    }
    let mut columns: Vec<Expr> = input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let lower = Window::try_new(parts.exprs, input)?;
    columns.extend(results);
    let lower = Arc::new(LogicalPlan::Window(lower));
    Ok(LogicalPlan::Projection(Projection::try_new(
        columns, lower,
    )?))
}

/// The aggregates below, each once, under names of their own.
#[derive(Default)]
struct Parts {
    exprs: Vec<Expr>,
}

impl Parts {
    /// What one output column is, computed from the parts.
    fn result(&mut self, expr: &Expr, schema: &datafusion::common::DFSchema) -> EngineResult<Expr> {
        let (relation, name) = expr.qualified_name();
        let inner = match expr {
            Expr::Alias(alias) => alias.expr.as_ref(),
            other => other,
        };
        let value = match planned_of(inner) {
            None => self.part(inner.clone()),
            Some(kind) => self.planned(kind, inner, schema)?,
        };
        Ok(Expr::Alias(Alias::new(value, relation, name)))
    }

    fn part(&mut self, expr: Expr) -> Expr {
        let at = self.exprs.iter().position(|known| match known {
            Expr::Alias(alias) => *alias.expr == expr,
            other => *other == expr,
        });
        let at = at.unwrap_or_else(|| {
            let name = format!("part {} {}", self.exprs.len() + 1, expr.schema_name());
            self.exprs.push(expr.alias(name));
            self.exprs.len() - 1
        });
        let name = self.exprs[at].qualified_name().1;
        Expr::Column(Column::new_unqualified(name))
    }

    fn planned(
        &mut self,
        kind: Kind,
        expr: &Expr,
        schema: &datafusion::common::DFSchema,
    ) -> EngineResult<Expr> {
        let argument = argument_of(expr)?;
        let own = PgType::of(argument.to_field(schema)?.1.as_ref());
        Ok(match (kind, own.oid) {
            (Kind::ArrayAgg, _) => {
                let list = self.part(with(expr, array_agg_udaf(), argument));
                match needs_tag(own) {
                    true => cast(list, own.array()),
                    false => list,
                }
            }
            (Kind::Sum, 700) => {
                let sum = self.part(with(expr, sum_udaf(), cast(argument, PgType::FLOAT8)));
                cast(sum, PgType::FLOAT4)
            }
            (Kind::Avg, 700 | 701) => {
                self.part(with(expr, avg_udaf(), cast(argument, PgType::FLOAT8)))
            }
            (Kind::Spread(spread), 700 | 701) => self.part(with(
                expr,
                spread.of_floats(),
                cast(argument, PgType::FLOAT8),
            )),
            (Kind::Spread(spread), _) => self.spread(spread, expr, argument, own)?,
            (Kind::Sum, _) => self.part(with(expr, sum_udaf(), summable(argument, own))),
            (Kind::Avg, _) => {
                let sum = self.part(with(expr, sum_udaf(), summable(argument.clone(), own)));
                let count = self.part(with(expr, count_udaf(), argument));
                let sum_type = match own.oid {
                    21 | 23 => PgType::numeric(19, 0),
                    _ => Planned {
                        kind: Kind::Sum,
                        signature: Signature::user_defined(Volatility::Immutable),
                    }
                    .result(own)
                    .unwrap_or(PgType::NUMERIC),
                };
                let sum = match own.oid {
                    21 | 23 => cast(sum, sum_type),
                    _ => sum,
                };
                functions::call_of(
                    "numeric_div",
                    vec![sum_type, COUNT],
                    vec![sum, cast(count, COUNT)],
                )?
            }
        })
    }
}

impl Parts {
    /// Exact sums, so that the quotient is exact too.
    fn spread(
        &mut self,
        spread: Spread,
        expr: &Expr,
        argument: Expr,
        own: PgType,
    ) -> EngineResult<Expr> {
        let scale = own.numeric_precision().map_or(0, |(_, scale)| scale);
        let (scale, squared) = match (i8::try_from(scale), i8::try_from(scale * 2)) {
            (Ok(scale), Ok(squared)) if own != PgType::NUMERIC && squared <= 36 => (scale, squared),
            _ => {
                return Err(Error::unsupported(format!(
                    "{} of numerics with more than 18 decimals is not supported here",
                    spread.name()
                ))
                .into());
            }
        };
        // wide enough for the squares and for their sum
        let wide = PgType::numeric(38, scale);
        let sum_type = PgType::numeric(48, scale);
        let square_type = PgType::numeric(76, squared);
        let value = cast(cast(argument.clone(), wide), PgType::numeric(39, scale));
        let square = Expr::BinaryExpr(BinaryExpr::new(
            Box::new(value.clone()),
            Operator::Multiply,
            Box::new(value.clone()),
        ));
        let sum = self.part(with(expr, sum_udaf(), value));
        let squares = self.part(with(expr, sum_udaf(), square));
        let count = self.part(with(expr, count_udaf(), argument));
        functions::call_of(
            spread.of_numerics(),
            vec![COUNT, sum_type, square_type],
            vec![
                cast(count, COUNT),
                cast(sum, sum_type),
                cast(squares, square_type),
            ],
        )
    }
}

fn argument_of(expr: &Expr) -> EngineResult<Expr> {
    let args = match expr {
        Expr::AggregateFunction(call) => &call.params.args,
        Expr::WindowFunction(call) => &call.params.args,
        _ => return Err(Error::internal("an aggregate that is none").into()),
    };
    match args.as_slice() {
        [argument] => Ok(argument.clone()),
        _ => Err(Error::internal("an aggregate without its argument").into()),
    }
}

/// The same call of another aggregate.
fn with(expr: &Expr, function: Arc<AggregateUDF>, argument: Expr) -> Expr {
    match expr {
        Expr::AggregateFunction(call) => {
            let mut params = call.params.clone();
            params.args = vec![argument];
            Expr::AggregateFunction(AggregateFunction {
                func: function,
                params,
            })
        }
        Expr::WindowFunction(call) => {
            let mut params = call.params.clone();
            params.args = vec![argument];
            Expr::from(WindowFunction {
                fun: WindowFunctionDefinition::AggregateUDF(function),
                params,
            })
        }
        other => other.clone(),
    }
}

/// Sums of bigint need more digits than bigint has.
fn summable(argument: Expr, own: PgType) -> Expr {
    match own.oid {
        21 | 23 => cast(argument, PgType::INT8),
        20 => cast(argument, PgType::numeric(19, 0)),
        _ => argument,
    }
}

fn cast(expr: Expr, target: PgType) -> Expr {
    Expr::Cast(Cast::new_from_field(Box::new(expr), cast_field(target)))
}
