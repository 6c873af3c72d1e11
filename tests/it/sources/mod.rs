//! Every kind of source, read from outside as the catalog and the planner do.

pub mod postgres;
