//! Filters that joins and sorts make while a statement runs, on their way to the
//! scans. The engine finds the columns that they are about again by name alone
//! (`FilterRemapper`), and takes the first of two columns of one name: a filter on
//! `b.id` becomes one on `a.id`, and rows are lost or kept wrongly. So no filter is
//! sent through a node with two columns of one name. Filters of the statement's own
//! text do not go this way at all: the logical plan has brought them to the scans.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::sorts::sort::SortExec;

/// The engine's own rules, with this one in place of its two.
pub(super) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let early = FilterPushdown::new();
    let late = FilterPushdown::new_post_optimization();
    let rules = PhysicalOptimizer::new().rules.into_iter();
    rules
        .filter(|rule| rule.name() != early.name())
        .map(|rule| match rule.name() == late.name() {
            true => Arc::new(RunningFilters(FilterPushdown::new_post_optimization())),
            false => rule,
        })
        .collect()
}

#[derive(Debug)]
struct RunningFilters(FilterPushdown);

impl PhysicalOptimizerRule for RunningFilters {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut makers = Makers::default();
        makers.look(&plan);
        let mut config = config.clone();
        let optimizer = &mut config.optimizer;
        optimizer.enable_join_dynamic_filter_pushdown &= !makers.joins;
        optimizer.enable_topk_dynamic_filter_pushdown &= !makers.sorts;
        optimizer.enable_aggregate_dynamic_filter_pushdown &= !makers.aggregates;
        self.0.optimize(plan, &config)
    }

    fn name(&self) -> &str {
        "running_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Who has something below that a filter would go astray in?
#[derive(Debug, Default)]
struct Makers {
    joins: bool,
    sorts: bool,
    aggregates: bool,
}

impl Makers {
    /// Has this node, or one below it, two columns of one name?
    fn look(&mut self, plan: &Arc<dyn ExecutionPlan>) -> bool {
        let children = plan.children();
        let ambiguous: Vec<bool> = children.iter().map(|child| self.look(child)).collect();
        let below = ambiguous.contains(&true);
        if plan.is::<HashJoinExec>() {
            // the second is the one that is asked by the keys of the first
            self.joins |= ambiguous.get(1) == Some(&true);
        } else if plan.is::<SortExec>() {
            self.sorts |= below;
        } else if plan.is::<AggregateExec>() {
            self.aggregates |= below;
        }
        below || has_two_of_one_name(plan)
    }
}

fn has_two_of_one_name(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut names = HashSet::new();
    !schema
        .fields()
        .iter()
        .all(|field| names.insert(field.name()))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// Three tables with the same names of columns, as files, and their answers.
    async fn answer(
        sql: &str,
        folder: &std::path::Path,
        rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
    ) -> String {
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_default_features()
            .with_physical_optimizer_rules(rules)
            .build();
        let context = SessionContext::new_with_state(state);
        for (table, rows) in [("a", 40), ("b", 400), ("c", 4000)] {
            let column = |step: i32| -> ArrayRef {
                Arc::new((0..rows).map(|row| row * step % 97).collect::<Int32Array>())
            };
            let batch = RecordBatch::try_from_iter([("k", column(1)), ("v", column(7))])
                .expect("two columns");
            let path = folder.join(format!("{table}.parquet"));
            let file = std::fs::File::create(&path).expect("a file");
            let mut writer =
                parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
            writer.write(&batch).expect("written");
            writer.close().expect("closed");
            let path = path.to_str().expect("text");
            context
                .register_parquet(table, path, Default::default())
                .await
                .expect("a table");
        }
        let rows = context.sql(sql).await.expect(sql).collect().await;
        pretty_format_batches(&rows.expect(sql))
            .expect("text")
            .to_string()
    }

    #[tokio::test]
    async fn columns_of_one_name_are_not_taken_for_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut wrong = 0;
        for (sql, count) in [
            // the condition is about both sides, and would be about b alone
            (
                "SELECT count(*) FROM c RIGHT JOIN b ON c.v = b.k \
                 WHERE (c.k <> 5 OR b.v < -1) AND b.k < 30",
                "5456",
            ),
            (
                "SELECT count(*) FROM (SELECT a.k, b.k AS k2, b.v FROM b JOIN a ON a.v = b.v) j \
                 JOIN c ON c.v = j.v WHERE j.k2 < 50",
                "7156",
            ),
        ] {
            let text = answer(sql, folder.path(), rules()).await;
            assert!(text.contains(&format!(" {count} ")), "{sql}\n{text}");
            let engine = answer(sql, folder.path(), PhysicalOptimizer::new().rules).await;
            wrong += usize::from(engine != text);
        }
        // by the engine's own rules; when they are mended, this file can go
        assert_eq!(wrong, 1);
    }
}
