//! catalog.toml: parsed, `${VAR}` and `{ file = … }` filled in, validated once.
//! Plain data only; live objects are made by `sources`, `auth` and `server`.

mod schema;
mod secret;

pub use schema::*;
pub use secret::Secret;
