//! From the client's text to a plan: parse, resolve names, route, explain.
//! Called by `execute`; reads one catalog snapshot and does no IO.

mod checks;
mod columns;
mod compared;
mod constant;
pub mod depth;
mod laterals;
pub mod lexer;
mod limits;
mod modifiers;
mod objects;
mod params;
pub mod parse;
mod positions;
mod refuse;
pub mod relay;
mod resolve;
mod rewrite;
mod texts;
mod type_names;
mod unchanged;
mod versions;

use std::sync::{Arc, OnceLock};

use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::ParamValues;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast;

use crate::catalog::Catalog;
use crate::error::{Error, Result, SqlState};
use crate::names::SourceName;
use crate::semantics::{self, SessionVars, TypeNames};
use crate::types::PgType;

pub use parse::{Statement, parse};
pub use texts::Texts;
pub use versions::{Opened, Wanted, wanted as wanted_tables};

/// Adds the planner's own rules to the engine's state, around all others.
pub fn register_rules(state: &mut SessionState) {
    let mut rules = state.analyzer().rules.clone();
    rules.insert(0, Arc::new(compared::Compared));
    rules.push(Arc::new(unchanged::Unchanged));
    *state = SessionStateBuilder::new_from_existing(state.clone())
        .with_analyzer_rules(rules)
        .build();
}

/// Which way a statement goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    CatalogOnly,
    Federated,
    /// To one Postgres source, as it was written.
    Relay,
}

impl Route {
    pub fn name(&self) -> &'static str {
        match self {
            Route::CatalogOnly => "catalog only",
            Route::Federated => "federated",
            Route::Relay => "relay",
        }
    }
}

/// A statement ready to run, once for each set of parameters.
#[derive(Debug, Clone)]
pub struct Planned {
    pub route: Route,
    /// What it reads, each once.
    pub sources: Vec<SourceName>,
    /// The types of $1, $2 …
    pub parameters: Vec<PgType>,
    /// The result's columns; `PgType::of` tells each one's Postgres type.
    pub schema: SchemaRef,
    /// Before analysis, so that parameters can still take their own types.
    pub logical: Arc<LogicalPlan>,
    pub explain: Option<Explain>,
    /// Kept where a numeric parameter has no scale until its value comes.
    open: Option<Arc<Statement>>,
    /// What it comes to, where that is the same each time.
    settled: Settled,
}

/// What a statement's plan comes to once it is optimized and pushed down.
#[derive(Debug, Clone)]
enum Settled {
    /// Parameters, or functions that change between statements.
    Never,
    Once(Arc<OnceLock<Arc<LogicalPlan>>>),
}

impl Planned {
    /// What `settled` gave before.
    pub fn kept(&self) -> Option<&Arc<LogicalPlan>> {
        match &self.settled {
            Settled::Once(kept) => kept.get(),
            Settled::Never => None,
        }
    }

    /// What `work` makes of the plan with its parameters' values in place. It is
    /// asked once where that does not change while the catalog and the settings
    /// stay the same.
    pub fn settled(
        &self,
        parameters: Vec<ScalarValue>,
        work: impl FnOnce(LogicalPlan) -> Result<LogicalPlan>,
    ) -> Result<Arc<LogicalPlan>> {
        if let Some(kept) = self.kept() {
            return Ok(kept.clone());
        }
        let made =
            depth::with_deep_stack(|| work(bind(&self.logical, &self.parameters, parameters)?))?;
        let made = Arc::new(made);
        Ok(match &self.settled {
            Settled::Once(kept) => kept.get_or_init(|| made).clone(),
            Settled::Never => made,
        })
    }

    /// The same statement planned for these values: numerics compute in the
    /// precision and scale of theirs.
    pub fn for_values(
        &self,
        state: &SessionState,
        catalog: &Arc<Catalog>,
        vars: &SessionVars,
        parameters: &[ScalarValue],
    ) -> Result<Option<Planned>> {
        let Some(statement) = &self.open else {
            return Ok(None);
        };
        let declared: Vec<Option<PgType>> = parameters
            .iter()
            .zip(&self.parameters)
            .map(|(value, declared)| Some(own_scale(value, *declared)))
            .collect();
        plan(state, catalog, vars, statement, &declared).map(Some)
    }
}

