//! Columns that go from a Postgres source to the client unchanged are carried as
//! the source sends them, so that no value is lost for want of an Arrow type and
//! each keeps its own type. The analyzer's last rule: until then, and wherever an
//! expression uses such a column, it is what the engine computes with.
//!
//! The way down from the top of the plan finds which of the result's columns are
//! columns of sources; the way up gives those their form, and turns them back
//! for every expression between.

mod expressions;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Filter, Join, Limit, LogicalPlan, Projection, Sort, SubqueryAlias,
    TableScan, TableScanBuilder, Union, Window,
};
use datafusion::optimizer::AnalyzerRule;

use super::compared::refusal;
use crate::sources::postgres::{PostgresTable, ordered_by};
use crate::types::sent::{Need, Sent, need};

use expressions::{bare_column, is_sent, plain_output, unprinted, with_plain};

#[derive(Debug)]
pub struct Unchanged;

impl AnalyzerRule for Unchanged {
    fn name(&self) -> &str {
        "unchanged_columns"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> EngineResult<LogicalPlan> {
        let mut any = false;
        plan.apply_with_subqueries(|node| {
            any |= matches!(node, LogicalPlan::TableScan(scan) if has_sent(scan));
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !any {
            return Ok(plan);
        }
        let used = Used::in_plan(&plan)?;
        let all = vec![true; plan.schema().fields().len()];
        let plan = delivered(&plan, &all, &used)?.unwrap_or(plan);
        Ok(plan.transform_up_with_subqueries(settled)?.data)
    }
}

/// Is it of a table that has columns to carry as they are sent?
fn has_sent(scan: &TableScan) -> bool {
    source_as_provider(&scan.source).is_ok_and(|provider| {
        provider
            .downcast_ref::<PostgresTable>()
            .is_some_and(|table| table.columns().iter().any(|column| column.sent.is_some()))
    })
}

/// Names of columns that expressions of the plan use. By name alone: what is
/// wrongly among them keeps its Arrow type.
struct Used {
    /// Other than to hand them on.
    computed: HashSet<String>,
    /// Within subqueries, from outside.
    outer: HashSet<String>,
}

impl Used {
    fn in_plan(plan: &LogicalPlan) -> EngineResult<Used> {
        let mut used = Used {
            computed: HashSet::new(),
            outer: HashSet::new(),
        };
        plan.apply_with_subqueries(|node| {
            let hands_on = matches!(node, LogicalPlan::Projection(_));
            node.apply_expressions(|expr| {
                if !(hands_on && bare_column(expr).is_some()) {
                    let names = expr.column_refs().into_iter().map(|c| c.name.clone());
                    used.computed.extend(names);
                }
                used.note_outer(expr)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(used)
    }

    fn note_outer(&mut self, expr: &Expr) -> EngineResult<()> {
        expr.apply(|expr| {
            if let Expr::OuterReferenceColumn(_, column) = expr {
                self.outer.insert(column.name.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn allows(&self, sent: &Sent, name: &str) -> bool {
        !self.outer.contains(name)
            && (need(sent.pg_type) == Need::Always || !self.computed.contains(name))
    }
}

/// The plan with the wanted of its columns as they were sent, where they can be;
/// `None` if none can.
fn delivered(
    plan: &LogicalPlan,
    wanted: &[bool],
    used: &Used,
) -> EngineResult<Option<LogicalPlan>> {
    if !wanted.contains(&true) {
        return Ok(None);
    }
    match plan {
        LogicalPlan::TableScan(scan) => table_scan(scan, wanted, used),
        LogicalPlan::Projection(node) => projection(node, wanted, used),
        LogicalPlan::Filter(node) => {
            let Some(input) = delivered(&node.input, wanted, used)? else {
                return Ok(None);
            };
            let predicate = with_plain(node.predicate.clone(), input.schema())?;
            let filter = Filter::try_new(predicate, Arc::new(input))?;
            Ok(Some(LogicalPlan::Filter(filter)))
        }
        LogicalPlan::Sort(node) => {
            let mut wanted = wanted.to_vec();
            let keys = node.expr.iter().filter_map(|key| ordered_by(&key.expr));
            for column in keys.filter_map(bare_column) {
                if let Some(at) = node.input.schema().maybe_index_of_column(column) {
                    wanted[at] = true;
                }
            }
            let Some(input) = delivered(&node.input, &wanted, used)? else {
                return Ok(None);
            };
            let mut keys = node.expr.clone();
            for key in &mut keys {
                key.expr = with_plain(key.expr.clone(), input.schema())?;
            }
            Ok(Some(LogicalPlan::Sort(Sort {
                expr: keys,
                input: Arc::new(input),
                fetch: node.fetch,
            })))
        }
        LogicalPlan::Limit(node) => Ok(delivered(&node.input, wanted, used)?.map(|input| {
            LogicalPlan::Limit(Limit {
                input: Arc::new(input),
                ..node.clone()
            })
        })),
        LogicalPlan::SubqueryAlias(node) => match delivered(&node.input, wanted, used)? {
            Some(input) => {
                let alias = SubqueryAlias::try_new(Arc::new(input), node.alias.clone())?;
                Ok(Some(LogicalPlan::SubqueryAlias(alias)))
            }
            None => Ok(None),
        },
        LogicalPlan::Window(node) => window(node, wanted, used),
        LogicalPlan::Join(node) => join(node, wanted, used),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let Some(input) = delivered(input, wanted, used)? else {
                return Ok(None);
            };
            let input = plain_output(input, |_, sent| !sent.is_equal_by_bytes())?;
            Ok(Some(LogicalPlan::Distinct(Distinct::All(Arc::new(input)))))
        }
        LogicalPlan::Aggregate(node) => aggregate(node, wanted, used),
        LogicalPlan::Union(node) => union(node, wanted, used),
        _ => Ok(None),
    }
}

fn table_scan(scan: &TableScan, wanted: &[bool], used: &Used) -> EngineResult<Option<LogicalPlan>> {
    let provider = source_as_provider(&scan.source)?;
    let Some(table) = provider.downcast_ref::<PostgresTable>() else {
        return Ok(None);
    };
    if !scan.filters.is_empty() {
        return Ok(None);
    }
    let returned: Vec<usize> = match &scan.projection {
        Some(columns) => columns.clone(),
        None => (0..table.columns().len()).collect(),
    };
    let sent: Vec<usize> = returned
        .into_iter()
        .zip(wanted)
        .filter_map(|(index, wanted)| {
            let column = table.columns().get(index).filter(|_| *wanted)?;
            let sent = column.sent.as_ref()?;
            used.allows(sent, &column.name).then_some(index)
        })
        .collect();
    if sent.is_empty() {
        return Ok(None);
    }
    let source = provider_as_source(Arc::new(table.sending(&sent)));
    let scan = TableScanBuilder::new(scan.table_name.clone(), source)
        .with_projection(scan.projection.clone())
        .with_fetch(scan.fetch)
        .build()?;
    Ok(Some(LogicalPlan::TableScan(scan)))
}

fn projection(
    node: &Projection,
    wanted: &[bool],
    used: &Used,
) -> EngineResult<Option<LogicalPlan>> {
    let schema = node.input.schema();
    let mut needed = vec![false; schema.fields().len()];
    for (expr, wanted) in node.expr.iter().zip(wanted) {
        let column = bare_column(expr).filter(|_| *wanted);
        if let Some(at) = column.and_then(|column| schema.maybe_index_of_column(column)) {
            needed[at] = true;
        }
    }
    let Some(input) = delivered(&node.input, &needed, used)? else {
        return Ok(None);
    };
    let mut items = Vec::with_capacity(node.expr.len());
    for (expr, wanted) in node.expr.iter().zip(wanted) {
        let handed_on = bare_column(expr).is_some_and(|column| is_sent(column, input.schema()));
        items.push(match handed_on && *wanted {
            true => unprinted(expr),
            false => expressions::named(expr, input.schema())?,
        });
    }
    let projection = Projection::try_new(items, Arc::new(input))?;
    Ok(Some(LogicalPlan::Projection(projection)))
}

fn window(node: &Window, wanted: &[bool], used: &Used) -> EngineResult<Option<LogicalPlan>> {
    let handed_on = node.input.schema().fields().len();
    let Some(input) = delivered(&node.input, &wanted[..handed_on], used)? else {
        return Ok(None);
    };
    let exprs = node
        .window_expr
        .iter()
        .map(|expr| expressions::named(expr, input.schema()))
        .collect::<EngineResult<Vec<_>>>()?;
    let window = Window::try_new(exprs, Arc::new(input))?;
    Ok(Some(LogicalPlan::Window(window)))
}

fn join(node: &Join, wanted: &[bool], used: &Used) -> EngineResult<Option<LogicalPlan>> {
    let lefts = node.left.schema().fields().len();
    let rights = node.right.schema().fields().len();
    let none = |count: usize| vec![false; count];
    let (of_left, of_right) = match node.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            (wanted[..lefts].to_vec(), wanted[lefts..].to_vec())
        }
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            (wanted[..lefts].to_vec(), none(rights))
        }
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            (none(lefts), wanted[..rights].to_vec())
        }
    };
    let left = delivered(&node.left, &of_left, used)?;
    let right = delivered(&node.right, &of_right, used)?;
    if left.is_none() && right.is_none() {
        return Ok(None);
    }
    let left = left.map_or_else(|| node.left.clone(), Arc::new);
    let right = right.map_or_else(|| node.right.clone(), Arc::new);
    let on = node
        .on
        .iter()
        .map(|(a, b)| {
            Ok((
                with_plain(a.clone(), left.schema())?,
                with_plain(b.clone(), right.schema())?,
            ))
        })
        .collect::<EngineResult<Vec<_>>>()?;
    let both = left.schema().join(right.schema())?;
    let filter = node.filter.clone();
    let filter = filter.map(|filter| with_plain(filter, &both)).transpose()?;
    let join = Join::try_new(
        left,
        right,
        on,
        filter,
        node.join_type,
        node.join_constraint,
        node.null_equality,
        node.null_aware,
    )?;
    Ok(Some(LogicalPlan::Join(join)))
}

/// Columns stay as they were sent where all inputs send the same.
fn union(node: &Union, wanted: &[bool], used: &Used) -> EngineResult<Option<LogicalPlan>> {
    let mut inputs = Vec::with_capacity(node.inputs.len());
    for input in &node.inputs {
        inputs.push(delivered(input, wanted, used)?.unwrap_or_else(|| input.as_ref().clone()));
    }
    let sent = |input: &LogicalPlan, index: usize| Sent::of(input.schema().field(index));
    let common: Vec<Option<Sent>> = (0..wanted.len())
        .map(|index| {
            let first = sent(inputs.first()?, index)?;
            let same = |input| sent(input, index).as_ref() == Some(&first);
            inputs.iter().all(same).then_some(first)
        })
        .collect();
    if common.iter().all(Option::is_none) {
        return Ok(None);
    }
    let inputs = inputs
        .into_iter()
        .map(|input| plain_output(input, |index, _| common[index].is_none()).map(Arc::new))
        .collect::<EngineResult<Vec<_>>>()?;
    let fields = node
        .schema
        .iter()
        .zip(&common)
        .map(|((qualifier, field), sent)| {
            let field = match sent {
                Some(sent) => Arc::new(sent.field(field.name(), field.is_nullable())),
                None => field.clone(),
            };
            (qualifier.cloned(), field)
        });
    let schema = DFSchema::new_with_metadata(fields.collect(), node.schema.metadata().clone())?;
    let schema = Arc::new(schema);
    Ok(Some(LogicalPlan::Union(Union { inputs, schema })))
}

/// Sort keys that nothing was sent for: the column where the engine can sort it.
fn settled(node: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Sort(mut sort) = node else {
        return Ok(Transformed::no(node));
    };
    let schema = sort.input.schema().clone();
    let mut any = false;
    for key in &mut sort.expr {
        let Some(column) = ordered_by(&key.expr).and_then(bare_column) else {
            continue;
        };
        if is_sent(column, &schema) {
            continue;
        }
        let (_, field) = schema.qualified_field_from_column(column)?;
        if !field.data_type().is_decimal() {
            return Err(refusal("sorted here", "that is carried as text", column.name()).into());
        }
        key.expr = Expr::Column(column.clone());
        any = true;
    }
    let sort = LogicalPlan::Sort(sort);
    Ok(match any {
        true => Transformed::yes(sort),
        false => Transformed::no(sort),
    })
}

/// Keys stay as they were sent where equal values have equal bytes.
fn aggregate(node: &Aggregate, wanted: &[bool], used: &Used) -> EngineResult<Option<LogicalPlan>> {
    if matches!(node.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
        return Ok(None);
    }
    let schema = node.input.schema();
    let mut needed = vec![false; schema.fields().len()];
    for (key, wanted) in node.group_expr.iter().zip(wanted) {
        let column = bare_column(key).filter(|_| *wanted);
        if let Some(at) = column.and_then(|column| schema.maybe_index_of_column(column)) {
            needed[at] = true;
        }
    }
    let Some(input) = delivered(&node.input, &needed, used)? else {
        return Ok(None);
    };
    let keys = node
        .group_expr
        .iter()
        .map(|key| match bare_column(key) {
            Some(column) if expressions::is_equal_by_bytes(column, input.schema()) => {
                Ok(key.clone())
            }
            _ => expressions::named(key, input.schema()),
        })
        .collect::<EngineResult<Vec<_>>>()?;
    let aggregates = node
        .aggr_expr
        .iter()
        .map(|expr| expressions::named(expr, input.schema()))
        .collect::<EngineResult<Vec<_>>>()?;
    let aggregate = Aggregate::try_new(Arc::new(input), keys, aggregates)?;
    Ok(Some(LogicalPlan::Aggregate(aggregate)))
}
