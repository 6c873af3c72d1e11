//! GROUP BY and DISTINCT of intervals: 30 days and one month are equal (section
//! 8.5.4 of the manual), though written otherwise. Groups are made by the order
//! of intervals and show the first of theirs. Called by the analyzer rule.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::error::Result as EngineResult;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct, Projection};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::functions;
use crate::error::Error;
use crate::types::PgType;

pub(super) fn rewrite(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    match plan {
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let schema = input.schema();
            let any = schema
                .fields()
                .iter()
                .any(|field| is_interval(&PgType::of(field)));
            if !any {
                return Ok(LogicalPlan::Distinct(Distinct::All(input)));
            }
            let columns = schema.columns().into_iter().map(Expr::Column).collect();
            grouped(Aggregate::try_new(input, columns, Vec::new())?)
        }
        LogicalPlan::Aggregate(aggregate) => grouped(aggregate),
        other => Ok(other),
    }
}

fn is_interval(own: &PgType) -> bool {
    own.oid == PgType::INTERVAL.oid
}

fn grouped(aggregate: Aggregate) -> EngineResult<LogicalPlan> {
    let input = aggregate.input.clone();
    let mut intervals = Vec::with_capacity(aggregate.group_expr.len());
    for key in &aggregate.group_expr {
        intervals.push(match key {
            Expr::GroupingSet(sets) => {
                for key in sets.distinct_expr() {
                    if is_interval(&PgType::of(&key.to_field(input.schema())?.1)) {
                        return Err(Error::unsupported(
                            "grouping sets of intervals are not supported here",
                        )
                        .into());
                    }
                }
                false
            }
            key => is_interval(&PgType::of(&key.to_field(input.schema())?.1)),
        });
    }
    if !intervals.contains(&true) {
        return Ok(LogicalPlan::Aggregate(aggregate));
    }
    let schema = aggregate.schema.clone();
    let mut keys = Vec::new();
    let mut values = aggregate.aggr_expr;
    let mut shown: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    for (index, (key, interval)) in aggregate.group_expr.into_iter().zip(intervals).enumerate() {
        if !interval {
            keys.push(key);
            continue;
        }
        let value = key.clone().unalias();
        let first = format!("first interval {index}");
        values.push(first_value_udaf().call(vec![value.clone()]).alias(&first));
        let order = functions::call_of("interval_order", vec![PgType::INTERVAL], vec![value])?;
        keys.push(order.alias(format!("order of interval {index}")));
        let (qualifier, field) = schema.qualified_field(index);
        shown[index] = Expr::Column(Column::new_unqualified(first))
            .alias_qualified(qualifier.cloned(), field.name());
    }
    let lower = LogicalPlan::Aggregate(Aggregate::try_new(input, keys, values)?);
    Ok(LogicalPlan::Projection(Projection::try_new(
        shown,
        Arc::new(lower),
    )?))
}
