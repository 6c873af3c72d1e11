//! How many rows pass a condition, a join, a grouping, from what the source's
//! statistics say. The order of joins and where they run depend on it, never an
//! answer. The constants are those of Postgres's own planner (selfuncs.h).

use datafusion::logical_expr::{Expr, Operator};

use super::fragment::{Rows, Select};
use super::rules::Scope;
use super::value::Value;

const EQUALITY: f64 = 0.005;
const RANGE: f64 = 1.0 / 3.0;
const OTHER: f64 = 0.5;
/// Different values of an expression that has no statistics.
const DISTINCT: f64 = 200.0;

/// Between 0 and 1.
pub(super) fn selectivity(scope: Scope<'_>, expr: &Expr) -> f64 {
    match expr {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And => selectivity(scope, &binary.left) * selectivity(scope, &binary.right),
            Operator::Or => {
                (selectivity(scope, &binary.left) + selectivity(scope, &binary.right)).min(1.0)
            }
            Operator::Eq | Operator::IsNotDistinctFrom => equality(scope, &binary.left)
                .or_else(|| equality(scope, &binary.right))
                .unwrap_or(EQUALITY),
            Operator::NotEq => 1.0 - EQUALITY,
            _ => RANGE,
        },
        Expr::InList(list) => {
            let each = equality(scope, &list.expr).unwrap_or(EQUALITY);
            let all = (each * list.list.len() as f64).min(1.0);
            if list.negated { 1.0 - all } else { all }
        }
        Expr::Between(_) => RANGE * RANGE,
        Expr::Not(inner) => 1.0 - selectivity(scope, inner),
        Expr::IsNull(_) => EQUALITY,
        Expr::IsNotNull(_) => 1.0 - EQUALITY,
        _ => OTHER,
    }
}

/// One value of a column: one row of a unique one, else one of its distinct values.
fn equality(scope: Scope<'_>, expr: &Expr) -> Option<f64> {
    let column = match expr {
        Expr::Column(column) => column,
        Expr::Cast(cast) => return equality(scope, &cast.expr),
        _ => return None,
    };
    let distinct = scope.column(column)?.distinct?;
    (distinct >= 1.0).then(|| 1.0 / distinct)
}

/// The pairs of two sides that agree in their keys.
pub(super) fn pairs(left: &Select, right: &Select, keys: &[(Value, Value)]) -> Rows {
    let count = left.rows.count * right.rows.count;
    let known = left.rows.known && right.rows.known;
    let lefts = keys.iter().map(|(left, _)| left);
    let rights = keys.iter().map(|(_, right)| right);
    let values = match (primary_key(lefts), primary_key(rights)) {
        (Some(a), Some(b)) => a.max(b),
        (Some(rows), None) | (None, Some(rows)) => rows,
        (None, None) => keys.iter().map(distinct_pairs).product(),
    };
    let count = (count / values.max(1.0)).max(1.0);
    Rows { count, known }
}

fn distinct_pairs((left, right): &(Value, Value)) -> f64 {
    match (left.distinct, right.distinct) {
        (Some(a), Some(b)) => a.max(b),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => DISTINCT,
    }
}

/// The rows of the table whose primary key is among these values.
fn primary_key<'a>(values: impl Iterator<Item = &'a Value>) -> Option<f64> {
    let origins: Vec<_> = values.filter_map(|value| value.origin.as_ref()).collect();
    origins.iter().find_map(|first| {
        let key = first.table.key()?;
        let whole = key.iter().all(|column| {
            origins
                .iter()
                .any(|origin| origin.alias == first.alias && origin.column == *column)
        });
        whole.then(|| first.table.rows().map(|rows| rows as f64))?
    })
}

pub(super) fn groups(rows: Rows, keys: &[Value]) -> Rows {
    let values: f64 = keys
        .iter()
        .map(|key| key.distinct.unwrap_or(DISTINCT))
        .product();
    rows.at_most(values)
}
