//! Aggregates that are a function of all values (sections 9.21 and 9.16 of the
//! manual): json_agg and its kin, mode and percentile_disc become that function
//! of `array_agg`. A row that is named as a whole becomes JSON of its columns,
//! where the text says them.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident,
    ObjectName, Select, SelectItem, SetExpr, TableFactor, UnaryOperator, Value,
};

use super::super::columns::{folded, visible};
use super::{argument, call_with, last_part};
use crate::error::{Error, Result};

/// Columns of the derived tables of a SELECT, by alias.
pub(super) type Rows = HashMap<String, Vec<String>>;

pub(super) fn rows_of(select: &Select) -> Rows {
    select
        .from
        .iter()
        .flat_map(|from| {
            std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
        })
        .filter_map(|factor| {
            let TableFactor::Derived {
                subquery,
                alias: Some(alias),
                ..
            } = factor
            else {
                return None;
            };
            let SetExpr::Select(inner) = subquery.body.as_ref() else {
                return None;
            };
            let mut columns = inner
                .projection
                .iter()
                .map(|item| match item {
                    SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
                    SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                        parts.last().map(folded)
                    }
                    SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?;
            for (column, renamed) in columns.iter_mut().zip(&alias.columns) {
                *column = folded(&renamed.name);
            }
            Some((folded(&alias.name), columns))
        })
        .collect()
}

/// Rewrites one expression. 0A000 for forms without a counterpart.
pub(super) fn rewrite(expr: &mut Expr, rows: &[&Rows]) -> Result<()> {
    let Expr::Function(function) = expr else {
        return Ok(());
    };
    let Some(name) = last_part(&function.name) else {
        return Ok(());
    };
    let rewritten = match name.as_str() {
        "row_to_json" | "to_json" | "to_jsonb" => row_as_json(function, rows).map(|row| {
            let mut converted = function.clone();
            set_arguments(&mut converted, vec![row]);
            Expr::Function(match name.as_str() {
                "row_to_json" => renamed(&converted, "to_json"),
                _ => converted,
            })
        }),
        "json_agg" | "jsonb_agg" => {
            let mut items = renamed(function, "array_agg");
            let row = row_as_json(function, rows);
            let wrapper = match (name.as_str(), &row) {
                ("jsonb_agg", _) => "jsonb of items",
                (_, Some(_)) => "json of rows",
                _ => "json of items",
            };
            if let Some(row) = row {
                set_arguments(&mut items, vec![row]);
            }
            Some(call_with(wrapper, vec![Expr::Function(items)]))
        }
        "json_object_agg" | "jsonb_object_agg" => {
            let arguments = arguments_of(function);
            let [key, value] = arguments.as_slice() else {
                return Ok(());
            };
            let wrapper = match name.as_str() {
                "json_object_agg" => "json of members",
                _ => "jsonb of members",
            };
            let lists = [key, value].map(|argument| {
                let mut list = renamed(function, "array_agg");
                set_arguments(&mut list, vec![argument.clone()]);
                Expr::Function(list)
            });
            Some(call_with(wrapper, lists.to_vec()))
        }
        "mode" | "percentile_disc" => ordered_set(&name, function)?,
        _ => None,
    };
    if let Some(rewritten) = rewritten {
        *expr = rewritten;
    }
    Ok(())
}

/// `mode() WITHIN GROUP (ORDER BY x)` → a function of the sorted values.
fn ordered_set(name: &str, function: &Function) -> Result<Option<Expr>> {
    let [order] = function.within_group.as_slice() else {
        return Ok(None);
    };
    if function.over.is_some() {
        return Err(Error::unsupported(format!(
            "OVER is not supported for ordered-set aggregate {name}"
        )));
    }
    let mut sorted = renamed(function, "array_agg");
    sorted.within_group = Vec::new();
    let present = Expr::IsNotNull(Box::new(order.expr.clone()));
    sorted.filter = Some(Box::new(match sorted.filter.take() {
        None => present,
        Some(filter) => Expr::BinaryOp {
            left: filter,
            op: datafusion::sql::sqlparser::ast::BinaryOperator::And,
            right: Box::new(present),
        },
    }));
    set_arguments(&mut sorted, vec![order.expr.clone()]);
    if let FunctionArguments::List(list) = &mut sorted.args {
        list.clauses
            .push(FunctionArgumentClause::OrderBy(vec![order.clone()]));
    }
    let mut arguments = arguments_of(function);
    arguments.push(Expr::Function(sorted));
    Ok(Some(call_with(&format!("{name} of items"), arguments)))
}

/// The call under another name of the engine.
fn renamed(function: &Function, name: &str) -> Function {
    let mut renamed = function.clone();
    renamed.name = ObjectName::from(vec![Ident::new(name)]);
    renamed
}

fn arguments_of(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    list.args
        .iter()
        .filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

fn set_arguments(function: &mut Function, arguments: Vec<Expr>) {
    if let FunctionArguments::List(list) = &mut function.args {
        list.args = arguments
            .into_iter()
            .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
            .collect();
    }
}

/// The one argument, if it is a row: `t` of `FROM (SELECT …) t`, or ROW(…).
fn row_as_json(function: &Function, rows: &[&Rows]) -> Option<Expr> {
    let members: Vec<(String, Expr)> = match argument(function)? {
        Expr::Identifier(name) => {
            let table = folded(name);
            let columns = rows.iter().rev().find_map(|rows| rows.get(&table))?;
            // a column of that name goes before the table
            if rows
                .iter()
                .any(|rows| rows.values().any(|c| c.contains(&table)))
            {
                return None;
            }
            columns
                .iter()
                .map(|column| {
                    let parts = [table.as_str(), column.as_str()];
                    let parts = parts.map(|part| Ident::with_quote('"', part));
                    (
                        visible(column).to_string(),
                        Expr::CompoundIdentifier(parts.to_vec()),
                    )
                })
                .collect()
        }
        Expr::Tuple(values) => numbered(values.clone()),
        Expr::Function(row) if last_part(&row.name).as_deref() == Some("row") => {
            numbered(arguments_of(row))
        }
        _ => return None,
    };
    let arguments = members
        .into_iter()
        .flat_map(|(name, value)| [Expr::value(Value::SingleQuotedString(name)), value])
        .collect();
    Some(call_with("row as json", arguments))
}

fn numbered(values: Vec<Expr>) -> Vec<(String, Expr)> {
    values
        .into_iter()
        .enumerate()
        .map(|(at, value)| (format!("f{}", at + 1), value))
        .collect()
}

/// NOT of a condition.
pub(super) fn negated(condition: Expr) -> Expr {
    Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(Expr::Nested(Box::new(condition))),
    }
}
