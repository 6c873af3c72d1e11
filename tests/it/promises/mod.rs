//! The promises about sources, each over both routes.

mod drift;
mod ends;
mod faults;
mod logins;
mod malformed;
mod pools;
mod proxy;
mod read_only;
mod reading;
mod rig;
mod stalls;
mod transactions;
