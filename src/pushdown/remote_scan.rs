//! A fragment as a leaf of the logical plan, in the place of the nodes that its
//! source runs; the physical planner makes a Postgres scan of it.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, DFSchemaRef, Statistics};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};

use super::fragment::{From, Select};
use super::outcome::{Kept, Reason};
use super::remote_sql;
use super::rules::{Scope, Within};
use super::value::{self, Form, Value, alias_name};
use crate::names::SourceName;
use crate::sources::postgres::{PostgresSource, SingleTable};

#[derive(Debug, Clone)]
pub struct RemoteScan {
    source: Arc<PostgresSource>,
    select: Select,
    /// One field for each item of the SELECT.
    schema: DFSchemaRef,
    kept: Vec<Kept>,
    apart: Option<Apart>,
    sql: String,
}

/// The same rows with joins that run here, because the source would send more
/// rows joined than its tables have.
#[derive(Debug, Clone)]
pub(super) struct Apart {
    pub plan: Arc<LogicalPlan>,
    /// That all its fragments send.
    pub rows: f64,
}

impl RemoteScan {
    /// `Err`: an output column of a type that has no cast.
    pub(super) fn new(
        source: Arc<PostgresSource>,
        select: Select,
        schema: DFSchemaRef,
    ) -> Result<Self, Reason> {
        let sql = remote_sql::select(&select, &items(&select, &schema)?);
        Ok(RemoteScan {
            source,
            select,
            schema,
            kept: Vec::new(),
            apart: None,
            sql,
        })
    }

    pub(super) fn with_kept(self, kept: Vec<Kept>) -> Self {
        RemoteScan { kept, ..self }
    }

    pub(super) fn with_apart(self, apart: Option<Apart>) -> Self {
        RemoteScan { apart, ..self }
    }

    /// The same columns under other names.
    pub(super) fn with_schema(self, schema: DFSchemaRef) -> Self {
        RemoteScan { schema, ..self }
    }

    /// The same, with what its statement names.
    pub(super) fn with_queries(self, queries: &[(usize, Select)]) -> Self {
        let sql = remote_sql::with(queries, &self.sql);
        RemoteScan { sql, ..self }
    }

    pub(super) fn schema_ref(&self) -> &DFSchemaRef {
        &self.schema
    }

    pub(super) fn note(&mut self, kept: Kept) {
        self.kept.push(kept);
    }

    pub(super) fn select(&self) -> &Select {
        &self.select
    }

    pub(super) fn apart(&self) -> Option<&Apart> {
        self.apart.as_ref()
    }

    /// Would it send more rows than its tables apart?
    pub(super) fn multiplies(&self) -> bool {
        let together = self.select.rows.count;
        self.apart
            .as_ref()
            .is_some_and(|apart| apart.rows < together)
    }

    pub(super) fn scope<'a>(&'a self, within: Within<'a>) -> Scope<'a> {
        Scope {
            schema: &self.schema,
            items: &self.select.items,
            source: self.source_name(),
            within,
        }
    }

    /// Without the columns that are not needed; `None`: all are.
    pub(super) fn narrowed(&self, needed: &HashSet<Column>) -> EngineResult<Option<Self>> {
        let kept: Vec<usize> = (0..self.select.items.len())
            .filter(|at| needed.contains(&self.schema.columns()[*at]))
            .collect();
        if kept.len() == self.select.items.len() {
            return Ok(None);
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
        let mut select = self.select.clone();
        select.items = kept
            .iter()
            .map(|at| self.select.items[*at].clone())
            .collect();
        let narrow = RemoteScan::new(self.source.clone(), select, Arc::new(schema)).ok();
        // apart, the columns are still all there
        Ok(narrow.map(|narrow| narrow.with_kept(self.kept.clone())))
    }

    pub fn source(&self) -> &Arc<PostgresSource> {
        &self.source
    }

    pub fn source_name(&self) -> &SourceName {
        self.source.source_name()
    }

    /// What stayed here, and why.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The statement that the source runs.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What it reads, if that is one table of which it chooses rows and columns;
    /// `None` for joins, aggregates, limits: such a statement cannot be split.
    pub fn single_table(&self) -> Option<SingleTable> {
        let From::Table { table, alias } = &self.select.from else {
            return None;
        };
        if self.select.grouping.is_some() || self.select.is_limited() {
            return None;
        }
        let column = |item: &Value| match (&item.origin, item.form) {
            (Some(origin), Form::Column) => Some(origin.column),
            _ => None,
        };
        let columns: Vec<_> = self.select.items.iter().map(column).collect();
        let rows = self.select.rows;
        Some(table.fragment(
            &alias_name(*alias),
            items(&self.select, &self.schema).ok()?.join(", "),
            &columns,
            self.select.filters.clone(),
            rows.known.then(|| rows.count.ceil() as u64),
        ))
    }

    /// What the source is expected to send.
    /// Rows that the source will send, where that can be told.
    pub fn expected(&self) -> Option<usize> {
        let rows = self.select.rows;
        rows.known.then_some(rows.count.ceil() as usize)
    }

    pub fn estimates(&self) -> Statistics {
        let rows = self.select.rows;
        let columns: Vec<_> = self
            .select
            .items
            .iter()
            .map(|item| column_estimates(item, rows.count))
            .collect();
        let bytes = columns
            .iter()
            .map(|column| column.byte_size.get_value().copied())
            .try_fold(0usize, |sum, bytes| sum.checked_add(bytes?));
        Statistics {
            num_rows: match rows.known {
                true => Precision::Inexact(rows.count.ceil() as usize),
                false => Precision::Absent,
            },
            total_byte_size: bytes.map_or(Precision::Absent, Precision::Inexact),
            column_statistics: columns,
        }
    }
}

/// Of a column of a table, its share of the table's bytes; of others what the
/// rules knew.
fn column_estimates(item: &Value, rows: f64) -> ColumnStatistics {
    let unknown = ColumnStatistics::new_unknown();
    let Some(origin) = &item.origin else {
        return match item.distinct {
            Some(distinct) => {
                unknown.with_distinct_count(Precision::Inexact(distinct.ceil() as usize))
            }
            None => unknown,
        };
    };
    let estimates = origin.table.estimates(Some(&[origin.column])).to_inexact();
    let Some(column) = estimates.column_statistics.into_iter().next() else {
        return unknown;
    };
    let all = origin.table.rows().map_or(rows, |rows| rows as f64);
    let part = |whole: usize| (whole as f64 * (rows / all.max(1.0)).min(1.0)).ceil() as usize;
    let bytes = column.byte_size.get_value().copied().map(part);
    column.with_byte_size(bytes.map_or(Precision::Absent, Precision::Inexact))
}

/// The SQL of the columns, of the types of the schema's fields.
fn items(select: &Select, schema: &DFSchema) -> Result<Vec<String>, Reason> {
    let typed = select.items.iter().zip(schema.fields());
    typed
        .map(|(item, field)| Ok(item.clone().cast(value::sent_as(field))?.sql))
        .collect()
}

/// The fragment that a plan node is.
pub fn in_plan(plan: &LogicalPlan) -> Option<&RemoteScan> {
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
        let by_source = self.source_name().cmp(other.source_name());
        Some(
            by_source
                .then_with(|| self.sql().cmp(other.sql()))
                .then_with(|| self.schema.to_string().cmp(&other.schema.to_string())),
        )
    }
}

impl Hash for RemoteScan {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source_name().hash(state);
        self.sql().hash(state);
    }
}
