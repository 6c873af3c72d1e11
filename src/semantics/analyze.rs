//! The analyzer rule that runs before the engine's own type coercion: every
//! expression gets Postgres's types, bottom up, where the schema is known.

mod conditions;
mod shapes;
mod unmarked;

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, BinaryExpr, Case, Cast, InList, Like, ScalarFunction,
    WindowFunctionDefinition,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{COUNT_STAR_EXPANSION, merge_schema};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Values,
};
use datafusion::optimizer::AnalyzerRule;

use super::aggregates;
use super::casts::{Asked, cast_expr};
use super::cell::CELL;
use super::functions::regex::similar;
use super::functions::{self, ResolvedFunction, folded};
use super::interval_groups;
use super::operators;
use super::set_operations;
use super::text_in::Context;
use super::typed::{self, Known, common_type, is_integer, is_text, type_name, typed_literal};
use crate::error::{Error, SqlState};
use crate::types::PgType;
pub(super) use conditions::connected;
use shapes::{
    empty_list, escaped, is_decimal, remembered, star_again, text_literal, widen_literal,
};
pub(super) use shapes::{mismatch, tagged};
pub(super) use unmarked::Unmarked;

#[derive(Debug)]
pub(super) struct PostgresTypes;

impl AnalyzerRule for PostgresTypes {
    fn name(&self) -> &str {
        "postgres_types"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> EngineResult<LogicalPlan> {
        let session = Session {
            context: functions::context_of(config),
            options: Arc::new(config.clone()),
        };
        Ok(plan
            .transform_up_with_subqueries(|plan| session.node(plan))?
            .data)
    }
}

struct Session {
    context: Context,
    options: Arc<ConfigOptions>,
}

impl Session {
    fn node(&self, plan: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
        let schema = match &plan {
            // its numbers are the engine's own
            LogicalPlan::Limit(_) => return Ok(Transformed::no(plan)),
            LogicalPlan::Values(_) => return self.values(plan),
            LogicalPlan::Union(union) => {
                let union = set_operations::union(union.clone(), self.context)?;
                return Ok(Transformed::yes(union));
            }
            LogicalPlan::Join(join) if set_operations::is_comparison(join) => {
                let join = set_operations::comparison(join.clone(), self.context)?;
                return Ok(Transformed::yes(join));
            }
            LogicalPlan::TableScan(scan) => {
                DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?
            }
            _ => merge_schema(&plan.inputs()),
        };
        let preserver = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|expr| {
            let name = preserver.save(&expr);
            let rewritten = expr.transform_up(|expr| self.expression(expr, &schema))?;
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        })?;
        rewritten
            .map_data(LogicalPlan::recompute_schema)?
            .map_data(interval_groups::rewrite)?
            .map_data(aggregates::rewrite)
    }

    /// VALUES: each column takes the common type of its values.
    fn values(&self, plan: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
        let LogicalPlan::Values(Values { schema, mut values }) = plan else {
            return Ok(Transformed::no(plan));
        };
        let empty = DFSchema::empty();
        for expr in values.iter_mut().flatten() {
            let taken = std::mem::take(expr);
            *expr = taken
                .transform_up(|expr| self.expression(expr, &empty))?
                .data;
        }
        let columns = schema.fields().len();
        for column in 0..columns {
            let known = values
                .iter()
                .filter_map(|row| row.get(column))
                .map(|expr| Known::of(expr, &empty))
                .collect::<EngineResult<Vec<_>>>()?;
            let target = common_type(&known).ok_or_else(|| mismatch("VALUES", &known))?;
            for (row, known) in values.iter_mut().zip(known) {
                if let Some(expr) = row.get_mut(column) {
                    let taken = std::mem::take(expr);
                    *expr = tagged(self.cast(taken, known, target)?, target);
                }
            }
        }
        let rebuilt = LogicalPlanBuilder::values(values)?.build()?;
        Ok(Transformed::yes(rebuilt))
    }

    fn cast(&self, expr: Expr, known: Known, target: PgType) -> EngineResult<Expr> {
        cast_expr(expr, known, target, Some(self.context), Asked::Implicitly)
    }

