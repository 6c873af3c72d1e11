//! Goldens: statement in → remote SQL and what was kept, with reasons. The
//! files are in `tests/pushdown`; `NARROWS_BLESS=1` rewrites them, to be read
//! in the diff.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{Mode, push, remote_scan};
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
    let context = SessionContext::new_with_config(config);
    for table in tables() {
        let name = table.remote().relation.clone();
        context
            .register_table(name, Arc::new(table))
            .expect("a new name");
    }
    let plan = match context.sql(sql).await {
        Ok(frame) => frame.into_optimized_plan().expect(sql),
        Err(error) => return format!("error: {error}\n"),
    };
    let plan = push(plan, Mode::Prefer).expect(sql);
    let mut text = String::new();
    plan.apply_with_subqueries(|node| {
        if let Some(remote) = remote_scan::in_plan(node) {
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
async fn comparisons() {
    check("comparison.golden").await;
}

#[tokio::test]
async fn booleans() {
    check("boolean.golden").await;
}

#[tokio::test]
async fn lists_and_nulls() {
    check("list_and_null.golden").await;
}

#[tokio::test]
async fn limits() {
    check("limit.golden").await;
}
