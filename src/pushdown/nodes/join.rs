//! Joins of two fragments of one source. Whether the source runs them is settled
//! by the rows that it would send, once the whole fragment is known.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinType, NullEquality};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, ExprSchemable, Join, LogicalPlan};

use super::{grown, noted};
use crate::pushdown::fragment::{From, JoinKind, Rows, Select};
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::remote_scan::{self, Apart, RemoteScan};
use crate::pushdown::rules::{self, Scope, Within};
use crate::pushdown::value::Value;
use crate::pushdown::{estimate, remote_sql};

pub(super) fn push(join: Join, within: Within<'_>) -> EngineResult<Transformed<LogicalPlan>> {
    let (Some(left), Some(right)) = (
        remote_scan::in_plan(&join.left),
        remote_scan::in_plan(&join.right),
    ) else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    if left.source_name() != right.source_name() {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let node = LogicalPlan::Join(join.clone());
    let select = match joined(left, right, &join, within) {
        Ok(select) => select,
        Err(reason) => return noted(node, reason),
    };
    let apart = apart(&node, left, right, select.rows)?;
    let kept = right.kept().iter().cloned();
    let both = left.kept().iter().cloned().chain(kept).collect();
    let below = left.clone().with_kept(both);
    match grown(&below, select, &join.schema, apart) {
        Ok(remote) => Ok(Transformed::yes(remote)),
        Err(reason) => noted(node, reason),
    }
}

/// The join with its inputs read one by one, if that may move fewer rows.
fn apart(
    node: &LogicalPlan,
    left: &RemoteScan,
    right: &RemoteScan,
    together: Rows,
) -> EngineResult<Option<Apart>> {
    let moved = |side: &RemoteScan| match side.apart() {
        Some(apart) => apart.rows,
        None => side.select().rows.count,
    };
    let rows = moved(left) + moved(right);
    let inputs = node.inputs();
    let (Some(first), Some(second)) = (inputs.first(), inputs.get(1)) else {
        return Ok(None);
    };
    let settled = left.apart().is_none() && right.apart().is_none();
    if settled && together.count <= rows {
        return Ok(None);
    }
    let input = |side: &RemoteScan, own: &LogicalPlan| match side.apart() {
        Some(apart) => apart.plan.as_ref().clone(),
        None => own.clone(),
    };
    let inputs = vec![input(left, first), input(right, second)];
    let plan = Arc::new(node.with_new_exprs(node.expressions(), inputs)?);
    Ok(Some(Apart { plan, rows }))
}

/// The sides, opened for the join, and what their rows must agree in.
struct Sides {
    left: Select,
    right: Select,
    keys: Vec<(Value, Value)>,
    conditions: Vec<String>,
    selectivity: f64,
}

fn joined(
    left: &RemoteScan,
    right: &RemoteScan,
    join: &Join,
    within: Within<'_>,
) -> Outcome<Select> {
    let (outer_left, outer_right) = match join.join_type {
        JoinType::Left => (false, true),
        JoinType::Right => (true, false),
        JoinType::Full => (true, true),
        _ => (false, false),
    };
    let open = |side: &RemoteScan, filled: bool| {
        let select = side.select().clone();
        match filled {
            true => select.bare(within.aliases),
            false => select.open(within.aliases),
        }
    };
    let sides = (open(left, outer_left), open(right, outer_right));
    let sides = matched(sides, left, right, join, within)?;
    match join.join_type {
        JoinType::Inner => Ok(both(sides, JoinKind::Inner)),
        JoinType::Left => Ok(both(sides, JoinKind::Left)),
        JoinType::Right => Ok(both(sides, JoinKind::Right)),
        // others are not supported by Postgres
        JoinType::Full if join.filter.is_none() && by_plain_equality(join) => {
            Ok(both(sides, JoinKind::Full))
        }
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => one(sides, join),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            let keys = sides.keys.into_iter().map(|(a, b)| (b, a)).collect();
            let swapped = Sides {
                left: sides.right,
                right: sides.left,
                keys,
                ..sides
            };
            one(swapped, join)
        }
        JoinType::Full => Err(Reason::Node {
            kind: "such a full join".into(),
        }),
    }
}

fn by_plain_equality(join: &Join) -> bool {
    !join.on.is_empty() && join.null_equality == NullEquality::NullEqualsNothing
}

