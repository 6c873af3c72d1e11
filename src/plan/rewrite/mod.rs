//! What Postgres says and the engine says otherwise, rewritten in the syntax
//! tree before names are resolved. Each rewrite keeps the statement's meaning;
//! none knows a particular client's statement.

mod numbers;
mod object_types;
mod operators;
mod subqueries;

use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, ObjectName, Query, Select, Statement, VisitMut, VisitorMut,
};

use crate::error::{Error, Result};

/// Rewrites a statement in place. 0A000 for what has no counterpart.
pub(super) fn rewrite(statement: &mut Statement, state: &SessionState) -> Result<()> {
    if let Statement::Query(query) = statement {
        object_types::print_at_top(query);
    }
    match statement.visit(&mut Rewriter { state }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    state: &'a SessionState,
}

impl Rewriter<'_> {
    fn rewrite_expr(&self, expr: &mut Expr) -> Result<()> {
        numbers::narrow(expr);
        numbers::keep_bare_in_function(expr);
        operators::name_operator(expr);
        operators::drop_collation(expr)?;
        object_types::resolve_names(expr);
        subqueries::array_of_subquery(expr)?;
        subqueries::single_row(expr, |name| {
            self.state.aggregate_functions().contains_key(name)
        });
        Ok(())
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = Error;

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        numbers::keep_positions_of_select(select);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        numbers::keep_positions_of_query(query);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match self.rewrite_expr(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// `name(argument)`
fn call(name: &str, argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The last part of a possibly qualified name, folded.
fn last_part(name: &ObjectName) -> Option<String> {
    name.0
        .last()
        .and_then(ast::ObjectNamePart::as_ident)
        .map(super::columns::folded)
}
