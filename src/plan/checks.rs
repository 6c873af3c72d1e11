//! What Postgres's parse analysis refuses by the form of a statement alone,
//! in its words and with its positions. Called by `plan` before anything is
//! rewritten; knows no tables.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    JoinConstraint, JoinOperator, OrderByKind, Query, Select, SelectItem, SetExpr, SetOperator,
    Spanned, TableFactor, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::columns::folded;
use crate::error::{Error, SqlState};

/// An error and where in the text it points.
pub(super) struct Misplaced {
    pub(super) error: Error,
    pub(super) at: Option<Location>,
}

type Flow = ControlFlow<Misplaced>;

/// The first such mistake of a statement.
pub(super) fn check(statement: &ast::Statement, state: &SessionState) -> Result<(), Misplaced> {
    match statement.visit(&mut Checker { state }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(misplaced) => Err(misplaced),
    }
}

fn refuse(state: SqlState, message: impl Into<String>, at: Location) -> Flow {
    ControlFlow::Break(Misplaced {
        error: Error::new(state, message),
        at: (at.line > 0).then_some(at),
    })
}

struct Checker<'a> {
    state: &'a SessionState,
}

/// What a call is, by its name and form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Aggregate,
    Window,
    Other,
}

impl Visitor for Checker<'_> {
    type Break = Misplaced;

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        if let Some(with) = &query.with {
            let mut names = HashSet::new();
            for cte in &with.cte_tables {
                let name = folded(&cte.alias.name);
                if names.contains(&name) {
                    return refuse(
                        SqlState::DUPLICATE_ALIAS,
                        format!("WITH query name \"{name}\" specified more than once"),
                        cte.alias.name.span.start,
                    );
                }
                names.insert(name);
            }
        }
        same_width(&query.body)?;
        if let SetExpr::Select(select) = query.body.as_ref()
            && let Some(order) = &query.order_by
            && let OrderByKind::Expressions(keys) = &order.kind
        {
            for key in keys {
                position_in_list(&key.expr, select, "ORDER BY")?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        distinct_names(select)?;
        if let Some(condition) = &select.selection {
            self.none_in(condition, "WHERE")?;
        }
        for join in select.from.iter().flat_map(|from| &from.joins) {
            if let Some(condition) = condition_of(&join.join_operator) {
                self.none_in(condition, "JOIN conditions")?;
            }
        }
        if let GroupByExpr::Expressions(keys, _) = &select.group_by {
            for key in keys {
                self.none_in(key, "GROUP BY")?;
                position_in_list(key, select, "GROUP BY")?;
            }
        }
        match &select.having {
            Some(having) => self.no_window_in(having, "HAVING"),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        let Expr::Function(call) = expr else {
            return ControlFlow::Continue(());
        };
        let at = name_of(call).map_or(Location::empty(), |name| name.span.start);
        let kind = self.kind(call);
        if kind == Kind::Window && call.over.is_none() {
            let name = name_of(call).map(folded).unwrap_or_default();
            return refuse(
                SqlState::WRONG_OBJECT_TYPE,
                format!("window function {name} requires an OVER clause"),
                at,
            );
        }
        if kind == Kind::Aggregate {
            return self.inside_aggregate(call, at);
        }
        ControlFlow::Continue(())
    }
}

impl Checker<'_> {
    fn kind(&self, call: &Function) -> Kind {
        let Some(name) = name_of(call).map(folded) else {
            return Kind::Other;
        };
        let aggregate = self.state.aggregate_functions().contains_key(&name);
        match aggregate {
            _ if call.over.is_some() => Kind::Window,
            true => Kind::Aggregate,
            false if WINDOW_FUNCTIONS.contains(&name.as_str()) => Kind::Window,
            false => Kind::Other,
        }
    }

    /// Where the first call of a kind is, but not in a subquery.
    fn find(&self, expr: &Expr, wanted: Kind) -> Option<Location> {
        let mut search = Search {
            checker: self,
            wanted,
            depth: 0,
        };
        match expr.visit(&mut search) {
            ControlFlow::Break(at) => Some(at),
            ControlFlow::Continue(()) => None,
        }
    }

    fn none_in(&self, expr: &Expr, place: &str) -> Flow {
        if let Some(at) = self.find(expr, Kind::Aggregate) {
            return refuse(
                SqlState::GROUPING_ERROR,
                format!("aggregate functions are not allowed in {place}"),
                at,
            );
        }
        self.no_window_in(expr, place)
    }

    fn no_window_in(&self, expr: &Expr, place: &str) -> Flow {
        match self.find(expr, Kind::Window) {
            Some(at) => refuse(
                SqlState::WINDOWING_ERROR,
                format!("window functions are not allowed in {place}"),
                at,
            ),
            None => ControlFlow::Continue(()),
        }
    }

    fn inside_aggregate(&self, call: &Function, at: Location) -> Flow {
        let FunctionArguments::List(list) = &call.args else {
            return ControlFlow::Continue(());
        };
        let name = name_of(call).map(folded).unwrap_or_default();
        if list.args.is_empty() && name == "count" && call.within_group.is_empty() {
            return refuse(
                SqlState::WRONG_OBJECT_TYPE,
                "count(*) must be used to call a parameterless aggregate function",
                at,
            );
        }
        for arg in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg else {
                continue;
            };
            if let Some(at) = self.find(arg, Kind::Aggregate) {
                return refuse(
                    SqlState::GROUPING_ERROR,
                    "aggregate function calls cannot be nested",
                    at,
                );
            }
            if let Some(at) = self.find(arg, Kind::Window) {
                return refuse(
                    SqlState::GROUPING_ERROR,
                    "aggregate function calls cannot contain window function calls",
                    at,
                );
            }
        }
        match &call.filter {
            Some(filter) => self.none_in(filter, "FILTER"),
            None => ControlFlow::Continue(()),
        }
    }
}

