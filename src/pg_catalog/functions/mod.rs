//! The functions of pg_catalog that look at the catalog or the session. Names are
//! bare; the planner drops a `pg_catalog.` in front. Those that begin with
//! `narrows_` are what the planner writes for casts and subqueries.

mod arrays;
mod comments;
mod definitions;
mod function;
mod names;
mod only;
mod privileges;
mod session;
mod sets;
mod sizes;
mod sleep;
mod value;

use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use crate::catalog::Catalog;

pub use definitions::index_definition;
pub use sets::table_functions;

/// All scalar functions, over the catalog as it is when they are called.
pub fn functions(catalog: Arc<ArcSwap<Catalog>>) -> Vec<Arc<ScalarUDF>> {
    LazyLock::force(&session::STARTED);
    let families = [
        arrays::FUNCTIONS,
        comments::FUNCTIONS,
        definitions::FUNCTIONS,
        names::FUNCTIONS,
        privileges::FUNCTIONS,
        session::FUNCTIONS,
        sizes::FUNCTIONS,
    ];
    let plain = families
        .into_iter()
        .flatten()
        .map(|function| function.clone().into_udf(catalog.clone()));
    let special = [arrays::expand_array(), only::only(), sleep::pg_sleep()];
    plain.chain(special).map(Arc::new).collect()
}

/// All aggregates.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![Arc::new(only::collect())]
}
