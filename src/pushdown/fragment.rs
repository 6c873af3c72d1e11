//! A fragment: one SELECT over the relations of one Postgres source, built up
//! node by node. What does not fit on the same level goes around it as a
//! derived table. Knows nothing of plans.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::value::{Form, Value};
use crate::sources::postgres::PostgresTable;

/// In the order that SQL evaluates its parts.
#[derive(Debug, Clone)]
pub(super) struct Select {
    pub from: From,
    pub filters: Vec<String>,
    /// `Some`: aggregated, by these expressions.
    pub grouping: Option<Grouping>,
    pub having: Vec<String>,
    pub items: Vec<Value>,
    pub order: Vec<String>,
    pub limit: Option<usize>,
    pub offset: usize,
    pub rows: Rows,
}

#[derive(Debug, Clone)]
pub(super) struct Grouping {
    /// None: all rows are one group, which is there even if there are no rows.
    pub by: Vec<String>,
    /// The aggregates that items are made of.
    pub aggregates: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) enum From {
    Table {
        table: Arc<PostgresTable>,
        alias: usize,
    },
    /// A query in the statement's WITH.
    Named { query: usize, alias: usize },
    /// One SELECT, or several with UNION ALL between.
    Nested { branches: Vec<Select>, alias: usize },
    Join {
        kind: JoinKind,
        left: Box<From>,
        right: Box<From>,
        on: Vec<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// What a fragment is expected to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rows {
    pub count: f64,
    /// Does it come from the source's statistics?
    pub known: bool,
}

impl Rows {
    /// As Postgres assumes for a table that was never analyzed.
    const UNKNOWN: Rows = Rows {
        count: 1_000.0,
        known: false,
    };

    pub(super) fn of_table(table: &PostgresTable) -> Rows {
        table.rows().map_or(Rows::UNKNOWN, |rows| Rows {
            count: rows as f64,
            known: true,
        })
    }

    pub(super) fn at_most(self, count: f64) -> Rows {
        Rows {
            count: self.count.min(count),
            known: self.known || count <= self.count,
        }
    }

    pub(super) fn times(self, factor: f64) -> Rows {
        Rows {
            count: (self.count * factor).max(1.0),
            ..self
        }
    }
}

/// Names for relations, each given once in a statement.
#[derive(Debug, Default)]
pub(super) struct Aliases(Cell<usize>);

impl Aliases {
    pub(super) fn next(&self) -> usize {
        self.0.replace(self.0.get() + 1)
    }
}

/// The queries of a statement's WITH, in an order in which each may name those
/// before it.
#[derive(Debug, Default)]
pub(super) struct Queries(RefCell<Vec<(usize, Select)>>);

impl Queries {
    /// Its columns. Who comes first is the query; the others are the same.
    pub(super) fn add(&self, id: usize, query: &Select) -> Vec<Value> {
        let mut queries = self.0.borrow_mut();
        if let Some((_, known)) = queries.iter().find(|(known, _)| *known == id) {
            return known.items.clone();
        }
        queries.push((id, query.clone()));
        query.items.clone()
    }

    pub(super) fn into_list(self) -> Vec<(usize, Select)> {
        self.0.into_inner()
    }
}

impl Select {
    pub(super) fn of(from: From, items: Vec<Value>, rows: Rows) -> Select {
        Select {
            from,
            filters: Vec::new(),
            grouping: None,
            having: Vec::new(),
            items,
            order: Vec::new(),
            limit: None,
            offset: 0,
            rows,
        }
    }

    pub(super) fn of_table(table: Arc<PostgresTable>, columns: &[usize], alias: usize) -> Select {
        let items = columns
            .iter()
            .map(|column| Value::of_column(&table, *column, alias))
            .collect();
        let rows = Rows::of_table(&table);
        Select::of(From::Table { table, alias }, items, rows)
    }

    pub(super) fn is_limited(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    /// May a condition, a join or an aggregation be added on this level?
    fn is_open(&self) -> bool {
        self.grouping.is_none() && !self.is_limited()
    }

    /// The same rows from a derived table.
    pub(super) fn nested(self, aliases: &Aliases) -> Select {
        let alias = aliases.next();
        let items = self
            .items
            .iter()
            .enumerate()
            .map(|(at, item)| item.nested(alias, at))
            .collect();
        let rows = self.rows;
        let branches = vec![self];
        Select::of(From::Nested { branches, alias }, items, rows)
    }

    pub(super) fn open(self, aliases: &Aliases) -> Select {
        match self.is_open() {
            true => self,
            false => self.nested(aliases),
        }
    }

    /// Open, without conditions and computed columns of its own: what an outer
    /// join may fill with NULLs.
    pub(super) fn bare(self, aliases: &Aliases) -> Select {
        let plain = self.items.iter().all(|item| item.form == Form::Column);
        match self.is_open() && self.filters.is_empty() && plain {
            true => self,
            false => self.nested(aliases),
        }
    }

    /// Rows come in groups or in part only after a limit; a condition on them
    /// goes around it.
    pub(super) fn unlimited(self, aliases: &Aliases) -> Select {
        match self.is_limited() {
            true => self.nested(aliases),
            false => self,
        }
    }

    pub(super) fn filter(&mut self, condition: String) {
        let conditions = match self.grouping {
            Some(_) => &mut self.having,
            None => &mut self.filters,
        };
        if !conditions.contains(&condition) {
            conditions.push(condition);
        }
    }
}
