//! The engine that all sessions share, and one session's part of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::scalar::ScalarValue;

use super::plans::{Asked, Plans};
use super::{Threads, compact, explain, join_keys, open_tables, optimize, physical, shared, state};
use crate::catalog::{self, Catalog};
use crate::config::Config;
use crate::error::Result;
use crate::names::SourceName;
use crate::plan::{self, Planned, Statement};
use crate::pushdown::{self, Mode, RemoteScan};
use crate::semantics::SessionVars;
use crate::sources::postgres::{FEW, PinnedSources, ReadOptions, StatementReads};
use crate::sources::{self, Source};
use crate::types::PgType;

/// How soon a source that could not be read is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// A reading that is younger is not doubted for a name that is not found.
const RECENT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    sources: Vec<Arc<dyn Source>>,
    catalog: Arc<ArcSwap<Catalog>>,
    /// When the last reading that was asked for ended.
    refreshing: tokio::sync::Mutex<Option<Instant>>,
    readings: plan::relay::Cache,
    texts: plan::Texts,
    plans: Plans,
    threads: Arc<Threads>,
    /// Functions, rules and limits; sessions copy it and set their own options.
    state: SessionState,
}

/// A running query. Dropping the stream cancels it, on the sources too.
pub struct Rows {
    /// The columns as clients see them.
    pub schema: SchemaRef,
    pub stream: SendableRecordBatchStream,
}

/// One connection's planner and runner.
#[derive(Debug)]
pub struct EngineSession {
    engine: Arc<Engine>,
    vars: SessionVars,
}