/// EXPLAIN and its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explain {
    pub analyze: Analyze,
    pub format: ExplainFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analyze {
    No,
    /// Runs the statement and reports what moved.
    Yes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainFormat {
    Text,
    Json,
}

/// Plans a query or an EXPLAIN of one. `declared` are the parameter types that
/// the client gave, `None` where it left them open.
pub fn plan(
    state: &SessionState,
    catalog: &Arc<Catalog>,
    vars: &SessionVars,
    statement: &Statement,
    declared: &[Option<PgType>],
) -> Result<Planned> {
    depth::with_deep_stack(|| plan_deep(state, catalog, vars, statement, declared))
}

fn plan_deep(
    state: &SessionState,
    catalog: &Arc<Catalog>,
    vars: &SessionVars,
    statement: &Statement,
    declared: &[Option<PgType>],
) -> Result<Planned> {
    let (mut query, explain) = unwrap_explain(&statement.ast)?;
    if statement.has_versions {
        versions::refuse_queries(&query)
            .map_err(|(error, place)| statement.found(error, Some(place)))?;
    }
    checks::check(&query, state)
        .and_then(|()| limits::normalize(&mut query))
        .map_err(|misplaced| statement.found(misplaced.error, misplaced.at))?;
    plan_query(state, catalog, vars, statement, declared, (query, explain))
        .map_err(|error| statement.found(error, None))
}

fn plan_query(
    state: &SessionState,
    catalog: &Arc<Catalog>,
    vars: &SessionVars,
    statement: &Statement,
    declared: &[Option<PgType>],
    (mut query, explain): (ast::Statement, Option<Explain>),
) -> Result<Planned> {
    refuse::refuse_ignored(&query)?;
    let known = params::from_text(&query, declared)?;
    columns::name_columns(&mut query);
    semantics::normalize(&mut query);
    rewrite::rewrite(&mut query, state)?;

    let types = Arc::new(TypeNames {
        time_zone: vars.engine_time_zone(),
    });
    let resolver = resolve::Resolver::new(state, catalog, vars, types, &statement.tables);
    let fields = known
        .iter()
        .map(|pg_type| pg_type.as_ref().and_then(params::field))
        .collect();
    let mut context = PlannerContext::new().with_prepare_param_data_types(fields);
    let logical = SqlToRel::new(&resolver)
        .sql_statement_to_plan_with_context(query, &mut context)
        .map_err(|error| statement.located(error))?;
    let logical = laterals::resolve(logical)?;
    let logical = objects::print_objects(logical, state)?;
    let sources = resolver.sources();
    let parameters = params::from_plan(&logical, &known)?;
    let schema = match explain {
        Some(_) => explain_schema(),
        None => output_schema(state, &logical, &parameters)?,
    };
    Ok(Planned {
        route: match sources.is_empty() {
            true => Route::CatalogOnly,
            false => Route::Federated,
        },
        sources,
        schema,
        open: parameters
            .contains(&PgType::NUMERIC)
            .then(|| Arc::new(statement.clone())),
        settled: match parameters.is_empty() && constant::is_constant(&logical)? {
            true => Settled::Once(Arc::default()),
            false => Settled::Never,
        },
        parameters,
        logical: Arc::new(logical),
        explain,
    })
}

/// Values take the places of parameters and remember their types, as literals
/// of the statement do not.
fn bind(plan: &LogicalPlan, types: &[PgType], parameters: Vec<ScalarValue>) -> Result<LogicalPlan> {
    if parameters.is_empty() {
        return Ok(plan.clone());
    }
    let typed = parameters.into_iter().zip(types).map(|(value, pg_type)| {
        let pg_type = own_scale(&value, *pg_type);
        semantics::typed_parameter(value, pg_type)
    });
    let values = ParamValues::List(typed.collect());
    Ok(plan.clone().replace_params_with_values(&values)?)
}

/// A numeric parameter has the precision and scale of its value.
fn own_scale(value: &ScalarValue, declared: PgType) -> PgType {
    let data_type = value.data_type();
    match declared == PgType::NUMERIC && data_type.is_decimal() && !value.is_null() {
        true => PgType::nearest(&data_type),
        false => declared,
    }
}

/// The columns as clients see them, with the types that analysis settles on.
fn output_schema(
    state: &SessionState,
    logical: &LogicalPlan,
    parameters: &[PgType],
) -> Result<SchemaRef> {
    // Parameters without a type of their own would stop the analysis.
    let nulls = parameters
        .iter()
        .map(|pg_type| {
            let data_type = pg_type.arrow().unwrap_or(
                PgType::TEXT
                    .arrow()
                    .unwrap_or(datafusion::arrow::datatypes::DataType::Utf8View),
            );
            ScalarValue::try_from(&data_type)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let bound = bind(logical, parameters, nulls)?;
    let analyzed = state
        .analyzer()
        .execute_and_check(bound, state.config_options(), |_, _| {})?;
    let schema = modifiers::kept(analyzed.schema().as_arrow(), logical);
    Ok(visible_schema(&schema))
}

/// The same columns under the names that clients see.
pub fn visible_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            field
                .as_ref()
                .clone()
                .with_name(columns::visible(field.name()))
        })
        .collect();
    Arc::new(Schema::new(fields))
}

