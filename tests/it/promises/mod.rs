//! The promises about sources, each over both routes.

mod drift;
mod ends;
mod faults;
mod malformed;
mod pools;
mod proxy;
mod rig;
mod stalls;
