//! The types of UNION, INTERSECT and EXCEPT (section 10.5 of the manual): each
//! column takes the common type of both sides. Called by the analyzer rule
//! once both sides have their own types.

use std::sync::Arc;

use datafusion::common::{Column, NullEquality};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::logical_plan::{Distinct, Projection, Union};
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, SubqueryAlias,
};

use super::analyze::mismatch;
use super::casts::{Asked, cast_expr};
use super::text_in::Context;
use super::typed::{Known, common_type, field_of};
use crate::types::PgType;

type Input = Arc<LogicalPlan>;

/// A union whose inputs have the same types.
pub(super) fn union(union: Union, context: Context) -> EngineResult<LogicalPlan> {
    let Some(first) = union.inputs.first() else {
        return Ok(LogicalPlan::Union(union));
    };
    let mut targets = columns_of(first)?;
    for input in union.inputs.iter().skip(1) {
        targets = common(&targets, &columns_of(input)?, "UNION")?
            .into_iter()
            .map(Known::Typed)
            .collect();
    }
    let targets = settled(&targets);
    let inputs = union
        .inputs
        .into_iter()
        .map(|input| fitted(input, &targets, context))
        .collect::<EngineResult<Vec<_>>>()?;
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
}

/// INTERSECT and EXCEPT are joins on all columns that take NULLs for equal.
pub(super) fn is_comparison(join: &Join) -> bool {
    join.null_equality == NullEquality::NullEqualsNull
        && matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.on.len() == join.right.schema().fields().len()
}

/// The same join of sides that have the same types.
pub(super) fn comparison(join: Join, context: Context) -> EngineResult<LogicalPlan> {
    let what = match join.join_type {
        JoinType::LeftSemi => "INTERSECT",
        _ => "EXCEPT",
    };
    let (distinct, left) = match join.left.as_ref() {
        LogicalPlan::Distinct(Distinct::All(inner)) => (true, inner.clone()),
        _ => (false, join.left.clone()),
    };
    let targets = common(&columns_of(&left)?, &columns_of(&join.right)?, what)?;
    let mut left = fitted(left, &targets, context)?;
    if distinct {
        left = Arc::new(LogicalPlan::Distinct(Distinct::All(left)));
    }
    let right = fitted(join.right, &targets, context)?;
    let keys = (left.schema().columns(), right.schema().columns());
    LogicalPlanBuilder::from(left.as_ref().clone())
        .join_detailed(
            right.as_ref().clone(),
            join.join_type,
            keys,
            None,
            NullEquality::NullEqualsNull,
        )?
        .build()
}

fn common(left: &[Known], right: &[Known], what: &str) -> EngineResult<Vec<PgType>> {
    left.iter()
        .zip(right)
        .map(|(left, right)| {
            let both = [*left, *right];
            Ok(common_type(&both).ok_or_else(|| mismatch(what, &both))?)
        })
        .collect()
}

fn settled(columns: &[Known]) -> Vec<PgType> {
    let own = columns.iter().map(|known| known.pg_type());
    own.map(|own| own.unwrap_or(PgType::TEXT)).collect()
}

fn columns_of(input: &LogicalPlan) -> EngineResult<Vec<Known>> {
    match input {
        LogicalPlan::Projection(projection) => projection
            .expr
            .iter()
            .map(|expr| Known::of(expr, projection.input.schema()))
            .collect(),
        LogicalPlan::Sort(sort) => columns_of(&sort.input),
        LogicalPlan::Limit(limit) => columns_of(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => columns_of(&alias.input),
        other => Ok(other
            .schema()
            .fields()
            .iter()
            .map(|field| Known::of_field(field))
            .collect()),
    }
}

/// The input with its columns cast to the types.
fn fitted(input: Input, targets: &[PgType], context: Context) -> EngineResult<Input> {
    let fits = input
        .schema()
        .fields()
        .iter()
        .zip(targets)
        .all(|(field, target)| {
            PgType::of(field) == *target && field.data_type() == field_of(*target, "").data_type()
        });
    if fits {
        return Ok(input);
    }
    if let LogicalPlan::SubqueryAlias(alias) = input.as_ref() {
        let inner = fitted(alias.input.clone(), targets, context)?;
        let alias = SubqueryAlias::try_new(inner, alias.alias.clone())?;
        return Ok(Arc::new(LogicalPlan::SubqueryAlias(alias)));
    }
    if let LogicalPlan::Projection(projection) = input.as_ref() {
        let schema = projection.input.schema();
        let mut exprs = Vec::new();
        for ((expr, (qualifier, field)), target) in projection
            .expr
            .iter()
            .zip(projection.schema.iter())
            .zip(targets)
        {
            let known = Known::of(expr, schema)?;
            let cast = cast_to(expr.clone(), known, *target, context)?;
            exprs.push(cast.alias_qualified(qualifier.cloned(), field.name()));
        }
        let projection = Projection::try_new(exprs, projection.input.clone())?;
        return Ok(Arc::new(LogicalPlan::Projection(projection)));
    }
    let mut exprs = Vec::new();
    for ((qualifier, field), target) in input.schema().iter().zip(targets) {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let cast = cast_to(column, Known::of_field(field), *target, context)?;
        exprs.push(cast.alias_qualified(qualifier.cloned(), field.name()));
    }
    let projection = Projection::try_new(exprs, input.clone())?;
    Ok(Arc::new(LogicalPlan::Projection(projection)))
}

fn cast_to(expr: Expr, known: Known, target: PgType, context: Context) -> EngineResult<Expr> {
    let cast = cast_expr(
        expr.unalias_nested().data,
        known,
        target,
        Some(context),
        Asked::Implicitly,
    )?;
    Ok(super::analyze::tagged(cast, target))
}