/// Postgres's one column of EXPLAIN.
fn explain_schema() -> SchemaRef {
    let field = PgType::TEXT.field("QUERY PLAN", false);
    Arc::new(Schema::new(field.into_iter().collect::<Vec<_>>()))
}

fn unwrap_explain(statement: &ast::Statement) -> Result<(ast::Statement, Option<Explain>)> {
    match statement {
        ast::Statement::Query(_) => Ok((statement.clone(), None)),
        ast::Statement::Explain {
            analyze,
            format,
            statement,
            options,
            ..
        } if matches!(**statement, ast::Statement::Query(_)) => {
            let mut explain = Explain {
                analyze: analyze_of(*analyze),
                format: match format {
                    Some(ast::AnalyzeFormatKind::Keyword(ast::AnalyzeFormat::JSON))
                    | Some(ast::AnalyzeFormatKind::Assignment(ast::AnalyzeFormat::JSON)) => {
                        ExplainFormat::Json
                    }
                    _ => ExplainFormat::Text,
                },
            };
            for option in options.iter().flatten() {
                apply_option(&mut explain, option)?;
            }
            Ok(((**statement).clone(), Some(explain)))
        }
        ast::Statement::Explain { statement, .. } => Err(refuse::not_a_query(statement)),
        other => Err(refuse::not_a_query(other)),
    }
}

fn analyze_of(analyze: bool) -> Analyze {
    if analyze { Analyze::Yes } else { Analyze::No }
}

/// `(ANALYZE, FORMAT JSON, …)`; options that only shape Postgres's own output are accepted.
fn apply_option(explain: &mut Explain, option: &ast::UtilityOption) -> Result<()> {
    let name = columns::folded(&option.name);
    let value = option
        .arg
        .as_ref()
        .map(|arg| arg.to_string().to_lowercase());
    match (name.as_str(), value.as_deref()) {
        ("analyze", value) => {
            explain.analyze = analyze_of(!matches!(value, Some("false" | "off" | "0")));
        }
        ("format", Some("json")) => explain.format = ExplainFormat::Json,
        ("format", Some("text")) => explain.format = ExplainFormat::Text,
        ("format", Some(other)) => {
            return Err(
                Error::unsupported(format!("EXPLAIN format \"{other}\" is not supported"))
                    .with_hint("Use TEXT or JSON."),
            );
        }
        (
            "verbose" | "costs" | "settings" | "buffers" | "wal" | "timing" | "summary" | "memory"
            | "generic_plan" | "serialize",
            _,
        ) => {}
        _ => {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("unrecognized EXPLAIN option \"{name}\""),
            ));
        }
    }
    Ok(())
}
