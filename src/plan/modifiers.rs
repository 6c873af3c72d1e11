//! Which columns of a result have a type modifier (RowDescription, section 55.7
//! of the manual): columns of tables and casts that name one have, what is
//! computed has none, though its carrier here has a precision and a scale.

use datafusion::arrow::datatypes::Schema;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

use crate::types::PgType;

/// The schema of a result without the modifiers that nothing declared.
pub(super) fn kept(schema: &Schema, plan: &LogicalPlan) -> Schema {
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        let own = PgType::of(field);
        match own.numeric_precision().is_some() && !declared(plan, index) {
            true => PgType::NUMERIC.tag(field.as_ref().clone()),
            false => field.as_ref().clone(),
        }
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

fn declared(plan: &LogicalPlan, index: usize) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Projection(projection) => match projection.expr.get(index) {
            Some(expr) => declared_by(expr, &projection.input),
            None => false,
        },
        LogicalPlan::Sort(sort) => declared(&sort.input, index),
        LogicalPlan::Limit(limit) => declared(&limit.input, index),
        LogicalPlan::Filter(filter) => declared(&filter.input, index),
        LogicalPlan::Subquery(subquery) => declared(&subquery.subquery, index),
        LogicalPlan::SubqueryAlias(alias) => declared(&alias.input, index),
        LogicalPlan::Distinct(Distinct::All(input)) => declared(input, index),
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.get(index) {
            Some(key) => declared_by(key, &aggregate.input),
            None => false,
        },
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            match index.checked_sub(left) {
                Some(right) => declared(&join.right, right),
                None => declared(&join.left, index),
            }
        }
        LogicalPlan::Union(union) => {
            let mut types = union.inputs.iter().map(|input| {
                let fields = input.schema().fields();
                fields.get(index).map(|field| PgType::of(field))
            });
            let first = types.next();
            types.all(|other| Some(other) == first)
                && union.inputs.iter().all(|input| declared(input, index))
        }
        _ => false,
    }
}

fn declared_by(expr: &Expr, input: &LogicalPlan) -> bool {
    match expr {
        Expr::Alias(alias) => declared_by(&alias.expr, input),
        Expr::Cast(cast) => PgType::of(&cast.field).numeric_precision().is_some(),
        Expr::Column(column) => input
            .schema()
            .maybe_index_of_column(column)
            .is_some_and(|index| declared(input, index)),
        _ => false,
    }
}
