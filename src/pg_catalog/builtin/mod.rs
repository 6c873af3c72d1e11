//! Facts about what every cluster holds: types, functions, the system relations
//! and their columns. Asked by the catalog tables, the functions and the
//! resolution of names; knows nothing of sources or sessions.

mod classes;
mod functions;
mod relations;
mod types;

pub use classes::{Index, class, class_named, index, indexes, namespaces};
pub use functions::{FunctionFacts, function, functions, functions_named};
pub use relations::{SystemRelation, system_relation, system_relation_by_oid, system_relations};
pub use types::{TypeFacts, type_named, type_of};
