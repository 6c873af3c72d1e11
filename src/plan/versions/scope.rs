//! A WITH query has no versions: `FROM x FOR VERSION AS OF 1` where `x` is one is
//! refused, and never read as the table of that name behind it. Called before a
//! statement is planned.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{self, Query, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::clause;
use crate::error::Error;
use crate::plan::columns::folded;

/// 0A000 and where the clause stands.
pub(in crate::plan) fn refuse_queries(statement: &ast::Statement) -> Result<(), (Error, Location)> {
    match statement.visit(&mut Scopes::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refused) => Err(refused),
    }
}

#[derive(Default)]
struct Scopes(Vec<Scope>);

/// The WITH queries of one query.
struct Scope {
    names: Vec<(String, *const Query)>,
    recursive: bool,
    /// How many of them are seen from where the walk is.
    seen: usize,
}

impl Visitor for Scopes {
    type Break = (Error, Location);

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if let Some(scope) = self.0.last_mut()
            && let Some(own) = scope.position(query)
            && !scope.recursive
        {
            // a query sees those before it
            scope.seen = own;
        }
        let with = query.with.as_ref();
        let names: Vec<_> = with
            .into_iter()
            .flat_map(|with| &with.cte_tables)
            .map(|cte| (folded(&cte.alias.name), &*cte.query as *const Query))
            .collect();
        self.0.push(Scope {
            seen: names.len(),
            recursive: with.is_some_and(|with| with.recursive),
            names,
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.0.pop();
        if let Some(scope) = self.0.last_mut()
            && scope.position(query).is_some()
        {
            scope.seen = scope.names.len();
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        let TableFactor::Table {
            name,
            version: Some(version),
            ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let [part] = name.0.as_slice() else {
            return ControlFlow::Continue(());
        };
        let Some(name) = part.as_ident().map(folded) else {
            return ControlFlow::Continue(());
        };
        let is_query = |scope: &Scope| {
            let mut seen = scope.names[..scope.seen].iter();
            seen.any(|(known, _)| *known == name)
        };
        if self.0.iter().any(is_query) {
            let place = clause::of(version).map_or(Location::empty(), |(_, place)| place);
            let error = Error::unsupported(format!("WITH query \"{name}\" has no versions"))
                .with_hint("Ask for the version inside of it, where the table is named.");
            return ControlFlow::Break((error, place));
        }
        ControlFlow::Continue(())
    }
}

impl Scope {
    fn position(&self, query: &Query) -> Option<usize> {
        let mut names = self.names.iter();
        names.position(|(_, known)| std::ptr::eq(*known, query))
    }
}
