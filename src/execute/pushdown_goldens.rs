//! Goldens of pushdown, with the engine's rules and functions in place: statement
//! in → remote SQL and what was kept, with reasons. The files are in
//! `tests/pushdown`; `NARROWS_BLESS=1` rewrites them, to be read in the diff.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use datafusion::common::config::Dialect;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::optimize;
use crate::pushdown::{Mode, RemoteScan};
use crate::semantics;
use crate::sources::postgres::fixture;
use crate::sources::postgres::{Collation, PostgresTable};
use crate::types::PgType;

fn tables() -> Vec<PostgresTable> {
    let source = fixture::source();
    let locale = Collation::Deterministic("\"en_US\"".into());
    let columns: &[fixture::ColumnSpec<'_>] = &[
        ("id", PgType::INT8, Collation::None),
        ("n4", PgType::INT4, Collation::None),
        ("price", PgType::numeric(15, 2), Collation::None),
        ("ratio", PgType::FLOAT8, Collation::None),
        ("ok", PgType::BOOL, Collation::None),
        ("name", PgType::TEXT, locale.clone()),
        ("code", PgType::new(PgType::BPCHAR.oid, 14), locale),
        ("tag", PgType::TEXT, Collation::C),
        (
            "fold",
            PgType::TEXT,
            Collation::Nondeterministic("\"ci\"".into()),
        ),
        ("day", PgType::DATE, Collation::None),
        ("ts", PgType::TIMESTAMP, Collation::None),
        ("tz", PgType::TIMESTAMPTZ, Collation::None),
        ("uid", PgType::UUID, Collation::None),
        ("doc", PgType::JSONB, Collation::None),
        ("addr", PgType::UNKNOWN, Collation::None),
        ("odd \"name\"", PgType::INT4, Collation::None),
    ];
    vec![
        fixture::table(&source, "t", 1_000_000, columns),
        fixture::table(&source, "u", 100, columns),
    ]
}

async fn pushed(sql: &str) -> String {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
    let builder = SessionStateBuilder::new().with_config(config);
    let mut state = builder.with_default_features().build();
    semantics::register_rules(&mut state);
    semantics::register_functions(&mut state).expect("functions");
    let context = SessionContext::new_with_state(state);
    for table in tables() {
        let name = table.remote().relation.clone();
        context
            .register_table(name, Arc::new(table))
            .expect("a new name");
    }
    let pushed = match context.sql(sql).await {
        Ok(frame) => {
            let (state, plan) = frame.into_parts();
            optimize::pushed(&state, plan, Mode::Prefer)
        }
        Err(error) => return format!("error: {error}\n"),
    };
    let plan = match pushed {
        Ok(plan) => plan,
        Err(error) => return format!("error: {}\n", error.message()),
    };
    let mut text = String::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(remote) = extension.node.as_any().downcast_ref::<RemoteScan>()
        {
            writeln!(text, "remote: {}", remote.sql()).expect("memory");
            for kept in remote.kept() {
                writeln!(text, "kept: {kept}").expect("memory");
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .expect("a walk");
    text
}

async fn check(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/pushdown")
        .join(file);
    let golden = std::fs::read_to_string(&path).expect(file);
    let mut actual = String::new();
    for case in golden.split("\n\n").filter(|case| !case.trim().is_empty()) {
        let sql: Vec<&str> = case
            .lines()
            .filter(|line| {
                !["remote:", "kept:", "error:"]
                    .iter()
                    .any(|p| line.starts_with(p))
            })
            .collect();
        let sql = sql.join("\n");
        writeln!(actual, "{sql}\n{}", pushed(&sql).await).expect("memory");
    }
    if std::env::var_os("NARROWS_BLESS").is_some() {
        std::fs::write(&path, actual).expect(file);
    } else {
        assert_eq!(golden.trim(), actual.trim(), "{file}");
    }
}

#[tokio::test]
async fn every_rule_has_its_golden() {
    for file in [
        "comparison",
        "boolean",
        "list_and_null",
        "limit",
        "like",
        "arithmetic",
        "case_and_cast",
        "datetime",
        "text",
        "projection",
        "aggregate",
        "join",
        "union_and_subquery",
        "correlated",
        "window",
    ] {
        check(&format!("{file}.golden")).await;
    }
}
