//! Names of a statement → what they stand for: relations through search_path
//! and grants, functions, types. The engine's SQL planner asks; the answers
//! come from one catalog snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{TableFunctionArgs, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, TableReference, plan_datafusion_err};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::scalar::ScalarValue;

use super::rewrite::STREAMED_SERIES;
use super::versions::{Opened, VersionPlanner, as_of, unmarked};
use crate::catalog::Catalog;
use crate::error::{Error, Result, SqlState};
use crate::names::{RelationName, SourceName};
use crate::pg_catalog;
use crate::semantics::{self, SessionVars};
use crate::sources::lake::{At, LakeTable};
use crate::sources::{Table, TableState};

pub(super) struct Resolver<'a> {
    state: &'a SessionState,
    catalog: &'a Arc<Catalog>,
    vars: &'a SessionVars,
    types: Arc<dyn TypePlanner>,
    /// Tables that were opened for this statement.
    tables: &'a Opened,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
    /// The sources of the relations found so far.
    sources: Mutex<Vec<SourceName>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        state: &'a SessionState,
        catalog: &'a Arc<Catalog>,
        vars: &'a SessionVars,
        types: Arc<dyn TypePlanner>,
        tables: &'a Opened,
    ) -> Self {
        let mut relation_planners = state.relation_planners().to_vec();
        relation_planners.push(Arc::new(VersionPlanner));
        Resolver {
            state,
            catalog,
            vars,
            types,
            tables,
            relation_planners,
            sources: Mutex::default(),
        }
    }

    /// The sources that the statement reads, each once.
    pub(super) fn sources(&self) -> Vec<SourceName> {
        let mut sources = self
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        sources.sort();
        sources.dedup();
        sources
    }

    fn relation(&self, name: &TableReference) -> Result<Arc<dyn TableSource>> {
        match name {
            TableReference::Bare { table } => self.unqualified(&self.asked(table)?),
            TableReference::Partial { schema, table } => {
                self.qualified(schema, &self.asked(table)?)
            }
            TableReference::Full {
                catalog,
                schema,
                table,
            } => {
                if **catalog != *self.vars.database {
                    return Err(Error::unsupported(format!(
                        "cross-database references are not implemented: \"{catalog}.{schema}.{table}\""
                    )));
                }
                self.qualified(schema, &self.asked(table)?)
            }
        }
    }

    fn asked(&self, table: &str) -> Result<Asked> {
        let (table, at) = unmarked(table, self.vars)?;
        Ok(Asked { table, at })
    }

    /// pg_catalog is searched first, as in Postgres (section 5.10.5 of the manual).
    fn unqualified(&self, asked: &Asked) -> Result<Arc<dyn TableSource>> {
        if let Some(found) = self.in_schema("pg_catalog", asked)? {
            return Ok(found);
        }
        for schema in self.vars.search_path.iter() {
            if let Some(found) = self.in_schema(schema, asked)? {
                return Ok(found);
            }
        }
        Err(self.not_found(&asked.table, &asked.table))
    }

    fn qualified(&self, schema: &str, asked: &Asked) -> Result<Arc<dyn TableSource>> {
        let table = &asked.table;
        self.in_schema(schema, asked)?
            .ok_or_else(|| self.not_found(&format!("{schema}.{table}"), table))
    }

    fn in_schema(&self, schema: &str, asked: &Asked) -> Result<Option<Arc<dyn TableSource>>> {
        let table = asked.table.as_str();
        if let Some(provider) = pg_catalog::relation(self.catalog, self.vars, schema, table) {
            if asked.at.is_some() {
                return Err(without_versions(&RelationName::new(schema, table)));
            }
            return Ok(Some(provider_as_source(provider)));
        }
        let name = RelationName::new(schema, table);
        let Some(found) = self.catalog.table(&name) else {
            return match self.about(schema, asked)? {
                Some(provider) => Ok(Some(provider_as_source(provider))),
                None => self.unreachable(schema),
            };
        };
        if !self.vars.grants.may_read(&name) {
            return Err(denied(&name));
        }
        let now = self.now(found)?;
        self.reads(&found.source);
        let provider = self.at_version(found, &now, asked.at.clone())?;
        Ok(Some(provider_as_source(provider)))
    }

    /// The table as it is now.
    fn now(&self, table: &Table) -> Result<Arc<dyn TableProvider>> {
        match &table.state {
            TableState::Broken(error) => Err(error.duplicate()),
            TableState::Ready(provider) => Ok(provider.clone()),
            TableState::Listed(_) => self.opened(table, None),
        }
    }

    fn opened(&self, table: &Table, at: Option<At>) -> Result<Arc<dyn TableProvider>> {
        match self.tables.find(&table.name, at) {
            Some(opened) => opened,
            None => Err(Error::internal(format!("{} was not opened", table.name))),
        }
    }

    /// `part$snapshots` and its kin, for who may read `part`.
    fn about(&self, schema: &str, asked: &Asked) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some((table, about)) = asked.table.rsplit_once('$') else {
            return Ok(None);
        };
        let name = RelationName::new(schema, table);
        let Some(found) = self.catalog.table(&name) else {
            return Ok(None);
        };
        if !self.vars.grants.may_read(&name) {
            return Err(denied(&name));
        }
        let provider = match &found.state {
            TableState::Broken(_) => return Ok(None),
            _ => self.now(found)?,
        };
        let lake = provider.downcast_ref::<LakeTable>();
        let Some(metadata) = lake.and_then(|lake| lake.metadata_table(about)) else {
            return Ok(None);
        };
        if asked.at.is_some() {
            return Err(without_versions(&RelationName::new(schema, &asked.table)));
        }
        self.reads(&found.source);
        Ok(Some(metadata))
    }

    fn reads(&self, source: &SourceName) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.push(source.clone());
    }

    /// The table at the version that the statement or `narrows.as_of` asks for.
    fn at_version(
        &self,
        table: &Table,
        now: &Arc<dyn TableProvider>,
        asked: Option<At>,
    ) -> Result<Arc<dyn TableProvider>> {
        let keeps = now
            .downcast_ref::<LakeTable>()
            .is_some_and(LakeTable::keeps_versions);
        let at = match asked {
            Some(_) if !keeps => return Err(without_versions(&table.name)),
            Some(at) => at,
            None => match as_of(self.vars)?.filter(|_| keeps) {
                Some(at) => at,
                None => return Ok(now.clone()),
            },
        };
        self.opened(table, Some(at))
    }

    /// A table that is not known may exist on a source that could not be read.
    fn unreachable(&self, schema: &str) -> Result<Option<Arc<dyn TableSource>>> {
        let down = self.catalog.sources.iter().find_map(|status| {
            let error = status.error.as_ref()?;
            status
                .schemas
                .iter()
                .any(|name| name == schema)
                .then_some(error)
        });
        match down {
            Some(error) => Err(error.duplicate()),
            None => Ok(None),
        }
    }

    fn not_found(&self, full: &str, table: &str) -> Error {
        let error = Error::new(
            SqlState::UNDEFINED_TABLE,
            format!("relation \"{full}\" does not exist"),
        );
        let elsewhere = self
            .catalog
            .tables()
            .find(|known| *known.name.relation == *table && self.vars.grants.may_read(&known.name));
        match elsewhere {
            Some(known) => error.with_hint(format!("Perhaps you meant \"{}\".", known.name)),
            None => error,
        }
    }
}

