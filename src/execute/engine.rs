//! The engine that all sessions share, and one session's part of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::scalar::ScalarValue;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::plan::{Planned, Statement};
use crate::semantics::SessionVars;
use crate::types::PgType;

#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    catalog: ArcSwap<Catalog>,
}

/// A running query. Dropping the stream cancels it, on the sources too.
pub struct Rows {
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
    /// Connects to nothing that is down: sources that cannot be reached are
    /// listed with their error and tried again.
    pub async fn start(config: Arc<Config>) -> Result<Arc<Engine>> {
        Ok(Arc::new(Engine {
            config,
            catalog: ArcSwap::default(),
        }))
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    pub fn session(self: &Arc<Self>, vars: SessionVars) -> EngineSession {
        EngineSession {
            engine: self.clone(),
            vars,
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

    /// Plans a query, EXPLAIN or anything else that returns rows. `declared` are
    /// the parameter types that the client gave, `None` where it left them open.
    pub async fn plan(
        &self,
        _statement: &Statement,
        _declared: &[Option<PgType>],
    ) -> Result<Planned> {
        Err(Error::unsupported("queries are not supported yet"))
    }

    /// Starts a planned statement. `parameters` are of the types that `plan` gave.
    pub async fn run(&self, _planned: &Planned, _parameters: Vec<ScalarValue>) -> Result<Rows> {
        Err(Error::unsupported("queries are not supported yet"))
    }
}
