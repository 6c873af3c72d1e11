//! Every metric's name and label, and the counters behind them.

pub mod log;
pub mod panics;
