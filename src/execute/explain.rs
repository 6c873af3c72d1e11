//! EXPLAIN and EXPLAIN ANALYZE: the route, each fragment with what its source
//! runs and what was kept, and the engine's plan. ANALYZE runs the statement
//! and adds the rows and bytes that moved.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use serde_json::{Value, json};

use super::fragments::{Fragment, Reading, fragments};
use crate::error::Result;
use crate::plan::{Analyze, Explain, ExplainFormat, Planned};

/// What running the statement showed.
struct Run {
    rows: usize,
    took: Duration,
}

pub(super) async fn run(
    options: Explain,
    planned: &Planned,
    physical: Arc<dyn ExecutionPlan>,
    state: &SessionState,
) -> Result<SendableRecordBatchStream> {
    let run = match options.analyze {
        Analyze::Yes => Some(drain(&physical, state).await?),
        Analyze::No => None,
    };
    let lines = match options.format {
        ExplainFormat::Text => text(planned, &physical, run.as_ref()),
        ExplainFormat::Json => vec![json_text(planned, &physical, run.as_ref())],
    };
    let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(lines));
    let batch = RecordBatch::try_new(planned.schema.clone(), vec![column])?;
    Ok(Box::pin(MemoryStream::try_new(
        vec![batch],
        planned.schema.clone(),
        None,
    )?))
}

async fn drain(physical: &Arc<dyn ExecutionPlan>, state: &SessionState) -> Result<Run> {
    let start = Instant::now();
    let mut stream = execute_stream(physical.clone(), state.task_ctx())?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += batch?.num_rows();
    }
    Ok(Run {
        rows,
        took: start.elapsed(),
    })
}

fn text(planned: &Planned, physical: &Arc<dyn ExecutionPlan>, run: Option<&Run>) -> Vec<String> {
    let mut lines = vec![format!("Route: {}", planned.route.name())];
    for fragment in fragments(physical) {
        lines.extend(fragment_lines(&fragment, run.is_some()));
    }
    lines.push("Plan:".into());
    let plan = match run {
        Some(_) => DisplayableExecutionPlan::with_metrics(physical.as_ref())
            .indent(false)
            .to_string(),
        None => DisplayableExecutionPlan::new(physical.as_ref())
            .indent(false)
            .to_string(),
    };
    lines.extend(plan.lines().map(|line| format!("  {line}")));
    if let Some(run) = run {
        lines.push(format!("Rows: {}", run.rows));
        lines.push(format!("Execution Time: {:.3} ms", milliseconds(run.took)));
    }
    lines
}

fn fragment_lines(fragment: &Fragment, analyzed: bool) -> Vec<String> {
    let mut head = format!("Fragment on {} ({})", fragment.source, fragment.kind);
    if analyzed {
        let _ = write!(head, ": rows={} bytes={}", fragment.rows, fragment.bytes);
    }
    let mut lines = vec![
        head,
        format!("  {}: {}", fragment.what.label(), fragment.text),
    ];
    if let (true, Some(reading)) = (analyzed, &fragment.reading) {
        lines.push(format!("  Read: {}", reading_text(reading)));
    }
    lines.extend(fragment.kept.iter().map(|kept| format!("  Kept: {kept}")));
    lines
}

fn reading_text(reading: &Reading) -> String {
    let mut text = format!("connections={}", reading.connections);
    if reading.turns > 0 {
        let _ = write!(text, " shared_connections={}", reading.turns);
    }
    let _ = write!(text, " snapshot={}", reading.snapshot.label());
    if reading.keys > 0 {
        let _ = write!(text, " keys={}", reading.keys);
    }
    let (wait, read) = (milliseconds(reading.wait), milliseconds(reading.read));
    let _ = write!(text, " wait={wait:.3} ms read={read:.3} ms");
    text
}

fn json_text(planned: &Planned, physical: &Arc<dyn ExecutionPlan>, run: Option<&Run>) -> String {
    let fragments: Vec<Value> = fragments(physical)
        .iter()
        .map(|fragment| {
            let mut value = json!({
                "Source": fragment.source,
                "Kind": fragment.kind,
                fragment.what.label(): fragment.text,
                "Kept": fragment.kept,
            });
            if run.is_some() {
                value["Rows Moved"] = json!(fragment.rows);
                value["Bytes Moved"] = json!(fragment.bytes);
                if let Some(reading) = &fragment.reading {
                    value["Connections"] = json!(reading.connections);
                    value["Shared Connections"] = json!(reading.turns);
                    value["Snapshot"] = json!(reading.snapshot.label());
                    value["Keys Sent"] = json!(reading.keys);
                    value["Wait Time"] = json!(milliseconds(reading.wait));
                    value["Read Time"] = json!(milliseconds(reading.read));
                }
            }
            value
        })
        .collect();
    let plan = DisplayableExecutionPlan::new(physical.as_ref())
        .indent(false)
        .to_string();
    let mut value = json!({
        "Route": planned.route.name(),
        "Fragments": fragments,
        "Plan": plan.lines().collect::<Vec<_>>(),
    });
    if let Some(run) = run {
        value["Actual Rows"] = json!(run.rows);
        value["Execution Time"] = json!(milliseconds(run.took));
    }
    serde_json::to_string_pretty(&json!([value])).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
