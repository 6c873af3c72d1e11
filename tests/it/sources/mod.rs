//! Every kind of source, read from outside as the catalog and the planner do.

mod lake;
pub mod postgres;
