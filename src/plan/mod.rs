//! From the client's text to a plan: parse, resolve names, route, explain.

pub mod parse;

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;

use crate::types::PgType;

pub use parse::{Statement, parse};

/// Which way a statement goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    CatalogOnly,
    Federated,
}

/// A statement ready to run, once for each set of parameters.
#[derive(Debug, Clone)]
pub struct Planned {
    pub route: Route,
    /// The types of $1, $2 …
    pub parameters: Vec<PgType>,
    /// The result's columns; `PgType::of` tells each one's Postgres type.
    pub schema: SchemaRef,
    pub logical: Arc<LogicalPlan>,
    pub explain: Option<Explain>,
}

/// EXPLAIN and its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explain {
    pub analyze: bool,
    pub json: bool,
}