    fn expression(&self, expr: Expr, schema: &DFSchema) -> EngineResult<Transformed<Expr>> {
        Ok(Transformed::yes(match expr {
            Expr::Literal(..) => operators::integer_literal(expr),
            Expr::Cast(Cast { expr, field }) => {
                let known = Known::of(&expr, schema)?;
                cast_expr(
                    *expr,
                    known,
                    PgType::of(&field),
                    Some(self.context),
                    Asked::Explicitly,
                )?
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.binary(*left, op, *right, schema)?
            }
            Expr::Negative(inner) => self.negative(*inner, schema)?,
            Expr::InList(list) => self.in_list(list, schema)?,
            Expr::InSubquery(list) => self.in_subquery(list, schema)?,
            Expr::Between(between) => self.between(between, schema)?,
            Expr::Case(case) => self.case(case, schema)?,
            Expr::Like(like) => self.like(like, schema)?,
            Expr::SimilarTo(like) => self.similar(like, schema)?,
            Expr::ScalarFunction(call) => self.call(call, schema)?,
            Expr::AggregateFunction(mut call) => {
                star_again(&mut call);
                conditions::aggregate(&call, schema)?;
                Expr::AggregateFunction(call)
            }
            Expr::WindowFunction(mut call) => {
                if let WindowFunctionDefinition::WindowUDF(function) = &call.fun {
                    let counts = usize::from(function.name() != "ntile");
                    for arg in call.params.args.iter_mut().skip(counts) {
                        widen_literal(arg);
                    }
                }
                Expr::WindowFunction(call)
            }
            other => return Ok(Transformed::no(other)),
        }))
    }

