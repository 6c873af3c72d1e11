//! Every metric's name and label, and the counters behind them.

pub mod panics;