const WINDOW_FUNCTIONS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "nth_value",
];

struct Search<'a> {
    checker: &'a Checker<'a>,
    wanted: Kind,
    depth: usize,
}

impl Visitor for Search<'_> {
    type Break = Location;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Location> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Location> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Location> {
        match expr {
            Expr::Function(call) if self.depth == 0 && self.checker.kind(call) == self.wanted => {
                ControlFlow::Break(name_of(call).map_or(Location::empty(), |n| n.span.start))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn name_of(call: &Function) -> Option<&Ident> {
    call.name.0.last().and_then(ast::ObjectNamePart::as_ident)
}

fn condition_of(operator: &JoinOperator) -> Option<&Expr> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => match constraint {
            JoinConstraint::On(condition) => Some(condition),
            _ => None,
        },
        _ => None,
    }
}

/// A constant of ORDER BY and GROUP BY is a place in the list.
fn position_in_list(key: &Expr, select: &Select, clause: &str) -> Flow {
    let Expr::Value(value) = key else {
        return ControlFlow::Continue(());
    };
    let at = value.span.start;
    let wide = select.projection.iter().any(|item| {
        !matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    });
    match &value.value {
        Value::Number(text, _) => match text.parse::<i64>() {
            Ok(place) if place >= 1 && (wide || place <= select.projection.len() as i64) => {
                ControlFlow::Continue(())
            }
            Ok(place) => refuse(
                SqlState::INVALID_COLUMN_REFERENCE,
                format!("{clause} position {place} is not in select list"),
                at,
            ),
            Err(_) => non_integer(clause, at),
        },
        Value::Placeholder(_) => ControlFlow::Continue(()),
        _ => non_integer(clause, at),
    }
}

fn non_integer(clause: &str, at: Location) -> Flow {
    refuse(
        SqlState::SYNTAX_ERROR,
        format!("non-integer constant in {clause}"),
        at,
    )
}

/// The sides of a set operation, and the rows of VALUES, have equal widths.
fn same_width(body: &SetExpr) -> Flow {
    match body {
        SetExpr::SetOperation {
            op, left, right, ..
        } => {
            same_width(left)?;
            same_width(right)?;
            let what = match op {
                SetOperator::Union => "UNION",
                SetOperator::Intersect => "INTERSECT",
                _ => "EXCEPT",
            };
            match (width(left), width(right)) {
                (Some((a, _)), Some((b, at))) if a != b => refuse(
                    SqlState::SYNTAX_ERROR,
                    format!("each {what} query must have the same number of columns"),
                    at,
                ),
                _ => ControlFlow::Continue(()),
            }
        }
        SetExpr::Values(values) => {
            let mut rows = values.rows.iter().map(|row| &row.content);
            let first = rows.next().map_or(0, Vec::len);
            match rows.find(|row| row.len() != first) {
                Some(row) => refuse(
                    SqlState::SYNTAX_ERROR,
                    "VALUES lists must all be the same length",
                    row.first()
                        .map_or(Location::empty(), |cell| cell.span().start),
                ),
                None => ControlFlow::Continue(()),
            }
        }
        _ => ControlFlow::Continue(()),
    }
}

/// How many columns, where the text says it, and where the first one is.
fn width(body: &SetExpr) -> Option<(usize, Location)> {
    match body {
        SetExpr::Select(select) => {
            let mut at = None;
            for item in &select.projection {
                let expr = match item {
                    SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
                    _ => return None,
                };
                at.get_or_insert(expr.span().start);
            }
            Some((select.projection.len(), at?))
        }
        SetExpr::Query(query) => width(&query.body),
        SetExpr::SetOperation { left, .. } => width(left),
        SetExpr::Values(values) => {
            let row = &values.rows.first()?.content;
            Some((row.len(), row.first()?.span().start))
        }
        _ => None,
    }
}

/// 42712 for a name that two tables of FROM have.
fn distinct_names(select: &Select) -> Flow {
    let mut seen: HashSet<String> = HashSet::new();
    let factors = select.from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
    });
    for factor in factors {
        // tables of one name in different schemas are told apart
        let (name, shown) = match factor {
            TableFactor::Table {
                alias: None,
                name,
                args: None,
                ..
            } => {
                let Some(last) = name.0.last().and_then(ast::ObjectNamePart::as_ident) else {
                    continue;
                };
                (name.to_string().to_lowercase(), folded(last))
            }
            TableFactor::Table {
                alias: Some(alias), ..
            }
            | TableFactor::Derived {
                alias: Some(alias), ..
            } => (folded(&alias.name), folded(&alias.name)),
            _ => continue,
        };
        if !seen.insert(name) {
            return refuse(
                SqlState::DUPLICATE_ALIAS,
                format!("table name \"{shown}\" specified more than once"),
                Location::empty(),
            );
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use datafusion::execution::SessionStateBuilder;

    use super::*;
    use crate::plan::parse::parse;

    #[test]
    fn mistakes_are_named_and_located() {
        let state = SessionStateBuilder::new().with_default_features().build();
        for (sql, message, column) in [
            (
                "SELECT 1 FROM t WHERE sum(a) > 1",
                "aggregate functions are not allowed in WHERE",
                23,
            ),
            (
                "SELECT 1 FROM t WHERE rank() OVER () > 1",
                "window functions are not allowed in WHERE",
                23,
            ),
            (
                "SELECT count(sum(a)) FROM t",
                "aggregate function calls cannot be nested",
                14,
            ),
            (
                "SELECT a FROM t ORDER BY 2",
                "ORDER BY position 2 is not in select list",
                26,
            ),
            (
                "SELECT a FROM t GROUP BY 'x'",
                "non-integer constant in GROUP BY",
                26,
            ),
            (
                "SELECT 1, 2 UNION SELECT 3",
                "each UNION query must have the same number of columns",
                26,
            ),
            (
                "VALUES (1), (2, 3)",
                "VALUES lists must all be the same length",
                14,
            ),
            (
                "SELECT lag(a) FROM t",
                "window function lag requires an OVER clause",
                8,
            ),
            (
                "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 3",
                "WITH query name \"a\" specified more than once",
                23,
            ),
            (
                "SELECT 1 FROM t x, u x",
                "table name \"x\" specified more than once",
                0,
            ),
        ] {
            let statement = parse(sql).expect(sql).remove(0);
            let misplaced = check(&statement.ast, &state).expect_err(sql);
            assert_eq!(misplaced.error.message(), message);
            assert_eq!(misplaced.at.map_or(0, |at| at.column), column, "{sql}");
        }
        let sql = "SELECT a, (SELECT max(b) FROM u) FROM s.t, r.t WHERE a IN (SELECT sum(c) FROM v) ORDER BY 1";
        let statement = parse(sql).expect(sql).remove(0);
        assert!(check(&statement.ast, &state).is_ok());
    }
}