/// A relation that a statement names, and the version that it asks for.
struct Asked {
    table: String,
    at: Option<At>,
}

fn denied(name: &RelationName) -> Error {
    Error::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for table {}", name.relation),
    )
}

fn without_versions(name: &RelationName) -> Error {
    Error::unsupported(format!("\"{name}\" keeps no versions")).with_hint(
        "FOR VERSION, TIMESTAMP, TAG and BRANCH are for tables of Delta and Iceberg sources.",
    )
}

/// The engine's table functions take their integers as int8 only.
fn widened(argument: Expr) -> Expr {
    match argument {
        Expr::Literal(ScalarValue::Int32(Some(value)), metadata) => {
            Expr::Literal(ScalarValue::Int64(Some(i64::from(value))), metadata)
        }
        Expr::Literal(ScalarValue::Int16(Some(value)), metadata) => {
            Expr::Literal(ScalarValue::Int64(Some(i64::from(value))), metadata)
        }
        other => other,
    }
}

/// Functions of pg_catalog answer to their qualified name too.
fn bare(name: &str) -> &str {
    name.strip_prefix("pg_catalog.")
        .or_else(|| name.strip_prefix("information_schema."))
        .unwrap_or(name)
}

/// The engine's name of a table function; the name comes as it was written.
fn table_function(name: &str) -> &str {
    match bare(name) {
        written if written.trim_matches('"') == STREAMED_SERIES => "generate_series",
        written => written,
    }
}

impl ContextProvider for Resolver<'_> {
    fn get_table_source(&self, name: TableReference) -> EngineResult<Arc<dyn TableSource>> {
        Ok(self.relation(&name)?)
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> EngineResult<Arc<dyn TableSource>> {
        let function = self
            .state
            .table_functions()
            .get(table_function(name))
            .cloned()
            .ok_or_else(|| {
                Error::new(
                    SqlState::UNDEFINED_FUNCTION,
                    format!("function {name} does not exist"),
                )
            })?;
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(
                self.state.execution_props().query_execution_start_time,
            )
            .build();
        let simplifier = ExprSimplifier::new(context);
        let empty = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|arg| {
                simplifier
                    .coerce(arg, &empty)
                    .and_then(|arg| simplifier.simplify(arg))
                    .map(widened)
            })
            .collect::<EngineResult<Vec<_>>>()?;
        let provider =
            function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(provider))
    }

    fn create_cte_work_table(
        &self,
        name: &str,
        schema: SchemaRef,
    ) -> EngineResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(
            name, schema,
        ))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(self.types.clone())
    }

    /// A name that nothing answers to gets a stand-in, whose error names the
    /// types of the arguments.
    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let name = bare(name);
        if let Some(known) = self.state.scalar_functions().get(name) {
            return Some(known.clone());
        }
        // unnest is the planner's own
        let known = name == "unnest"
            || self.state.aggregate_functions().contains_key(name)
            || self.state.window_functions().contains_key(name)
            || self.state.higher_order_functions().contains_key(name);
        (!known).then(|| semantics::unknown_function(name))
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(bare(name)).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(bare(name)).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(bare(name)).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state
            .higher_order_functions()
            .keys()
            .cloned()
            .collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }

    fn get_file_type(
        &self,
        extension: &str,
    ) -> EngineResult<Arc<dyn datafusion::common::file_options::file_type::FileType>> {
        Err(plan_datafusion_err!("no file format \"{extension}\""))
    }
}
