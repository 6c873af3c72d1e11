//! Where Postgres wants a boolean, and where it compares without an operator in
//! the text: AND, OR, CASE and IN (subquery).

use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{AggregateFunction, BinaryExpr, Case, InSubquery};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};

use super::Session;
use crate::error::{Error, SqlState};
use crate::semantics::casts::{Asked, cast_expr};
use crate::semantics::functions;
use crate::semantics::operators;
use crate::semantics::text_in::Context;
use crate::semantics::typed::{Known, is_integer, is_text, type_name};
use crate::types::PgType;

/// A literal becomes a boolean; 42804 for another type.
pub(in crate::semantics) fn boolean(
    expr: Expr,
    place: &str,
    schema: &DFSchema,
    context: Option<Context>,
) -> EngineResult<Expr> {
    match Known::of(&expr, schema)? {
        Known::Unknown => cast_expr(
            expr,
            Known::Unknown,
            PgType::BOOL,
            context,
            Asked::Implicitly,
        ),
        Known::Typed(own) if own.oid == PgType::BOOL.oid => Ok(expr),
        Known::Typed(own) => Err(Error::new(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "argument of {place} must be type boolean, not type {}",
                type_name(own)
            ),
        )
        .into()),
    }
}

/// AND and OR.
pub(in crate::semantics) fn connected(
    left: Expr,
    op: Operator,
    right: Expr,
    schema: &DFSchema,
    context: Option<Context>,
) -> EngineResult<Expr> {
    let place = if op == Operator::And { "AND" } else { "OR" };
    Ok(Expr::BinaryExpr(BinaryExpr::new(
        Box::new(boolean(left, place, schema, context)?),
        op,
        Box::new(boolean(right, place, schema, context)?),
    )))
}

/// The engine's aggregates that take more types than Postgres's.
pub(super) fn aggregate(call: &AggregateFunction, schema: &DFSchema) -> EngineResult<()> {
    let name = call.func.name();
    let takes: fn(PgType) -> bool = match name {
        "string_agg" => |own| is_text(own) || own.oid == PgType::BYTEA.oid,
        "bool_and" | "bool_or" => |own| own.oid == PgType::BOOL.oid,
        _ => return Ok(()),
    };
    let known = call
        .params
        .args
        .iter()
        .map(|arg| Known::of(arg, schema))
        .collect::<EngineResult<Vec<_>>>()?;
    match known.first() {
        Some(Known::Typed(own)) if !takes(*own) => {
            Err(functions::unresolved_function(name, &known, false).into())
        }
        _ => Ok(()),
    }
}

/// Numbers of one kind compare without a cast, so NULLIF keeps the first's type.
pub(super) fn have_own_equality(a: Known, b: Known) -> bool {
    match (a, b) {
        (Known::Typed(a), Known::Typed(b)) => a.oid != b.oid && is_integer(a) && is_integer(b),
        _ => false,
    }
}

impl Session {
    pub(super) fn null_if(&self, left: Expr, right: Expr, schema: &DFSchema) -> EngineResult<Expr> {
        let context = Some(self.context);
        let equal = operators::binary(left.clone(), Operator::Eq, right, schema, context)?;
        let null = ScalarValue::try_from(&left.get_type(schema)?)?;
        Ok(Expr::Case(Case::new(
            None,
            vec![(Box::new(equal), Box::new(Expr::Literal(null, None)))],
            Some(Box::new(left)),
        )))
    }

    /// The conditions of a CASE: booleans, or values that are compared as `=`
    /// compares them.
    pub(super) fn conditions(&self, mut case: Case, schema: &DFSchema) -> EngineResult<Case> {
        let context = Some(self.context);
        let Some(operand) = case.expr.take() else {
            for (when, _) in &mut case.when_then_expr {
                let taken = std::mem::take(when.as_mut());
                **when = boolean(taken, "CASE/WHEN", schema, context)?;
            }
            return Ok(case);
        };
        let operand = match Known::of(&operand, schema)? {
            Known::Unknown => self.cast(*operand, Known::Unknown, PgType::TEXT)?,
            Known::Typed(_) => *operand,
        };
        let mut compared = Vec::with_capacity(case.when_then_expr.len());
        for (when, _) in &case.when_then_expr {
            let when = when.as_ref().clone();
            compared.push(operators::binary(
                operand.clone(),
                Operator::Eq,
                when,
                schema,
                context,
            )?);
        }
        // the operand is computed once where it stays as it is
        let values: Option<Vec<Expr>> = compared
            .iter()
            .map(|equal| match equal {
                Expr::BinaryExpr(equal) if *equal.left == operand && equal.op == Operator::Eq => {
                    Some(equal.right.as_ref().clone())
                }
                _ => None,
            })
            .collect();
        let whens = match values {
            Some(values) => {
                case.expr = Some(Box::new(operand));
                values
            }
            None => compared,
        };
        for ((when, _), new) in case.when_then_expr.iter_mut().zip(whens) {
            **when = new;
        }
        Ok(case)
    }

    /// `x IN (SELECT …)`: 42883 where the two have no `=`.
    pub(super) fn in_subquery(&self, list: InSubquery, schema: &DFSchema) -> EngineResult<Expr> {
        let inner = list.subquery.subquery.schema();
        let Some(field) = inner.fields().first() else {
            return Ok(Expr::InSubquery(list));
        };
        let known = Known::of(&list.expr, schema)?;
        let (Known::Typed(member), true) = (Known::of_field(field), inner.fields().len() == 1)
        else {
            return Ok(Expr::InSubquery(list));
        };
        let Known::Typed(own) = known else {
            let expr = self.cast(*list.expr, known, PgType::new(member.oid, -1))?;
            return Ok(Expr::InSubquery(InSubquery {
                expr: Box::new(expr),
                ..list
            }));
        };
        if !operators::have_equality(own, member) {
            let error = functions::unresolved_operator("=", known, Known::Typed(member), false);
            return Err(error.into());
        }
        Ok(Expr::InSubquery(list))
    }
}
