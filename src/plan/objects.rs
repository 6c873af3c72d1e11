//! Object identifiers are printed as names: casts of regclass, regtype, regproc …
//! to text, and such columns at the top of a query. Runs on the plan, where
//! columns' types are known; `rewrite::object_types` did what the text shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF};

use crate::types::PgType;

/// The same plan with object identifiers printed.
pub(super) fn print_objects(plan: LogicalPlan, state: &SessionState) -> EngineResult<LogicalPlan> {
    let plan = plan
        .transform_up_with_subqueries(|node| print_in_node(node, state))?
        .data;
    print_at_top(plan, state)
}

fn print_in_node(
    node: LogicalPlan,
    state: &SessionState,
) -> EngineResult<Transformed<LogicalPlan>> {
    let mut schema = DFSchema::empty();
    for input in node.inputs() {
        schema.merge(input.schema());
    }
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| {
        let name = names.save(&expr);
        let printed = expr.transform_up(|expr| match &expr {
            Expr::Cast(cast) if is_text(cast.field.data_type()) => {
                match printer(&cast.expr, &schema, state) {
                    Some(function) => Ok(Transformed::yes(
                        function.call(vec![cast.expr.as_ref().clone()]),
                    )),
                    None => Ok(Transformed::no(expr)),
                }
            }
            _ => Ok(Transformed::no(expr)),
        })?;
        Ok(match printed.transformed {
            true => Transformed::yes(name.restore(printed.data)),
            false => printed,
        })
    })
}

fn print_at_top(plan: LogicalPlan, state: &SessionState) -> EngineResult<LogicalPlan> {
    let schema = plan.schema().clone();
    let columns: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let mut any = false;
    let items: Vec<Expr> = columns
        .into_iter()
        .map(|column| match printer(&column, &schema, state) {
            Some(function) => {
                any = true;
                let name = column.schema_name().to_string();
                let bare = name.rsplit('.').next().unwrap_or_default().to_string();
                let printed = function.call(vec![column]);
                printed.alias_with_metadata(bare, Some(at_top()))
            }
            None => column,
        })
        .collect();
    if !any {
        return Ok(plan);
    }
    LogicalPlanBuilder::from(plan).project(items)?.build()
}

/// Says of a column that the text of the statement did not ask to print it.
const AT_TOP: &str = "narrows.printed";

fn at_top() -> FieldMetadata {
    BTreeMap::from([(AT_TOP.to_string(), String::new())]).into()
}

/// What was printed only because it is a column of the result.
pub(super) fn printed_at_top(alias: &Alias) -> Option<&Expr> {
    let metadata = alias.metadata.as_ref()?;
    match alias.expr.as_ref() {
        Expr::ScalarFunction(call) if metadata.inner().contains_key(AT_TOP) => call.args.first(),
        _ => None,
    }
}

/// The function that prints an expression's type of object identifier.
fn printer(expr: &Expr, schema: &DFSchema, state: &SessionState) -> Option<Arc<ScalarUDF>> {
    let (_, field) = expr.to_field(schema).ok()?;
    let name = match PgType::of(&field).oid {
        24 => "narrows_regproc_out",
        2202 => "narrows_regprocedure_out",
        2205 => "narrows_regclass_out",
        2206 => "narrows_regtype_out",
        4089 => "narrows_regnamespace_out",
        4096 => "narrows_regrole_out",
        _ => return None,
    };
    state.scalar_functions().get(name).cloned()
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    )
}
