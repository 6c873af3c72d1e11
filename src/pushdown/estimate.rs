//! How many rows pass a condition, from what the source's statistics say. Only
//! the order of joins depends on it, never an answer. The constants are those
//! of Postgres's own planner (selfuncs.h).

use datafusion::logical_expr::{Expr, Operator};

use crate::sources::postgres::PostgresTable;

const EQUALITY: f64 = 0.005;
const RANGE: f64 = 1.0 / 3.0;
const OTHER: f64 = 0.5;

/// Between 0 and 1.
pub(super) fn selectivity(table: &PostgresTable, expr: &Expr) -> f64 {
    match expr {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And => selectivity(table, &binary.left) * selectivity(table, &binary.right),
            Operator::Or => {
                (selectivity(table, &binary.left) + selectivity(table, &binary.right)).min(1.0)
            }
            Operator::Eq | Operator::IsNotDistinctFrom => equality(table, &binary.left)
                .or_else(|| equality(table, &binary.right))
                .unwrap_or(EQUALITY),
            Operator::NotEq => 1.0 - EQUALITY,
            _ => RANGE,
        },
        Expr::InList(list) => {
            let each = equality(table, &list.expr).unwrap_or(EQUALITY);
            let all = (each * list.list.len() as f64).min(1.0);
            if list.negated { 1.0 - all } else { all }
        }
        Expr::Between(_) => RANGE * RANGE,
        Expr::Not(inner) => 1.0 - selectivity(table, inner),
        Expr::IsNull(_) => EQUALITY,
        Expr::IsNotNull(_) => 1.0 - EQUALITY,
        _ => OTHER,
    }
}

/// One value of a column: one row of a unique one, else one of its distinct values.
fn equality(table: &PostgresTable, expr: &Expr) -> Option<f64> {
    let column = match expr {
        Expr::Column(column) => column,
        Expr::Cast(cast) => return equality(table, &cast.expr),
        _ => return None,
    };
    let distinct = table.distinct_values(&column.name)?;
    (distinct >= 1.0).then(|| 1.0 / distinct)
}
