//! Functions in FROM over columns of the tables before them (LATERAL, section
//! 7.2.1.5 of the manual). `rewrite::set_returning` made them subqueries of
//! projections and unnests over nothing, which the engine cannot decorrelate:
//! here the tables before take the place of that nothing. Unnested items also
//! get back the types that the engine forgets.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, NullHandling, TableReference};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::{Alias, Cast};
use datafusion::logical_expr::logical_plan::{Filter, Join, Projection, Subquery, Unnest};
use datafusion::logical_expr::{
    ColumnarValue, Expr, JoinType, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::error::Error;
use crate::types::PgType;

/// The plan with such joins resolved.
pub(super) fn resolve(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let resolved = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => resolve_join(join),
        LogicalPlan::Unnest(unnest) => typed_items(unnest),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(resolved.data)
}

/// The engine takes what is unique before an unnest for unique after it, and
/// drops keys of ORDER BY and GROUP BY for it: columns that pass through a
/// function lose that.
fn repeated_rows(unnest: Unnest) -> EngineResult<Unnest> {
    let unique: Vec<usize> = unnest
        .input
        .schema()
        .functional_dependencies()
        .iter()
        .flat_map(|dependency| dependency.source_indices.clone())
        .collect();
    if unique.is_empty() {
        return Ok(unnest);
    }
    let repeated = ScalarUDF::from(Repeated::default());
    let mut columns = Vec::new();
    for (index, (qualifier, field)) in unnest.input.schema().iter().enumerate() {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        columns.push(match unique.contains(&index) {
            true => repeated
                .call(vec![column])
                .alias_qualified(qualifier.cloned(), field.name()),
            false => column,
        });
    }
    let input = LogicalPlan::Projection(Projection::try_new(columns, unnest.input)?);
    Unnest::try_new(Arc::new(input), unnest.exec_columns, unnest.options)
}

/// The same value, which is no longer known to be unique.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Repeated {
    signature: Signature,
}

impl Default for Repeated {
    fn default() -> Self {
        Repeated {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Repeated {
    fn name(&self) -> &str {
        "repeated"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> EngineResult<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> EngineResult<FieldRef> {
        match args.arg_fields {
            [field] => Ok(field.clone()),
            _ => Err(Error::internal("repeated() of no column").into()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => Err(Error::internal("repeated() of no column").into()),
        }
    }
}

/// `unnest(jsonb[])` is jsonb.
fn typed_items(unnest: Unnest) -> EngineResult<Transformed<LogicalPlan>> {
    let unnest = repeated_rows(unnest)?;
    let input = unnest.input.schema();
    let mut any = false;
    let mut items = Vec::new();
    for (index, (qualifier, field)) in unnest.schema.iter().enumerate() {
        let column = Column::new(qualifier.cloned(), field.name());
        let from = unnest.dependency_indices.get(index).copied();
        let listed = unnest
            .list_type_columns
            .iter()
            .any(|(at, _)| Some(*at) == from);
        let item = from
            .filter(|_| listed)
            .and_then(|at| match input.field(at).data_type() {
                DataType::List(item) => Some(PgType::of(item)),
                _ => None,
            });
        let own = PgType::of(field);
        match item.filter(|item| *item != own) {
            Some(item) => {
                any = true;
                let tagged = item.tag(field.as_ref().clone().with_metadata(Default::default()));
                let tagged = tagged.with_nullable(false);
                let cast = Cast::new_from_field(Box::new(Expr::Column(column)), tagged.into());
                items.push(Expr::Cast(cast).alias_qualified(qualifier.cloned(), field.name()));
            }
            None => items.push(Expr::Column(column)),
        }
    }
    if !any {
        return Ok(Transformed::yes(LogicalPlan::Unnest(unnest)));
    }
    let projection = Projection::try_new(items, Arc::new(LogicalPlan::Unnest(unnest)))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

fn resolve_join(join: Join) -> EngineResult<Transformed<LogicalPlan>> {
    let always = match &join.filter {
        None => true,
        Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)) => true,
        Some(_) => join.join_type == JoinType::Inner,
    };
    let plain = join.on.is_empty() && always;
    if !plain || !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let Some((alias, subquery)) = lateral_of(&join.right) else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    let grafting = Grafting {
        left: &join.left,
        outer: join.join_type == JoinType::Left,
    };
    let LogicalPlan::Projection(top) = subquery.subquery.as_ref() else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    let Some(grafted) = grafting.graft(&top.input)? else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    let mut columns = columns_of(join.left.schema());
    for (expr, (qualifier, field)) in top.expr.iter().zip(top.schema.iter()) {
        let value = grafting.inner(expr.clone())?.unalias();
        let qualifier = alias.cloned().or(qualifier.cloned());
        columns.push(Expr::Alias(Alias::new(value, qualifier, field.name())));
    }
    let mut plan = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(grafted))?);
    if let (JoinType::Inner, Some(filter)) = (join.join_type, &join.filter) {
        plan = LogicalPlan::Filter(Filter::try_new(filter.clone(), Arc::new(plan))?);
    }
    Ok(Transformed::yes(plan))
}

fn lateral_of(right: &LogicalPlan) -> Option<(Option<&TableReference>, &Subquery)> {
    match right {
        LogicalPlan::Subquery(subquery) => Some((None, subquery)),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) => Some((Some(&alias.alias), subquery)),
            _ => None,
        },
        _ => None,
    }
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

struct Grafting<'a> {
    left: &'a Arc<LogicalPlan>,
    /// A row of the left side without rows on the right stays.
    outer: bool,
}

impl Grafting<'_> {
    /// The right side's plan with the left side at its bottom, whose columns
    /// come first all the way up; `None` where that is not so simple.
    fn graft(&self, plan: &LogicalPlan) -> EngineResult<Option<LogicalPlan>> {
        Ok(match plan {
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                Some(self.left.as_ref().clone())
            }
            LogicalPlan::Projection(projection) => {
                let Some(input) = self.graft(&projection.input)? else {
                    return Ok(None);
                };
                let mut exprs = columns_of(self.left.schema());
                for expr in &projection.expr {
                    exprs.push(self.inner(expr.clone())?);
                }
                Some(LogicalPlan::Projection(Projection::try_new(
                    exprs,
                    Arc::new(input),
                )?))
            }
            LogicalPlan::Unnest(unnest) => {
                let Some(input) = self.graft(&unnest.input)? else {
                    return Ok(None);
                };
                let options = match self.outer {
                    true => unnest
                        .options
                        .clone()
                        .with_null_handling(NullHandling::PreserveAndExpandEmpty),
                    false => unnest.options.clone(),
                };
                let unnest =
                    Unnest::try_new(Arc::new(input), unnest.exec_columns.clone(), options)?;
                Some(LogicalPlan::Unnest(repeated_rows(unnest)?))
            }
            _ => None,
        })
    }

    /// References to the left side's columns, which are at hand now.
    fn inner(&self, expr: Expr) -> EngineResult<Expr> {
        let schema = self.left.schema();
        let rewritten = expr.transform_up(|expr| {
            Ok(match expr {
                Expr::OuterReferenceColumn(_, column) if schema.has_column(&column) => {
                    Transformed::yes(Expr::Column(column))
                }
                other => Transformed::no(other),
            })
        })?;
        Ok(rewritten.data)
    }
}