fn matched(
    (left, right): (Select, Select),
    left_scan: &RemoteScan,
    right_scan: &RemoteScan,
    join: &Join,
    within: Within<'_>,
) -> Outcome<Sides> {
    let scope = |scan, select| scoped(scan, select, within);
    let (left_scope, right_scope) = (scope(left_scan, &left), scope(right_scan, &right));
    let symbol = match join.null_equality {
        NullEquality::NullEqualsNothing => "=",
        NullEquality::NullEqualsNull => "IS NOT DISTINCT FROM",
    };
    let (mut keys, mut conditions) = (Vec::new(), Vec::new());
    for (a, b) in &join.on {
        let (a, b, condition) = rules::equality((left_scope, a), symbol, (right_scope, b))?;
        keys.push((a, b));
        conditions.push(condition);
    }
    let mut selectivity = 1.0;
    if let Some(filter) = &join.filter {
        let schema = left_scope
            .schema
            .join(right_scope.schema)
            .map_err(|_| Reason::Node {
                kind: "join of two of the same name".into(),
            })?;
        let items: Vec<Value> = left.items.iter().chain(&right.items).cloned().collect();
        let scope = Scope {
            schema: &schema,
            items: &items,
            source: left_scan.source_name(),
            within,
        };
        for conjunct in split_conjunction(filter) {
            conditions.push(rules::predicate(scope, conjunct)?);
            selectivity *= estimate::selectivity(scope, conjunct);
        }
    }
    Ok(Sides {
        left,
        right,
        keys,
        conditions,
        selectivity,
    })
}

fn scoped<'a>(scan: &'a RemoteScan, select: &'a Select, within: Within<'a>) -> Scope<'a> {
    Scope {
        items: &select.items,
        ..scan.scope(within)
    }
}

/// A join whose rows are pairs.
fn both(sides: Sides, kind: JoinKind) -> Select {
    let pairs = estimate::pairs(&sides.left, &sides.right, &sides.keys);
    let mut rows = pairs.times(sides.selectivity);
    let (left, right) = (sides.left, sides.right);
    if matches!(kind, JoinKind::Left | JoinKind::Full) {
        rows.count = rows.count.max(left.rows.count);
    }
    if matches!(kind, JoinKind::Right | JoinKind::Full) {
        rows.count = rows.count.max(right.rows.count);
    }
    let from = From::Join {
        kind,
        left: Box::new(left.from),
        right: Box::new(right.from),
        on: sides.conditions,
    };
    let items = left.items.into_iter().chain(right.items).collect();
    let mut select = Select::of(from, items, rows);
    // a side that may be filled with NULLs has no conditions of its own
    select.filters = left.filters;
    select.filters.extend(right.filters);
    select
}

/// Without NULLs NOT IN is an anti join, which Postgres runs far faster.
fn may_be_null(join: &Join) -> bool {
    let null = |expr: &Expr, side: &LogicalPlan| expr.nullable(side.schema()).unwrap_or(true);
    join.on
        .iter()
        .any(|(left, right)| null(left, &join.left) || null(right, &join.right))
}

/// A join that keeps the left side's rows, or those without a match.
fn one(sides: Sides, join: &Join) -> Outcome<Select> {
    let (mut left, right) = (sides.left, sides.right);
    let matching = match sides.keys.as_slice() {
        [] => 0.5,
        keys => {
            let of = |value: &Value, rows: Rows| value.distinct.unwrap_or(rows.count);
            let there: f64 = keys.iter().map(|(_, b)| of(b, right.rows)).product();
            let here: f64 = keys.iter().map(|(a, _)| of(a, left.rows)).product();
            (there.min(right.rows.count) / here.max(1.0)).clamp(0.001, 1.0)
        }
    };
    let exists = remote_sql::existence(&right, &sides.conditions);
    match join.join_type {
        JoinType::LeftSemi | JoinType::RightSemi => {
            left.rows = left.rows.times(matching);
            left.filters.push(exists);
        }
        JoinType::LeftAnti | JoinType::RightAnti if join.null_aware && may_be_null(join) => {
            let ([(key, other)], None) = (sides.keys.as_slice(), &join.filter) else {
                return Err(Reason::Node {
                    kind: "NOT IN of several columns".into(),
                });
            };
            let mut values = right.clone();
            values.items = vec![other.clone()];
            let list = remote_sql::subquery(&values);
            left.rows = left.rows.times((1.0 - matching).max(0.1));
            left.filters.push(format!("({} NOT IN ({list}))", key.sql));
        }
        JoinType::LeftAnti | JoinType::RightAnti => {
            left.rows = left.rows.times((1.0 - matching).max(0.1));
            left.filters.push(format!("NOT {exists}"));
        }
        _ => left.items.push(Value::condition(exists)),
    }
    Ok(left)
}
