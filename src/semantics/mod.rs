//! What makes the engine answer as Postgres does: types, casts, operators,
//! functions, and the session's values that they read. Registered once with
//! the engine's shared state; imports nothing of the catalog or the sources.

mod aggregates;
mod analyze;
mod calendar;
mod casts;
mod cell;
mod coalesce;
mod functions;
mod interval_groups;
mod interval_in;
mod normalize;
mod numeric;
mod operators;
mod planner;
mod same_casts;
pub mod session_vars;
mod set_operations;
#[cfg(test)]
mod tests;
mod text_in;
mod text_out;
mod timestamp_in;
mod typed;
mod types;
mod value;

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::logical_expr::ScalarUDF;

use crate::error::Result;
use crate::types::PgType;

use cell::CELL;

pub use normalize::normalize;
pub use session_vars::SessionVars;
pub use types::TypeNames;

/// Stands for a function that does not exist, so that the error can name the
/// types of the arguments: 42883 once the call is typed.
pub fn unknown_function(name: &str) -> Arc<ScalarUDF> {
    Arc::new(functions::unknown(name))
}

/// A parameter's value for a plan: a literal that remembers its type.
pub fn typed_parameter(value: ScalarValue, pg_type: PgType) -> ScalarAndMetadata {
    let metadata = typed::literal_metadata(&value, pg_type);
    ScalarAndMetadata::new(value, metadata)
}

/// Adds the rules and planners to the engine's state, which is built anew: before
/// any function is added, because a build cannot tell a function of ours from the
/// engine's own one that still has its alias (`avg` and `mean`).
pub fn register_rules(state: &mut SessionState) {
    let mut rules = state.analyzer().rules.clone();
    rules.insert(0, Arc::new(analyze::PostgresTypes));
    rules.push(Arc::new(analyze::Unmarked));
    let mut planners: Vec<_> = vec![Arc::new(planner::PostgresExpressions) as _];
    planners.extend(state.expr_planners().iter().cloned());
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_analyzer_rules(rules)
        .with_expr_planners(planners)
        .build();
}

/// Adds the functions.
pub fn register_functions(state: &mut SessionState) -> Result<()> {
    for function in functions::named() {
        state.register_udf(Arc::new(ScalarUDF::from(function)))?;
    }
    state.register_udf(Arc::new(ScalarUDF::from(cell::Cell::default())))?;
    state.register_udf(Arc::new(ScalarUDF::from(coalesce::Coalesce::default())))?;
    for aggregate in aggregates::planned() {
        state.register_udaf(Arc::new(aggregate))?;
    }
    Ok(())
}