    fn binary(
        &self,
        left: Expr,
        op: Operator,
        right: Expr,
        schema: &DFSchema,
    ) -> EngineResult<Expr> {
        if matches!(op, Operator::And | Operator::Or) {
            return conditions::connected(left, op, right, schema, Some(self.context));
        }
        // an operator that planning has settled keeps its shape
        let arithmetic = matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply);
        if arithmetic && is_decimal(&left, schema)? && is_decimal(&right, schema)? {
            return Ok(Expr::BinaryExpr(BinaryExpr::new(
                Box::new(left),
                op,
                Box::new(right),
            )));
        }
        operators::binary(left, op, right, schema, Some(self.context))
    }

    fn negative(&self, inner: Expr, schema: &DFSchema) -> EngineResult<Expr> {
        if let Expr::Literal(value, metadata) = &inner
            && let Ok(negated) = value.arithmetic_negate()
            && !matches!(value, ScalarValue::IntervalMonthDayNano(_))
        {
            return Ok(Expr::Literal(negated, metadata.clone()));
        }
        match Known::of(&inner, schema)? {
            Known::Typed(own) if is_integer(own) => {
                let zero = ScalarValue::new_zero(&inner.get_type(schema)?)?;
                let zero = (typed_literal(zero, own), Known::Typed(own));
                operators::by_symbol("-", zero, (inner, Known::Typed(own)), Some(self.context))
            }
            Known::Typed(own) if own.oid == PgType::INTERVAL.oid => {
                functions::call_of("interval_um", vec![own], vec![inner])
            }
            _ => Ok(Expr::Negative(Box::new(inner))),
        }
    }

    /// Each member is compared as `=` would compare it.
    fn in_list(&self, list: InList, schema: &DFSchema) -> EngineResult<Expr> {
        let InList {
            expr,
            list,
            negated,
        } = list;
        let known = Known::of(&expr, schema)?;
        let members = list
            .iter()
            .map(|member| Known::of(member, schema))
            .collect::<EngineResult<Vec<_>>>()?;
        let Some(own) = known.pg_type() else {
            return self.in_list_of_unknown(*expr, list, negated, &members);
        };
        let mut plain = Vec::with_capacity(list.len());
        let mut others: Option<Expr> = None;
        for (member, member_known) in list.into_iter().zip(members) {
            let operator = if negated {
                Operator::NotEq
            } else {
                Operator::Eq
            };
            let compared = operators::binary(
                (*expr).clone(),
                operator,
                member,
                schema,
                Some(self.context),
            )?;
            match compared {
                Expr::BinaryExpr(binary) if binary.left == expr && binary.op == operator => {
                    plain.push(*binary.right);
                }
                other => {
                    others = Some(match (others, negated) {
                        (None, _) => other,
                        (Some(before), false) => before.or(other),
                        (Some(before), true) => before.and(other),
                    });
                }
            }
            let _ = (member_known, own);
        }
        let rest = (!plain.is_empty()).then(|| {
            Expr::InList(InList {
                expr,
                list: plain,
                negated,
            })
        });
        Ok(match (rest, others) {
            (Some(list), None) => list,
            (Some(list), Some(others)) if negated => list.and(others),
            (Some(list), Some(others)) => list.or(others),
            (None, Some(others)) => others,
            (None, None) => Expr::Literal(ScalarValue::Boolean(Some(negated)), None),
        })
    }

    fn in_list_of_unknown(
        &self,
        expr: Expr,
        list: Vec<Expr>,
        negated: bool,
        members: &[Known],
    ) -> EngineResult<Expr> {
        let target = common_type(members).ok_or_else(|| mismatch("IN", members))?;
        let expr = self.cast(expr, Known::Unknown, target)?;
        let list = list
            .into_iter()
            .zip(members)
            .map(|(member, known)| self.cast(member, *known, target))
            .collect::<EngineResult<Vec<_>>>()?;
        Ok(Expr::InList(InList {
            expr: Box::new(expr),
            list,
            negated,
        }))
    }

    fn between(&self, between: Between, schema: &DFSchema) -> EngineResult<Expr> {
        let Between {
            expr,
            negated,
            low,
            high,
        } = between;
        let context = Some(self.context);
        let (lower, upper) = match negated {
            false => (Operator::GtEq, Operator::LtEq),
            true => (Operator::Lt, Operator::Gt),
        };
        let low = operators::binary((*expr).clone(), lower, *low, schema, context)?;
        let high = operators::binary(*expr, upper, *high, schema, context)?;
        Ok(match negated {
            false => low.and(high),
            true => low.or(high),
        })
    }

    fn case(&self, case: Case, schema: &DFSchema) -> EngineResult<Expr> {
        let mut case = self.conditions(case, schema)?;
        let results: Vec<&mut Box<Expr>> = case
            .when_then_expr
            .iter_mut()
            .map(|(_, then)| then)
            .chain(case.else_expr.as_mut())
            .collect();
        let known = results
            .iter()
            .map(|expr| Known::of(expr, schema))
            .collect::<EngineResult<Vec<_>>>()?;
        let exprs = results.iter().map(|expr| expr.as_ref());
        let target = shapes::common(exprs, &known).ok_or_else(|| mismatch("CASE", &known))?;
        for (expr, known) in results.into_iter().zip(known) {
            let taken = std::mem::take(expr.as_mut());
            **expr = self.cast(taken, known, target)?;
        }
        remembered(Expr::Case(case), target, schema)
    }

    fn like(&self, like: Like, schema: &DFSchema) -> EngineResult<Expr> {
        let known = (
            Known::of(&like.expr, schema)?,
            Known::of(&like.pattern, schema)?,
        );
        let text = |known: Known| known.pg_type().is_none_or(|t| is_text(t) || t.oid == 17);
        if !text(known.0) || !text(known.1) {
            let symbol = match (like.case_insensitive, like.negated) {
                (false, false) => "~~",
                (false, true) => "!~~",
                (true, false) => "~~*",
                (true, true) => "!~~*",
            };
            return Err(functions::unresolved_operator(symbol, known.0, known.1, false).into());
        }
        escaped(shapes::padded(like, known.0)?)
    }

    /// SIMILAR TO is a regular expression with another syntax.
    fn similar(&self, like: Like, schema: &DFSchema) -> EngineResult<Expr> {
        let Some(pattern) = text_literal(&like.pattern) else {
            return Err(
                Error::unsupported("SIMILAR TO is supported with constant patterns only").into(),
            );
        };
        let pattern = similar(pattern, Some(like.escape_char.unwrap_or('\\')))?;
        let pattern = Expr::Literal(ScalarValue::Utf8(Some(pattern)), None);
        let symbol = if like.negated { "!~" } else { "~" };
        let known = Known::of(&like.expr, schema)?;
        let sides = ((*like.expr, known), (pattern, Known::Unknown));
        operators::by_symbol(symbol, sides.0, sides.1, Some(self.context))
    }

    fn call(&self, call: ScalarFunction, schema: &DFSchema) -> EngineResult<Expr> {
        let name = call.func.name().to_string();
        if name == CELL
            && let Some(cell) = call.args.first()
        {
            return Ok(cell.clone());
        }
        if call
            .func
            .inner()
            .downcast_ref::<functions::NamedFunction>()
            .is_some()
        {
            let args = self.with_types(call.args, schema)?;
            let known: Vec<Known> = args.iter().map(|(_, known)| *known).collect();
            let resolution = functions::resolve_function(&name, &known)?;
            let expr = operators::apply(resolution, args, Some(self.context))?;
            return Ok(folded(expr, &self.options));
        }
        if let Some(resolved) = call.func.inner().downcast_ref::<ResolvedFunction>() {
            return self.again(resolved.clone(), call, schema);
        }
        match name.as_str() {
            "coalesce" | "greatest" | "least" | "nullif" | "make_array" => {
                self.of_common_type(&name, call, schema)
            }
            _ => Ok(folded(Expr::ScalarFunction(call), &self.options)),
        }
    }

    /// A call that was resolved while planning: its arguments may have got
    /// other types since, where they come from literals of a query below.
    fn again(
        &self,
        resolved: ResolvedFunction,
        call: ScalarFunction,
        schema: &DFSchema,
    ) -> EngineResult<Expr> {
        let args = self.with_types(call.args.clone(), schema)?;
        let same = args
            .iter()
            .zip(&resolved.arguments)
            .all(|((_, known), own)| known.pg_type().is_none_or(|t| t.oid == own.oid));
        if same {
            let expr = folded(Expr::ScalarFunction(call), &self.options);
            return Ok(operators::as_list(expr));
        }
        let known: Vec<Known> = args.iter().map(|(_, known)| *known).collect();
        let resolution = functions::resolve_function(resolved.overload.name, &known)?;
        let expr = operators::apply(resolution, args, Some(self.context))?;
        Ok(folded(expr, &self.options))
    }

    fn with_types(&self, args: Vec<Expr>, schema: &DFSchema) -> EngineResult<Vec<(Expr, Known)>> {
        args.into_iter()
            .map(|arg| {
                let known = Known::of(&arg, schema)?;
                Ok((arg, known))
            })
            .collect()
    }

    /// COALESCE and the like, which take values of one type.
    fn of_common_type(
        &self,
        name: &str,
        call: ScalarFunction,
        schema: &DFSchema,
    ) -> EngineResult<Expr> {
        let args = self.with_types(call.args, schema)?;
        let known: Vec<Known> = args.iter().map(|(_, known)| *known).collect();
        if let ("nullif", [(left, a), (right, b)]) = (name, args.as_slice())
            && conditions::have_own_equality(*a, *b)
        {
            return self.null_if(left.clone(), right.clone(), schema);
        }
        let label = match name {
            "make_array" => "ARRAY".to_string(),
            _ => name.to_uppercase(),
        };
        let target = shapes::common(args.iter().map(|(arg, _)| arg), &known);
        let target = target.ok_or_else(|| match known.as_slice() {
            [a, b] if name == "nullif" => functions::unresolved_operator("=", *a, *b, false),
            _ => mismatch(&label, &known),
        })?;
        // an empty array takes the layout of the others, which may be the engine's own
        let layout = args
            .iter()
            .find(|(_, known)| known.pg_type().is_some_and(|own| own.oid == target.oid))
            .map(|(arg, _)| arg.get_type(schema))
            .transpose()?;
        let args = args
            .into_iter()
            .map(
                |(arg, known)| match (&layout, typed::is_empty_array(&arg)) {
                    (Some(layout), true) => empty_list(layout),
                    _ => self.cast(arg, known, target),
                },
            )
            .collect::<EngineResult<Vec<_>>>()?;
        let call = Expr::ScalarFunction(ScalarFunction {
            func: call.func,
            args,
        });
        match name {
            "make_array" => Ok(call),
            _ => remembered(call, target, schema),
        }
    }
}
