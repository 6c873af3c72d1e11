//! What the engine would silently ignore is refused here by name.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, Query, Select, SetExpr, SetOperator, SetQuantifier, TableFactor, Visit, Visitor,
};

use crate::error::{Error, Result, SqlState};

/// 0A000 for the first construct of the statement that would be ignored.
pub(super) fn refuse_ignored(statement: &ast::Statement) -> Result<()> {
    match statement.visit(&mut Refuser) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// A statement that is neither a query nor the session's.
pub(super) fn not_a_query(statement: &ast::Statement) -> Error {
    let words = statement.to_string();
    let verb = words
        .split_whitespace()
        .next()
        .unwrap_or("this")
        .to_uppercase();
    Error::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("{verb} is not supported"),
    )
    .with_hint(
        "It runs on a writable Postgres source where its names say which: qualify them, or set search_path or narrows.source.",
    )
}

struct Refuser;

fn refused(what: &str) -> ControlFlow<Error> {
    ControlFlow::Break(Error::unsupported(format!(
        "{what} is not supported over federated tables"
    )))
}

/// The engine keeps or drops all equal rows where Postgres counts them.
fn refuse_counting(body: &SetExpr) -> ControlFlow<Error> {
    let SetExpr::SetOperation {
        op,
        left,
        right,
        set_quantifier,
    } = body
    else {
        return ControlFlow::Continue(());
    };
    match (op, set_quantifier) {
        (SetOperator::Intersect, SetQuantifier::All) => return refused("INTERSECT ALL"),
        (SetOperator::Except, SetQuantifier::All) => return refused("EXCEPT ALL"),
        _ => {}
    }
    refuse_counting(left)?;
    refuse_counting(right)
}

impl Visitor for Refuser {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if !query.locks.is_empty() {
            return refused("FOR UPDATE or FOR SHARE");
        }
        if query.fetch.as_ref().is_some_and(|fetch| fetch.with_ties) {
            return refused("FETCH … WITH TIES");
        }
        refuse_counting(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        if select.into.is_some() {
            return refused("SELECT INTO");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        if let TableFactor::Table {
            sample: Some(_), ..
        } = factor
        {
            return refused("TABLESAMPLE");
        }
        ControlFlow::Continue(())
    }
}
