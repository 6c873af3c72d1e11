//! What a scan counts while it runs; EXPLAIN ANALYZE shows it. Called by all that
//! reads rows.

use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, Time,
};

/// Names of what is counted.
pub mod counted {
    /// Bytes that the source sent.
    pub const BYTES: &str = "bytes_moved";
    /// Connections that only this scan read over.
    pub const CONNECTIONS: &str = "connections";
    /// Streams that took turns with other scans on a connection.
    pub const TURNS: &str = "shared_connections";
    /// Streams that read a snapshot which other streams read too.
    pub const SNAPSHOTS: &str = "shared_snapshots";
    /// Join keys sent to the source.
    pub const KEYS: &str = "keys_sent";
    /// Until join keys and a connection were there.
    pub const WAIT: &str = "wait_time";
    /// From then to the last row.
    pub const READ: &str = "read_time";
}

#[derive(Debug, Clone)]
pub(super) struct ScanMetrics {
    pub baseline: BaselineMetrics,
    pub bytes_moved: Count,
    pub connections: Count,
    pub turns: Count,
    pub snapshots: Count,
    pub keys: Count,
    pub wait: Time,
    pub read: Time,
}

impl ScanMetrics {
    pub fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name| MetricBuilder::new(set).counter(name, partition);
        let time = |name| MetricBuilder::new(set).subset_time(name, partition);
        ScanMetrics {
            baseline: BaselineMetrics::new(set, partition),
            bytes_moved: counter(counted::BYTES),
            connections: counter(counted::CONNECTIONS),
            turns: counter(counted::TURNS),
            snapshots: counter(counted::SNAPSHOTS),
            keys: counter(counted::KEYS),
            wait: time(counted::WAIT),
            read: time(counted::READ),
        }
    }
}
