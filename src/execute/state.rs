//! The engine's settings: the shared ones, with memory and spill limits, and
//! what each session changes of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use datafusion::common::config::{ConfigOptions, Dialect};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::prelude::SessionConfig;

use super::memory::Pool;
use super::running_filters;
use super::semi_joins::SemiJoinsFirst;
use crate::catalog::Catalog;
use crate::config::{Config, Limits};
use crate::error::Result;
use crate::pg_catalog;
use crate::plan;
use crate::semantics::{self, SessionVars};
use crate::sources::postgres::ReadOptions;

/// Build sides up to this many bytes and rows are joined in one piece instead
/// of being repartitioned: measured faster on most of TPC-H.
const BROADCAST_BYTES: usize = 100 << 20;
const BROADCAST_ROWS: usize = 10_000_000;

pub(super) fn shared(config: &Config, catalog: &Arc<ArcSwap<Catalog>>) -> Result<SessionState> {
    let mut state = SessionStateBuilder::new()
        .with_config(session_config())
        .with_runtime_env(runtime(&config.limits)?)
        .with_default_features()
        .with_optimizer_rule(Arc::new(SemiJoinsFirst))
        .with_physical_optimizer_rules(running_filters::rules())
        .build();
    semantics::register_rules(&mut state);
    plan::register_rules(&mut state);
    semantics::register_functions(&mut state)?;
    pg_catalog::register(&mut state, catalog)?;
    Ok(state)
}

/// The same with a session's own options.
pub(super) fn of_session(shared: &SessionState, vars: &SessionVars) -> SessionState {
    let mut state = shared.clone();
    let time_zone = vars.engine_time_zone();
    let options = state.config_mut().options_mut();
    options.execution.time_zone = Some(time_zone);
    options.extensions.insert(vars.clone());
    state
        .config_mut()
        .set_extension(Arc::new(read_options(vars)));
    // functions read the session from the options that the statement started with
    let options = state.config_options().clone();
    let props = state.execution_props_mut();
    props.mark_start_execution(options);
    props.query_execution_start_time = Some(vars.transaction_start);
    state
}

/// Of a plan that runs: its functions are in it, none is found by its name any more,
/// and to copy hundreds of names costs as much as to plan a short statement.
pub(super) fn context(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> TaskContext {
    TaskContext::new(
        None,
        String::new(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        runtime,
    )
}

pub(super) fn read_options(vars: &SessionVars) -> ReadOptions {
    let parallel_reads = vars
        .setting("narrows.parallel_reads")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let wait = vars.setting("narrows.join_keys_wait").and_then(duration);
    ReadOptions {
        parallel_reads,
        join_keys_wait: wait.filter(|wait| !wait.is_zero()),
    }
}

/// As settings print it: `1500ms`, `1min`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    let milliseconds = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

fn session_config() -> SessionConfig {
    let mut options = ConfigOptions::new();
    options.catalog.create_default_catalog_and_schema = false;
    options.catalog.information_schema = false;
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    options.optimizer.hash_join_single_partition_threshold = BROADCAST_BYTES;
    options.optimizer.hash_join_single_partition_threshold_rows = BROADCAST_ROWS;
    SessionConfig::from(options)
}

fn runtime(limits: &Limits) -> Result<Arc<RuntimeEnv>> {
    let pool = TrackConsumersPool::new(Pool::new(limits.query_memory), std::num::NonZeroUsize::MIN);
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![limits.spill_dir.clone()]))
        .with_max_temp_directory_size(limits.spill_limit);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .with_object_list_cache_limit(0)
        .build_arc()?;
    Ok(runtime)
}
