//! A part that a statement names more than once: a WITH query, or a derived table
//! that is written twice. It is computed once, here or at its source.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, SubqueryAlias, UserDefinedLogicalNode,
    UserDefinedLogicalNodeCore, Volatility,
};

/// All that have the same number have the same rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shared {
    id: usize,
    input: Arc<LogicalPlan>,
}

impl Shared {
    pub fn id(&self) -> usize {
        self.id
    }

    pub fn input(&self) -> &Arc<LogicalPlan> {
        &self.input
    }
}

/// The analyzed plan with what it computes more than once marked. Parts that only
/// choose rows and columns are not: each place of theirs may choose fewer.
pub fn mark(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let shared = repeated(&plan)?;
    if shared.is_empty() {
        return Ok(plan);
    }
    let mut numbers: HashMap<LogicalPlan, usize> = HashMap::new();
    let marked = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::SubqueryAlias(alias) = &node else {
            return Ok(Transformed::no(node));
        };
        let Some(part) = shared.get(alias.input.as_ref()) else {
            return Ok(Transformed::no(node));
        };
        let next = numbers.len();
        let id = *numbers.entry(part.clone()).or_insert(next);
        let input = LogicalPlan::Extension(Extension {
            node: Arc::new(Shared {
                id,
                input: alias.input.clone(),
            }),
        });
        let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
        Ok(Transformed::new(
            LogicalPlan::SubqueryAlias(alias),
            true,
            TreeNodeRecursion::Jump,
        ))
    })?;
    Ok(marked.data)
}

pub fn in_plan(plan: &LogicalPlan) -> Option<&Shared> {
    match plan {
        LogicalPlan::Extension(extension) => of_node(extension.node.as_ref()),
        _ => None,
    }
}

pub fn of_node(node: &dyn UserDefinedLogicalNode) -> Option<&Shared> {
    node.as_any().downcast_ref::<Shared>()
}

/// Inputs of aliases that are there more than once.
fn repeated(plan: &LogicalPlan) -> EngineResult<HashSet<LogicalPlan>> {
    let mut seen: HashMap<LogicalPlan, usize> = HashMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::SubqueryAlias(alias) = node
            && is_aggregated(&alias.input)
            && stands_alone(&alias.input)?
        {
            *seen.entry(alias.input.as_ref().clone()).or_default() += 1;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let repeated = seen.into_iter().filter(|(_, times)| *times > 1);
    Ok(repeated.map(|(input, _)| input).collect())
}

/// Are its rows groups, of which there are fewer than rows?
fn is_aggregated(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_) => true,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().into_iter().next().is_some_and(is_aggregated)
        }
        _ => false,
    }
}

/// Has it the same rows wherever it stands?
fn stands_alone(plan: &LogicalPlan) -> EngineResult<bool> {
    let mut alone = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                alone &= match expr {
                    Expr::OuterReferenceColumn(..) => false,
                    Expr::ScalarFunction(call) => {
                        call.func.signature().volatility != Volatility::Volatile
                    }
                    _ => true,
                };
                Ok(match alone {
                    true => TreeNodeRecursion::Continue,
                    false => TreeNodeRecursion::Stop,
                })
            })
        })
    })?;
    Ok(alone)
}

impl UserDefinedLogicalNodeCore for Shared {
    fn name(&self) -> &str {
        "Shared"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Shared: {}", self.id)
    }

    fn with_exprs_and_inputs(
        &self,
        _: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> EngineResult<Self> {
        let input = inputs.pop().map_or_else(|| self.input.clone(), Arc::new);
        Ok(Shared { id: self.id, input })
    }
}

impl PartialOrd for Shared {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other)
            .then_some(Ordering::Equal)
            .or_else(|| Some(self.id.cmp(&other.id)).filter(|order| order.is_ne()))
    }
}