impl Engine {
    /// Reads the metadata of every source. One that is down does not stop the
    /// start: it is listed with its error and tried again.
    pub async fn start(config: Arc<Config>) -> Result<Arc<Engine>> {
        let sources = sources::open(&config)?;
        let loaded = catalog::load(&sources, &Catalog::default()).await;
        let catalog = Arc::new(ArcSwap::from_pointee(loaded));
        let state = state::shared(&config, &catalog)?;
        let engine = Arc::new(Engine {
            config,
            sources,
            catalog,
            refreshing: tokio::sync::Mutex::default(),
            readings: plan::relay::Cache::default(),
            texts: plan::Texts::default(),
            plans: Plans::default(),
            threads: Threads::start()?,
            state,
        });
        engine.threads.spawn(keep_fresh(Arc::downgrade(&engine)));
        Ok(engine)
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the sources hold, as last read.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// How statements were read for the relay.
    pub fn readings(&self) -> &plan::relay::Cache {
        &self.readings
    }

    /// What texts were read as.
    pub fn texts(&self) -> &plan::Texts {
        &self.texts
    }

    /// Where its queries are planned and run.
    pub fn threads(&self) -> &Arc<Threads> {
        &self.threads
    }

    pub fn source(&self, name: &str) -> Option<&Arc<dyn Source>> {
        self.sources
            .iter()
            .find(|source| source.name().as_str() == name)
    }

    /// Reads the metadata of one source again, or of all.
    pub async fn refresh(&self, only: Option<&str>) {
        // one after the other: an older reading must not replace a newer one
        let mut last = self.refreshing.lock().await;
        self.read_again(|name| only.is_none_or(|only| name.as_str() == only))
            .await;
        *last = Some(Instant::now());
    }

    /// Reads the metadata of these sources again, of which `known` is no longer
    /// true, unless somebody else did meanwhile.
    pub async fn refresh_after(&self, known: &Arc<Catalog>, sources: &[SourceName]) {
        let mut last = self.refreshing.lock().await;
        if Arc::ptr_eq(known, &self.catalog()) {
            self.read_again(|name| sources.contains(name)).await;
            *last = Some(Instant::now());
        }
    }

    async fn read_again(&self, chosen: impl Fn(&SourceName) -> bool) {
        let chosen: Vec<_> = self
            .sources
            .iter()
            .filter(|source| chosen(source.name()))
            .cloned()
            .collect();
        let fresh = catalog::load(&chosen, &self.catalog()).await;
        self.catalog.store(Arc::new(fresh));
    }

    /// In the background: a source says that it has not what a statement names.
    /// Mistyped names must not keep the source busy.
    pub fn suspect(self: &Arc<Self>, source: &SourceName) {
        let recent = |last: &Option<Instant>| last.is_some_and(|last| last.elapsed() < RECENT);
        if self.refreshing.try_lock().is_ok_and(|last| !recent(&last)) {
            self.refresh_soon(source);
        }
    }

    /// In the background: something at the source was defined or dropped.
    pub fn refresh_soon(self: &Arc<Self>, source: &SourceName) {
        let (engine, source) = (self.clone(), source.clone());
        self.threads
            .spawn(async move { engine.refresh(Some(source.as_str())).await });
    }

    pub fn session(self: &Arc<Self>, vars: SessionVars) -> EngineSession {
        EngineSession {
            engine: self.clone(),
            vars,
        }
    }
}

/// Is it known to be one scan of a few rows, which nothing holds up?
pub fn is_light(planned: &Planned) -> bool {
    planned.explain.is_none()
        && planned
            .kept()
            .and_then(|pushed| pushdown::in_plan(pushed))
            .and_then(|fragment| fragment.expected())
            .is_some_and(|rows| rows <= FEW)
}

async fn keep_fresh(engine: std::sync::Weak<Engine>) {
    loop {
        let Some(strong) = engine.upgrade() else {
            return;
        };
        let broken = strong
            .catalog()
            .sources
            .iter()
            .any(|status| status.error.is_some());
        let ttl = strong.config.limits.metadata_ttl;
        drop(strong);
        tokio::time::sleep(if broken { RETRY.min(ttl) } else { ttl }).await;
        if let Some(strong) = engine.upgrade() {
            strong.refresh(None).await;
        }
    }
}

impl EngineSession {
    /// Call before `plan` or `run` when any of it changed.
    pub fn set_vars(&mut self, vars: SessionVars) {
        self.vars = vars;
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Plans a query or an EXPLAIN of one. `declared` are the parameter types
    /// that the client gave, `None` where it left them open.
    pub async fn plan(
        &self,
        statement: &Statement,
        declared: &[Option<PgType>],
    ) -> Result<Planned> {
        let catalog = self.engine.catalog();
        let asked = Asked {
            statement,
            declared,
            catalog: &catalog,
            vars: &self.vars,
        };
        if let Some(planned) = self.engine.plans.find(asked) {
            return Ok(planned);
        }
        let opened = open_tables::opened(statement, &catalog, &self.vars).await?;
        let statement = opened.as_ref().unwrap_or(statement);
        self.engine.plans.find_or_plan(asked, || {
            let state = state::of_session(&self.engine.state, &self.vars);
            plan::plan(&state, &catalog, &self.vars, statement, declared)
        })
    }

    /// Starts a planned statement. `parameters` are of the types that `plan` gave.
    /// What `pinned` names is read over those connections, within their transactions.
    pub async fn run(
        &self,
        planned: &Planned,
        parameters: Vec<ScalarValue>,
        pinned: PinnedSources,
    ) -> Result<Rows> {
        if let Some(pushed) = planned.kept()
            && planned.explain.is_none()
            && let Some(fragment) = pushdown::in_plan(pushed)
        {
            return self.run_fragment(fragment, planned, pinned);
        }
        let mut state = state::of_session(&self.engine.state, &self.vars);
        let catalog = self.engine.catalog();
        let typed = planned.for_values(&state, &catalog, &self.vars, &parameters)?;
        let mode = Mode::from_setting(self.vars.setting("narrows.pushdown"));
        let settled = typed.as_ref().unwrap_or(planned);
        let pushed = settled.settled(parameters, |plan| optimize::pushed(&state, plan, mode))?;
        let physical = physical::physical_plan(&state, &pushed).await?;
        let options = state.config().get_extension::<ReadOptions>();
        let mut options = options.as_deref().cloned().unwrap_or_default();
        if mode == Mode::Off {
            options.join_keys_wait = None;
        }
        let physical = match options.join_keys_wait {
            Some(_) => join_keys::kept_for_sources(physical)?,
            None => physical,
        };
        let physical = compact::before_merges(shared::united(physical)?)?;
        let reads = StatementReads::of_plan(&physical, &pinned, options);
        state.config_mut().set_extension(Arc::new(reads));
        if !pinned.0.is_empty() {
            state.config_mut().set_extension(Arc::new(pinned));
        }
        let stream = match planned.explain {
            Some(options) => explain::run(options, planned, physical, &state).await?,
            None => {
                let context = state::context(state.config().clone(), state.runtime_env().clone());
                execute_stream(physical, Arc::new(context))?
            }
        };
        Ok(Rows {
            schema: planned.schema.clone(),
            stream,
        })
    }

    /// Is it known to be one scan of a few rows, which nothing holds up?
    pub fn is_light(&self, statement: &Statement) -> bool {
        let catalog = self.engine.catalog();
        let asked = Asked {
            statement,
            declared: &[],
            catalog: &catalog,
            vars: &self.vars,
        };
        self.engine.plans.find(asked).as_ref().is_some_and(is_light)
    }

    /// All of it is known to run on one source: it needs neither the engine's
    /// functions nor its planner.
    fn run_fragment(
        &self,
        fragment: &RemoteScan,
        planned: &Planned,
        pinned: PinnedSources,
    ) -> Result<Rows> {
        let options = state::read_options(&self.vars);
        let mut config = self.engine.state.config().clone();
        config.set_extension(Arc::new(options.clone()));
        let scan: Arc<dyn ExecutionPlan> = Arc::new(physical::scan_of(fragment, &config));
        let reads = StatementReads::of_plan(&scan, &pinned, options);
        config.set_extension(Arc::new(reads));
        if !pinned.0.is_empty() {
            config.set_extension(Arc::new(pinned));
        }
        let context = state::context(config, self.engine.state.runtime_env().clone());
        Ok(Rows {
            schema: planned.schema.clone(),
            stream: execute_stream(scan, Arc::new(context))?,
        })
    }
}
