//! Window functions over a fragment. What comes above them goes around them: SQL
//! computes them last on their level.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::logical_plan::Window;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::{grown, noted, over_apart};
use crate::pushdown::fragment::Select;
use crate::pushdown::outcome::{Outcome, Reason};
use crate::pushdown::remote_scan::{self, RemoteScan};
use crate::pushdown::rules::{self, Within};
use crate::pushdown::value;

pub(super) fn push(window: Window, within: Within<'_>) -> EngineResult<Transformed<LogicalPlan>> {
    let Some(below) = remote_scan::in_plan(&window.input) else {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    };
    let node = LogicalPlan::Window(window.clone());
    let apart = over_apart(&node, below)?;
    let pushed = computed(below, &window, within)
        .and_then(|select| grown(below, select, &window.schema, apart));
    match pushed {
        Ok(remote) => Ok(Transformed::yes(remote)),
        Err(reason) => noted(node, reason),
    }
}

fn computed(below: &RemoteScan, window: &Window, within: Within<'_>) -> Outcome<Select> {
    let mut select = below.select().clone().open(within.aliases);
    let items = select.items.clone();
    let scope = rules::Scope {
        items: &items,
        ..below.scope(within)
    };
    let fields = window.schema.fields().iter().skip(items.len());
    for (expr, field) in window.window_expr.iter().zip(fields) {
        let Expr::WindowFunction(call) = expr.clone().unalias() else {
            return Err(Reason::Node {
                kind: "such a window".into(),
            });
        };
        let item = rules::window(scope, &call, value::sent_as(field))?;
        select.items.push(item);
    }
    Ok(select.nested(within.aliases))
}
