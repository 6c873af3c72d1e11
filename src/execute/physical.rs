//! Optimized logical plan → physical plan: pushdown, then the engine's own
//! planner, which meets our fragments as extension nodes.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::Session;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;

use super::shared::SharedExec;
use crate::error::Result;
use crate::plan::depth::OnDeepStack;
use crate::pushdown::{self, RemoteScan};
use crate::sources::postgres::PostgresScan;

/// `pushed` has its parameters' values in place, and its fragments.
pub(super) async fn physical_plan(
    state: &SessionState,
    pushed: &LogicalPlan,
) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(remote) = pushdown::in_plan(pushed) {
        // all of it runs there: nothing is left to plan
        return Ok(Arc::new(scan_of(remote, state.config())));
    }
    let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Fragments)]);
    let plan = OnDeepStack::new(planner.create_physical_plan(pushed, state)).await?;
    Ok(plan)
}

/// Plans the nodes that are not the engine's own.
struct Fragments;

#[async_trait]
impl ExtensionPlanner for Fragments {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> EngineResult<Option<Arc<dyn ExecutionPlan>>> {
        if let (Some(shared), [input]) = (pushdown::shared::of_node(node), physical_inputs) {
            return Ok(Some(Arc::new(SharedExec::new(shared.id(), input.clone()))));
        }
        let Some(remote) = node.as_any().downcast_ref::<RemoteScan>() else {
            return Ok(None);
        };
        Ok(Some(Arc::new(scan_of(remote, session.config()))))
    }
}

pub(super) fn scan_of(remote: &RemoteScan, config: &SessionConfig) -> PostgresScan {
    let schema: Arc<Schema> =
        Arc::clone(datafusion::logical_expr::UserDefinedLogicalNodeCore::schema(remote).inner());
    let notes = remote.kept().iter().map(ToString::to_string).collect();
    let estimates = remote.estimates();
    let fragment = remote.single_table();
    let scan = PostgresScan::new(
        remote.source().clone(),
        remote.sql().to_string(),
        schema,
        estimates,
        notes,
    );
    match fragment {
        Some(table) => scan.of_table(table, config),
        None => scan,
    }
}
