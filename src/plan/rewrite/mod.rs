//! What Postgres says and the engine says otherwise, rewritten in the syntax
//! tree before names are resolved. Each rewrite keeps the statement's meaning;
//! none knows a particular client's statement.

mod collections;
mod correlation;
mod long_series;
mod object_types;
mod operators;
mod recursion;
mod same_names;
mod set_returning;
mod subqueries;
mod system;
#[cfg(test)]
mod tests;
mod tuples;

pub(super) use long_series::STREAMED as STREAMED_SERIES;
use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
    Ident, ObjectName, Query, Select, SelectItem, Statement, TableFactor, VisitMut, VisitorMut,
};

use crate::error::{Error, Result};

/// Rewrites a statement in place. 0A000 for what has no counterpart.
pub(super) fn rewrite(statement: &mut Statement, state: &SessionState) -> Result<()> {
    if let Statement::Query(query) = statement {
        object_types::print_at_top(query);
    }
    let mut rewriter = Rewriter {
        state,
        scopes: Vec::new(),
        rows: Vec::new(),
    };
    match statement.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    state: &'a SessionState,
    /// Of the SELECTs around the current expression, innermost last.
    scopes: Vec<system::Scope>,
    /// Their derived tables.
    rows: Vec<collections::Rows>,
}

impl Rewriter<'_> {
    fn rewrite_expr(&self, expr: &mut Expr) -> Result<()> {
        if let Some(value) = self
            .scopes
            .iter()
            .rev()
            .find_map(|scope| scope.system_column(expr))
        {
            *expr = value;
            return Ok(());
        }
        operators::rebind(expr);
        operators::name_operator(expr);
        operators::drop_collation(expr)?;
        object_types::resolve_names(expr);
        subqueries::array_of_subquery(expr)?;
        set_returning::unnest(expr)?;
        let rows: Vec<&collections::Rows> = self.rows.iter().collect();
        collections::rewrite(expr, &rows)?;
        recursion::decorrelate(expr);
        let is_aggregate = |name: &str| self.state.aggregate_functions().contains_key(name);
        subqueries::first_row(expr, is_aggregate);
        subqueries::single_row(expr, is_aggregate);
        if let Expr::Subquery(subquery)
        | Expr::Exists { subquery, .. }
        | Expr::InSubquery { subquery, .. } = expr
        {
            same_names::separate(subquery);
        }
        Ok(())
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        system::cut_empty(select);
        if let Err(error) = set_returning::refuse_misplaced(select) {
            return ControlFlow::Break(error);
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                let _ = expr.visit(&mut ExistsAsValue);
            }
        }
        self.scopes.push(system::Scope::of(select));
        self.rows.push(collections::rows_of(select));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        system::empty_function(factor);
        set_returning::derive(factor, self.state);
        system::bare_function(factor);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<Error> {
        self.scopes.pop();
        self.rows.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        subqueries::array_of_elements(expr);
        match tuples::rewrite(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match self.rewrite_expr(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// EXISTS in a target list, at any depth but inside deeper subqueries' conditions.
struct ExistsAsValue;

impl VisitorMut for ExistsAsValue {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        subqueries::count_existing(expr);
        ControlFlow::Continue(())
    }
}

/// The one argument of a call.
fn argument(function: &Function) -> Option<&Expr> {
    match &function.args {
        FunctionArguments::List(list) => match list.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => Some(argument),
            _ => None,
        },
        _ => None,
    }
}

fn call_count() -> Expr {
    let mut count = call_with("count", Vec::new());
    if let Expr::Function(function) = &mut count
        && let FunctionArguments::List(list) = &mut function.args
    {
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
    }
    count
}

/// `name(argument)`
fn call(name: &str, argument: Expr) -> Expr {
    call_with(name, vec![argument])
}

fn call_with(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![match name.contains(' ') {
            true => Ident::with_quote('"', name),
            false => Ident::new(name),
        }]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments
                .into_iter()
                .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
                .collect(),
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
