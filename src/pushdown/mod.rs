//! Moves work of an optimized plan into the Postgres sources that own it: bottom
//! up, each node over a fragment joins it if every part of it has a rule. Every
//! rule answers pushed or kept with a reason; what is kept runs here, and EXPLAIN
//! says why. Called between the logical optimizer and the physical planner;
//! does no IO.

mod estimate;
mod fragment;
mod literal;
mod nodes;
mod outcome;
mod remote_scan;
mod remote_sql;
mod rules;
pub mod shared;
mod value;
mod whole;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;

use crate::error::{Error, Result};

pub use outcome::{Kept, Reason};
pub use remote_scan::{RemoteScan, in_plan};
pub use whole::{is_for_one, push_whole};

/// What `narrows.pushdown` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sources send whole columns; everything else runs here.
    Off,
    /// Push what is proven, keep the rest.
    Prefer,
    /// Refuse, with reasons, a statement that would not be fully pushed.
    Require,
}

impl Mode {
    pub fn from_setting(text: Option<&str>) -> Mode {
        match text {
            Some("off") => Mode::Off,
            Some("require") => Mode::Require,
            _ => Mode::Prefer,
        }
    }
}

/// Replaces what Postgres sources can run by `RemoteScan` leaves.
pub fn push(plan: LogicalPlan, mode: Mode) -> Result<LogicalPlan> {
    if mode == Mode::Off {
        return Ok(plan);
    }
    let pushed = nodes::push(plan)?;
    if mode == Mode::Require {
        require_all_pushed(&pushed)?;
    }
    Ok(pushed)
}

fn require_all_pushed(plan: &LogicalPlan) -> Result<()> {
    let mut reasons = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let Some(remote) = remote_scan::in_plan(node) {
            reasons.extend(remote.kept().iter().map(ToString::to_string));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported(
        "the statement would not be fully pushed to its source, and narrows.pushdown is \"require\"",
    )
    .with_detail(reasons.join("; ")))
}
