//! The SQL text of fragments. Names are always quoted and qualified, so that a
//! source's search_path and keywords cannot change what they mean.

use super::fragment::{From, Grouping, JoinKind, Select};
use super::value::{Form, alias_name};

/// The statement whose columns are `items`.
pub(super) fn select(select: &Select, items: &[String]) -> String {
    let mut sql = format!("SELECT {} FROM ", items.join(", "));
    write_from(&mut sql, &select.from);
    write_conditions(&mut sql, " WHERE ", &select.filters);
    match &select.grouping {
        None => {}
        Some(grouping) if grouping.by.is_empty() => {
            sql.push_str(match aggregates(select, grouping) {
                true => "",
                false => " GROUP BY ()",
            });
        }
        Some(grouping) => {
            sql.push_str(" GROUP BY ");
            sql.push_str(&grouping.by.join(", "));
        }
    }
    write_conditions(&mut sql, " HAVING ", &select.having);
    if !select.order.is_empty() {
        sql.push_str(" ORDER BY ");
        sql.push_str(&select.order.join(", "));
    }
    if let Some(limit) = select.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    if select.offset > 0 {
        sql.push_str(&format!(" OFFSET {}", select.offset));
    }
    sql
}

/// Does the text show by itself that rows are aggregated?
fn aggregates(select: &Select, grouping: &Grouping) -> bool {
    select
        .items
        .iter()
        .filter(|item| item.form == Form::Computed)
        .any(|item| {
            let sql = &item.sql;
            grouping.aggregates.iter().any(|call| sql.contains(call))
        })
}

/// The statement with the queries that it names.
pub(super) fn with(queries: &[(usize, Select)], statement: &str) -> String {
    let queries: Vec<String> = queries
        .iter()
        .map(|(id, query)| format!("q{id} AS ({})", named(query)))
        .collect();
    format!("WITH {} {statement}", queries.join(", "))
}

/// A subquery whose columns do not matter, or have the values' own types.
pub(super) fn subquery(query: &Select) -> String {
    let items: Vec<String> = query.items.iter().map(|item| item.sql.clone()).collect();
    select(query, &items)
}

/// A subquery of which only counts whether it has rows.
pub(super) fn existing(query: &Select) -> String {
    match query.grouping {
        // its aggregates may be what makes it one row
        Some(_) => subquery(query),
        None => select(query, &["1".into()]),
    }
}

/// `SELECT 1` from the same rows with one more condition.
pub(super) fn existence(query: &Select, conditions: &[String]) -> String {
    let mut sql = String::from("EXISTS (SELECT 1 FROM ");
    write_from(&mut sql, &query.from);
    let all: Vec<String> = query.filters.iter().chain(conditions).cloned().collect();
    write_conditions(&mut sql, " WHERE ", &all);
    sql.push(')');
    sql
}

fn write_conditions(sql: &mut String, keyword: &str, conditions: &[String]) {
    if !conditions.is_empty() {
        sql.push_str(keyword);
        sql.push_str(&conditions.join(" AND "));
    }
}

fn write_from(sql: &mut String, from: &From) {
    match from {
        From::Table { table, alias } => {
            sql.push_str(&format!(
                "{} AS {}",
                table.remote().to_sql(),
                alias_name(*alias)
            ));
        }
        From::Named { query, alias } => {
            sql.push_str(&format!("q{query} AS {}", alias_name(*alias)));
        }
        From::Nested { branches, alias } => {
            let branches: Vec<String> = branches.iter().map(named).collect();
            sql.push_str(&format!(
                "({}) AS {}",
                branches.join(" UNION ALL "),
                alias_name(*alias)
            ));
        }
        From::Join {
            kind,
            left,
            right,
            on,
        } => {
            sql.push('(');
            write_from(sql, left);
            sql.push_str(match (kind, on.is_empty()) {
                (JoinKind::Inner, true) => " CROSS JOIN ",
                (JoinKind::Inner, false) => " JOIN ",
                (JoinKind::Left, _) => " LEFT JOIN ",
                (JoinKind::Right, _) => " RIGHT JOIN ",
                (JoinKind::Full, _) => " FULL JOIN ",
            });
            write_from(sql, right);
            match on.is_empty() {
                true if *kind == JoinKind::Inner => {}
                true => sql.push_str(" ON TRUE"),
                false => write_conditions(sql, " ON ", on),
            }
            sql.push(')');
        }
    }
}

/// A derived table names its columns by their place.
fn named(query: &Select) -> String {
    let items: Vec<String> = query
        .items
        .iter()
        .enumerate()
        .map(|(at, item)| format!("{} AS c{at}", item.sql))
        .collect();
    select(query, &items)
}
