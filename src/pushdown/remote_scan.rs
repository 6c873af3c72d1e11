//! A fragment: the part of a plan that one Postgres source runs. A leaf of the
//! logical plan; the physical planner makes a Postgres scan of it.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, DFSchemaRef, Statistics};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    Expr, LogicalPlan, TableScan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};

use super::outcome::{Kept, Outcome};
use super::{estimate, remote_sql, rules};
use crate::sources::postgres::{PostgresTable, with_rows};

#[derive(Debug, Clone)]
pub struct RemoteScan {
    table: Arc<PostgresTable>,
    /// Columns of the table, in the order that the fragment returns them.
    projection: Vec<usize>,
    schema: DFSchemaRef,
    /// Conjuncts as SQL.
    filters: Vec<String>,
    /// The fraction of rows that pass the filters.
    selectivity: f64,
    limit: Option<usize>,
    kept: Vec<Kept>,
}

impl RemoteScan {
    pub(super) fn new(table: Arc<PostgresTable>, scan: &TableScan) -> Self {
        let projection = match &scan.projection {
            Some(columns) => columns.clone(),
            None => (0..table.columns().len()).collect(),
        };
        RemoteScan {
            table,
            projection,
            schema: scan.projected_schema.clone(),
            filters: Vec::new(),
            selectivity: 1.0,
            limit: None,
            kept: Vec::new(),
        }
    }

    /// Takes the conjuncts that a rule pushes; returns the others.
    pub(super) fn push_filters(&mut self, conjuncts: Vec<Expr>) -> Vec<Expr> {
        let mut kept = Vec::new();
        for conjunct in conjuncts {
            match rules::predicate(&self.table, &conjunct) {
                Outcome::Pushed(sql) => {
                    self.selectivity *= estimate::selectivity(&self.table, &conjunct);
                    if !self.filters.contains(&sql) {
                        self.filters.push(sql);
                    }
                }
                Outcome::Kept(reason) => {
                    self.kept.push(Kept {
                        expression: without_metadata(conjunct.human_display().to_string()),
                        reason,
                    });
                    kept.push(conjunct);
                }
            }
        }
        kept
    }

    pub(super) fn push_limit(&mut self, rows: usize) {
        if self.kept.is_empty() {
            self.limit = Some(self.limit.map_or(rows, |limit| limit.min(rows)));
        }
    }

    /// Drops the columns that are not needed; says whether there were any.
    pub(super) fn narrow(&mut self, needed: &HashSet<Column>) -> EngineResult<bool> {
        let kept: Vec<usize> = (0..self.projection.len())
            .filter(|at| needed.contains(&self.schema.columns()[*at]))
            .collect();
        if kept.len() == self.projection.len() {
            return Ok(false);
        }
        let fields = kept
            .iter()
            .map(|at| {
                let (qualifier, field) = self.schema.qualified_field(*at);
                (qualifier.cloned(), field.clone())
            })
            .collect();
        let schema =
            DFSchema::new_with_metadata(fields, self.schema.as_arrow().metadata().clone())?;
        self.projection = kept.iter().map(|at| self.projection[*at]).collect();
        self.schema = Arc::new(schema);
        Ok(true)
    }

    /// A filter above a limit must not sink below it.
    pub fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    pub fn table(&self) -> &Arc<PostgresTable> {
        &self.table
    }

    pub fn projection(&self) -> &[usize] {
        &self.projection
    }

    /// What stayed here, and why.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The statement that the source runs.
    pub fn sql(&self) -> String {
        remote_sql::select(&self.table, &self.projection, &self.filters, self.limit)
    }

    /// Conjuncts as SQL.
    pub fn filters(&self) -> &[String] {
        &self.filters
    }

    /// What the source is expected to send.
    pub fn estimates(&self) -> Statistics {
        let statistics = self.table.estimates(Some(&self.projection)).to_inexact();
        match self.estimated_rows() {
            Some(rows) => with_rows(statistics, rows),
            None => statistics,
        }
    }

    fn estimated_rows(&self) -> Option<usize> {
        let all = self.table.rows()? as f64;
        let passed = (all * self.selectivity).ceil().max(1.0) as usize;
        Some(self.limit.map_or(passed, |limit| passed.min(limit)))
    }
}

/// The engine writes a type's metadata into casts: `Utf8View<{…}>`.
fn without_metadata(text: String) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<{") {
        plain.push_str(before);
        rest = after.split_once("}>").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

/// The fragment that a plan node is.
pub(super) fn in_plan(plan: &LogicalPlan) -> Option<&RemoteScan> {
    match plan {
        LogicalPlan::Extension(extension) => of_node(extension.node.as_ref()),
        _ => None,
    }
}

fn of_node(node: &dyn UserDefinedLogicalNode) -> Option<&RemoteScan> {
    node.as_any().downcast_ref::<RemoteScan>()
}

impl UserDefinedLogicalNodeCore for RemoteScan {
    fn name(&self) -> &str {
        "RemoteScan"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "RemoteScan: {}", self.sql())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> EngineResult<Self> {
        Ok(self.clone())
    }
}

// Two fragments are the same if they send the same statement to the same source.

impl PartialEq for RemoteScan {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl Eq for RemoteScan {}

impl PartialOrd for RemoteScan {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let by_source = self.table.source_name().cmp(other.table.source_name());
        Some(
            by_source
                .then_with(|| self.sql().cmp(&other.sql()))
                .then_with(|| self.schema.to_string().cmp(&other.schema.to_string())),
        )
    }
}

impl Hash for RemoteScan {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.table.source_name().hash(state);
        self.sql().hash(state);
    }
}
