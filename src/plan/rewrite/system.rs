//! What only system relations have: columns that are not listed (section 5.5 of
//! the manual), and relations that are always empty here, whose queries need
//! no more than their columns.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    self, Expr, GroupByExpr, Ident, JoinOperator, Query, Select, SelectItem, TableFactor, Value,
    Visit, Visitor,
};

use super::last_part;
use crate::pg_catalog;

/// The system relations that a SELECT names, by the name its expressions use.
pub(super) struct Scope {
    relations: Vec<(String, &'static str, String)>,
}

impl Scope {
    pub(super) fn of(select: &Select) -> Self {
        let tables = select.from.iter().flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        });
        Scope {
            relations: tables.filter_map(system_relation).collect(),
        }
    }

    /// `c.tableoid`, `xmin` → a constant.
    pub(super) fn system_column(&self, expr: &Expr) -> Option<Expr> {
        let (relation, column) = match expr {
            Expr::Identifier(column) => match self.relations.as_slice() {
                [only] => (only, column),
                _ => return None,
            },
            Expr::CompoundIdentifier(parts) => {
                let [.., table, column] = parts.as_slice() else {
                    return None;
                };
                let table = super::super::columns::folded(table);
                (
                    self.relations.iter().find(|(alias, ..)| *alias == table)?,
                    column,
                )
            }
            _ => return None,
        };
        let value = match super::super::columns::folded(column).as_str() {
            "tableoid" => pg_catalog::relation_oid(relation.1, &relation.2)?,
            "xmin" => 1,
            "xmax" | "cmin" | "cmax" => 0,
            _ => return None,
        };
        Some(Expr::Value(Value::Number(value.to_string(), true).into()))
    }
}

/// (name in expressions, schema, relation)
fn system_relation(factor: &TableFactor) -> Option<(String, &'static str, String)> {
    let TableFactor::Table {
        name,
        alias,
        args: None,
        ..
    } = factor
    else {
        return None;
    };
    let relation = last_part(name)?;
    let qualifier = match name.0.as_slice() {
        [_] => None,
        [.., schema, _] => schema.as_ident().map(super::super::columns::folded),
        [] => return None,
    };
    let schema = match qualifier.as_deref() {
        None | Some("pg_catalog") => "pg_catalog",
        Some("information_schema") => "information_schema",
        Some(_) => return None,
    };
    pg_catalog::relation_oid(schema, &relation)?;
    let alias = match alias {
        Some(alias) => super::super::columns::folded(&alias.name),
        None => relation.clone(),
    };
    Some((alias, schema, relation))
}

/// A plain SELECT that joins an always empty relation has no rows: what stands
/// in its list and condition is not needed to know that.
pub(super) fn cut_empty(select: &mut Select) {
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
    };
    if grouped || select.having.is_some() || !joins_empty(select) {
        return;
    }
    let aggregates = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            is_plain_aggregate(expr)
        }
        _ => false,
    });
    if aggregates {
        return;
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
            && has_subquery(expr)
        {
            *expr = Expr::Value(Value::Null.into());
        }
    }
    if select.selection.as_ref().is_some_and(has_subquery) {
        select.selection = Some(Expr::Value(Value::Boolean(false).into()));
    }
}

fn joins_empty(select: &Select) -> bool {
    select.from.iter().any(|from| {
        // the other side of an outer join may bring rows
        let inner = from.joins.iter().all(|join| {
            matches!(
                join.join_operator,
                JoinOperator::Join(_)
                    | JoinOperator::Inner(_)
                    | JoinOperator::CrossJoin(_)
                    | JoinOperator::Left(_)
                    | JoinOperator::LeftOuter(_)
            )
        });
        let inner_joined = from.joins.iter().filter(|join| {
            matches!(
                join.join_operator,
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
            )
        });
        inner
            && std::iter::once(&from.relation)
                .chain(inner_joined.map(|join| &join.relation))
                .filter_map(system_relation)
                .any(|(_, schema, relation)| pg_catalog::is_always_empty(schema, &relation))
    })
}

fn is_plain_aggregate(expr: &Expr) -> bool {
    const AGGREGATES: &[&str] = &[
        "count",
        "sum",
        "min",
        "max",
        "avg",
        "array_agg",
        "string_agg",
        "bool_and",
        "bool_or",
    ];
    struct Search;
    impl Visitor for Search {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function)
                    if last_part(&function.name)
                        .is_some_and(|name| AGGREGATES.contains(&name.as_str())) =>
                {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    !has_subquery(expr) && expr.visit(&mut Search).is_break()
}

fn has_subquery(expr: &Expr) -> bool {
    struct Search;
    impl Visitor for Search {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    expr.visit(&mut Search).is_break()
}

/// `FROM pg_catalog.unnest(…)`: the engine knows table functions by bare names.
pub(super) fn bare_function(factor: &mut TableFactor) {
    if let TableFactor::Table {
        name,
        args: Some(_),
        ..
    } = factor
        && name.0.len() > 1
        && let Some(last) = last_part(name)
    {
        *name = ast::ObjectName::from(vec![Ident::new(last)]);
    }
}

/// Functions in FROM whose result is always empty here.
pub(super) fn empty_function(factor: &mut TableFactor) {
    let TableFactor::Table {
        name,
        args: Some(_),
        alias,
        ..
    } = factor
    else {
        return;
    };
    let columns: &[&str] = match last_part(name).as_deref() {
        Some("pg_partition_ancestors") => &["relid", "depth"],
        Some("pg_options_to_table") => &["option_name", "option_value"],
        _ => return,
    };
    let items: Vec<String> = columns
        .iter()
        .map(|column| format!("CAST(NULL AS TEXT) AS {column}"))
        .collect();
    let sql = format!("SELECT {} WHERE false", items.join(", "));
    let Ok(mut parsed) = super::super::parse::parse(&sql) else {
        return;
    };
    let Some(statement) = parsed.pop() else {
        return;
    };
    if let ast::Statement::Query(subquery) = Arc::unwrap_or_clone(statement.ast) {
        *factor = TableFactor::Derived {
            lateral: false,
            subquery,
            alias: Some(alias.take().unwrap_or(ast::TableAlias {
                explicit: true,
                name: Ident::new("empty"),
                columns: Vec::new(),
                at: None,
            })),
            sample: None,
        };
    }
}
