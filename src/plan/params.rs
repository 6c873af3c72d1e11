//! The types of $1, $2 …: what the client declared, else what a cast around
//! the parameter says, else what the engine infers from its surroundings, else
//! text, as Postgres resolves them.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{self, Expr, LimitClause, Query, Value, Visit, Visitor};

use super::type_names::postgres_type_name;
use crate::error::{Error, Result, SqlState};
use crate::types::PgType;

/// Postgres's limit: Bind counts parameters in 16 bits.
const MAX_PARAMETERS: usize = 65_535;

/// What the text alone says of each parameter; one entry for each that it uses.
pub(super) fn from_text(
    statement: &ast::Statement,
    declared: &[Option<PgType>],
) -> Result<Vec<Option<PgType>>> {
    let mut found = Found {
        types: declared.to_vec(),
    };
    match statement.visit(&mut found) {
        ControlFlow::Continue(()) => Ok(found.types),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The field that stands for a parameter of this type in a plan.
pub(super) fn field(pg_type: &PgType) -> Option<FieldRef> {
    Some(pg_type.field("", true)?.into())
}

/// The types after planning: inferred ones fill the gaps.
pub(super) fn from_plan(plan: &LogicalPlan, known: &[Option<PgType>]) -> Result<Vec<PgType>> {
    let mut types = known.to_vec();
    let mut visit = |expr: &PlanExpr| {
        if let PlanExpr::Placeholder(Placeholder {
            id,
            field: Some(field),
        }) = expr
            && let Some(slot) = index(id).and_then(|index| types.get_mut(index))
            && slot.is_none()
        {
            // a column's modifier bounds the column, not what is compared with it
            *slot = Some(PgType::new(PgType::of(field).oid, -1));
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(|node| node.apply_expressions(|expr| expr.apply(&mut visit)))
        .map(|_| ())
        .or_else(ignore)?;
    Ok(types
        .into_iter()
        .map(|found| found.unwrap_or(PgType::TEXT))
        .collect())
}

fn ignore(error: datafusion::error::DataFusionError) -> EngineResult<()> {
    Err(error)
}

struct Found {
    types: Vec<Option<PgType>>,
}

impl Found {
    fn note(&mut self, placeholder: &str, pg_type: Option<PgType>) -> ControlFlow<Error> {
        let Some(index) = index(placeholder).filter(|index| *index < MAX_PARAMETERS) else {
            return ControlFlow::Break(Error::new(
                SqlState::UNDEFINED_PARAMETER,
                format!("there is no parameter {placeholder}"),
            ));
        };
        if self.types.len() <= index {
            self.types.resize(index + 1, None);
        }
        if self.types[index].is_none() {
            self.types[index] = pg_type;
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Found {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else {
            return ControlFlow::Continue(());
        };
        let bounds = limit
            .iter()
            .chain(offset.iter().map(|offset| &offset.value));
        for bound in bounds {
            if let Some(placeholder) = placeholder(bound) {
                self.note(placeholder, Some(PgType::INT8))?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        match expr {
            Expr::Cast {
                expr: inner,
                data_type,
                ..
            } => match placeholder(inner) {
                Some(placeholder) => self.note(placeholder, type_of(data_type)),
                None => ControlFlow::Continue(()),
            },
            _ => match placeholder(expr) {
                Some(placeholder) => self.note(placeholder, None),
                None => ControlFlow::Continue(()),
            },
        }
    }
}

fn placeholder(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => placeholder(inner),
        _ => None,
    }
}

/// `$3` is 2.
fn index(placeholder: &str) -> Option<usize> {
    placeholder
        .strip_prefix('$')?
        .parse::<usize>()
        .ok()?
        .checked_sub(1)
}

fn type_of(data_type: &ast::DataType) -> Option<PgType> {
    if let ast::DataType::Array(inner) = data_type {
        return match inner {
            ast::ArrayElemTypeDef::SquareBracket(inner, _)
            | ast::ArrayElemTypeDef::AngleBracket(inner)
            | ast::ArrayElemTypeDef::Parenthesis(inner) => Some(type_of(inner)?.array()),
            ast::ArrayElemTypeDef::None => None,
        };
    }
    PgType::by_name(&postgres_type_name(data_type)?)
}
