//! The rules, one kind of expression a file. Each takes an expression of the
//! optimized plan and answers with SQL that gives the same value for every row,
//! NULL included, or with the reason why it stays here. Unknown means kept.

mod aggregate;
mod arithmetic;
mod boolean;
mod case;
mod cast;
mod comparison;
mod datetime;
mod function;
mod in_list;
mod like;
mod null_test;
mod order;
mod subquery;
mod text;
mod window;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};

use super::fragment::{Aliases, Queries};
use super::literal;
use super::outcome::{Outcome, Reason};
use super::value::{Class, Value};
use crate::names::SourceName;
use crate::sources::postgres::{Collation, turned};
use crate::types::PgType;

pub(super) use aggregate::aggregate;
pub(super) use comparison::equality;
pub(super) use order::{group_key, sort_key};
pub(super) use window::window;

/// What the columns of an expression are at the source.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// One field for each of `items`.
    pub schema: &'a DFSchema,
    pub items: &'a [Value],
    pub source: &'a SourceName,
    pub within: Within<'a>,
}

/// What is around the level that an expression is on.
#[derive(Clone, Copy)]
pub(super) struct Within<'a> {
    pub aliases: &'a Aliases,
    /// Of a subquery: the rows that it is asked for.
    pub outer: Option<&'a Scope<'a>>,
    /// Where the statement is pushed as a whole: those that it names.
    pub queries: Option<&'a Queries>,
}

impl<'a> Within<'a> {
    pub(super) fn statement(aliases: &'a Aliases) -> Self {
        Within {
            aliases,
            outer: None,
            queries: None,
        }
    }
}

impl Scope<'_> {
    pub(super) fn column(&self, column: &Column) -> Option<&Value> {
        let at = self.schema.maybe_index_of_column(column)?;
        self.items.get(at)
    }

    fn type_of(&self, expr: &Expr) -> Outcome<PgType> {
        match expr.to_field(self.schema) {
            Ok((_, field)) => Ok(PgType::of(&field)),
            Err(_) => Err(kind_of(expr)),
        }
    }

    fn arrow_type(&self, expr: &Expr) -> Outcome<DataType> {
        expr.get_type(self.schema).map_err(|_| kind_of(expr))
    }
}

/// An expression as SQL, in parentheses where its surroundings could split it.
pub(super) fn value(scope: Scope<'_>, expr: &Expr) -> Outcome<Value> {
    match expr {
        Expr::Column(column) => scope.column(column).cloned().ok_or(Reason::Expression {
            kind: format!("column {}", column.name),
        }),
        Expr::Literal(value, _) => literal::typed(value, scope.type_of(expr)?),
        Expr::Alias(alias) => value(scope, &alias.expr),
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And | Operator::Or => boolean::connective(scope, binary),
            Operator::Plus | Operator::Minus | Operator::Multiply => {
                arithmetic::decimal(scope, binary)
            }
            Operator::StringConcat => text::concatenation(scope, binary),
            _ => comparison::comparison(scope, binary),
        },
        Expr::Between(between) => comparison::between(scope, between),
        Expr::InList(list) => in_list::in_list(scope, list),
        Expr::Like(like) => like::like(scope, like),
        Expr::Case(case) => case::case(scope, case),
        Expr::Cast(cast) => cast::cast(scope, cast),
        Expr::Negative(inner) => arithmetic::negative(scope, inner),
        Expr::Not(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_) => boolean::test(scope, expr),
        Expr::IsNull(inner) => null_test::null_test(scope, inner, "IS NULL"),
        Expr::IsNotNull(inner) => null_test::null_test(scope, inner, "IS NOT NULL"),
        other if let Some(column) = turned(other) => {
            let sent = value(scope, column)?;
            sent.as_plain().ok_or_else(|| kind_of(other))
        }
        Expr::ScalarFunction(call) => function::call(scope, expr, call),
        Expr::ScalarSubquery(subquery) => subquery::scalar(scope, subquery),
        Expr::Exists(exists) => subquery::exists(scope, exists),
        Expr::InSubquery(list) => subquery::in_subquery(scope, list),
        Expr::OuterReferenceColumn(_, column) => subquery::outer(scope, column),
        other => Err(kind_of(other)),
    }
}

/// A condition as SQL.
pub(super) fn predicate(scope: Scope<'_>, expr: &Expr) -> Outcome<String> {
    let condition = value(scope, expr)?;
    match condition.class()? {
        Some(Class::Bool) => Ok(condition.sql),
        None => Ok("NULL::bool".into()),
        Some(_) => Err(kind_of(expr)),
    }
}

/// The collation of what is made of several texts, if they agree.
fn common_collation<'a>(values: impl IntoIterator<Item = &'a Value>) -> Outcome<Option<Collation>> {
    let mut common: Option<&Collation> = None;
    for value in values {
        match (common, &value.collation) {
            (Some(a), Some(b)) if a != b => return Err(Reason::MixedCollations),
            (None, Some(own)) => common = Some(own),
            _ => {}
        }
    }
    Ok(common.cloned())
}

/// The reason for an expression that has no rule.
fn kind_of(expr: &Expr) -> Reason {
    match expr {
        Expr::ScalarFunction(function) => Reason::Function {
            name: function.name().to_string(),
        },
        Expr::BinaryExpr(binary) => Reason::Expression {
            kind: format!("operator {}", binary.op),
        },
        other => Reason::Expression {
            kind: other.variant_name().to_string(),
        },
    }
}
