//! Expressions, and what Postgres 15 answers to them: each line of the golden
//! files is an expression, the type and the text of its value there, or `!`
//! and the error. Where the answer here differs on purpose or still, a fourth
//! column says what it is, and the file's comments why.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::config::{ConfigOptions, Dialect};
use datafusion::datasource::MemTable;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::collect;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;

use super::numeric::Numeric;
use super::typed::type_name;
use super::{SessionVars, TypeNames, calendar, normalize, text_out, value};
use crate::error::{Error, Result};
use crate::types::PgType;

const ZONE: &str = "Europe/Berlin";

fn state() -> SessionState {
    let mut options = ConfigOptions::new();
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.sql_parser.parse_float_as_decimal = true;
    options.execution.time_zone = Some(ZONE.into());
    options.extensions.insert(SessionVars::default());
    let mut state = SessionStateBuilder::new()
        .with_config(SessionConfig::from(options).with_target_partitions(1))
        .with_default_features()
        .with_type_planner(Arc::new(TypeNames {
            time_zone: ZONE.into(),
        }))
        .build();
    super::register_rules(&mut state);
    super::register_functions(&mut state).expect("registers");
    state
}

async fn batches(state: &SessionState, sql: &str) -> Result<Vec<RecordBatch>> {
    let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL)?;
    if let Statement::Statement(ast) = &mut statement {
        normalize(ast);
    }
    let plan = state.statement_to_plan(statement).await?;
    let plan = state.optimize(&plan)?;
    // a plan is analyzed once
    let physical = DefaultPhysicalPlanner::default()
        .create_physical_plan(&plan, state)
        .await?;
    Ok(collect(physical, state.task_ctx()).await?)
}

/// Type and text of the first row's first column.
async fn answer(state: &SessionState, expr: &str) -> Result<(String, String)> {
    let sql = match expr.to_lowercase().starts_with("select") {
        true => expr.to_string(),
        false => format!("select {expr} as x"),
    };
    let batches = batches(state, &sql).await?;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0);
    let batch = batch.ok_or_else(|| Error::internal("no row"))?;
    let schema = batch.schema();
    let pg_type = PgType::of(schema.field(0));
    let value = value::read(&value::plain(batch.column(0))?, 0)?;
    let zone = calendar::Zone::parse(ZONE)?;
    let text = text_out::text(&value, zone).unwrap_or_else(|| "NULL".into());
    Ok((type_name(pg_type), text))
}

/// Numbers of the same value agree, whatever zeros end them.
fn agrees(expected: &str, actual: &str) -> bool {
    if expected == actual {
        return true;
    }
    let number = |text: &str| {
        let value = text.strip_prefix("numeric\t")?;
        Numeric::parse(value).map(Numeric::trimmed)
    };
    number(expected).is_some_and(|value| Some(value) == number(actual))
}

async fn check(golden: &str) {
    let state = state();
    let mut wrong = Vec::new();
    for line in golden
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let mut columns = line.split('\t');
        let expr = columns.next().unwrap_or_default();
        let mut expected = [
            columns.next().unwrap_or_default(),
            columns.next().unwrap_or_default(),
        ]
        .join("\t");
        if let Some(ours) = columns.next() {
            expected = ours.replace(" | ", "\t");
        }
        let actual = match answer(&state, expr).await {
            Ok((pg_type, text)) => format!("{pg_type}\t{text}"),
            Err(error) if error.state().code().starts_with("58") => error.log_text(),
            Err(error) => format!("!\t{} {}", error.state().code(), error.message()),
        };
        if !agrees(&expected, &actual) {
            wrong.push(format!(
                "{expr}\n    Postgres: {expected}\n    here:     {actual}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn casts() {
    check(include_str!("golden/casts.txt")).await;
}

#[tokio::test]
async fn arithmetic() {
    check(include_str!("golden/arithmetic.txt")).await;
}

#[tokio::test]
async fn dates() {
    check(include_str!("golden/dates.txt")).await;
}

#[tokio::test]
async fn text_arrays_and_json() {
    check(include_str!("golden/strings.txt")).await;
}

#[tokio::test]
async fn formats() {
    check(include_str!("golden/formats.txt")).await;
}

/// The optimized plan of a query over one table of every kind of column.
async fn plan_of(sql: &str) -> Result<String> {
    let state = state();
    let fields: Vec<Field> = [
        ("d", PgType::DATE),
        ("price", PgType::numeric(15, 2)),
        ("disc", PgType::numeric(15, 2)),
        ("i", PgType::INT4),
        ("b", PgType::INT8),
        ("f", PgType::FLOAT8),
        ("id", PgType::UUID),
        ("code", PgType::new(PgType::BPCHAR.oid, 9)),
        ("name", PgType::TEXT),
        ("ts", PgType::TIMESTAMP),
        ("tz", PgType::TIMESTAMPTZ),
    ]
    .iter()
    .filter_map(|(name, pg_type)| pg_type.field(name, true))
    .collect();
    let table = MemTable::try_new(Arc::new(Schema::new(fields)), vec![vec![]])?;
    let context = SessionContext::new_with_state(state);
    context.register_table("t", Arc::new(table))?;
    let state = context.state();
    let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL)?;
    if let Statement::Statement(ast) = &mut statement {
        normalize(ast);
    }
    let plan = state.statement_to_plan(statement).await?;
    Ok(state.optimize(&plan)?.display_indent().to_string())
}

async fn check_plan(sql: &str, expected: &str) {
    let plan = plan_of(sql).await.expect(sql);
    let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plan.contains(expected), "{sql}\n{plan}\nlacks {expected}");
}

#[tokio::test]
async fn comparisons_stay_plain_for_pruning_and_pushdown() {
    for (condition, expected) in [
        (
            "d <= date '1998-12-01' - interval '90' day",
            "t.d <= Date32(\"1998-09-02\")",
        ),
        ("d >= '1994-01-01'", "t.d >= Date32(\"1994-01-01\")"),
        (
            "d < date '1994-01-01' + interval '1' year",
            "t.d < Date32(\"1995-01-01\")",
        ),
        (
            "d between '1995-01-01' and '1996-12-31'",
            "t.d >= Date32(\"1995-01-01\") AND t.d <= Date32(\"1996-12-31\")",
        ),
        ("price > 1.5", "t.price > Decimal128(1.50,15,2)"),
        (
            "price between 0.05 - 0.01 and 0.07",
            "t.price >= Decimal128(0.04,15,2)",
        ),
        ("i = 5", "t.i = Int32(5)"),
        ("i = '5'", "t.i = Int32(5)"),
        ("b = 5", "t.b = Int64(5)"),
        (
            "i in (1, 2, 3, 4)",
            "t.i IN ([Int32(1), Int32(2), Int32(3), Int32(4)])",
        ),
        (
            "i = any('{1,2,3,4}')",
            "t.i IN ([Int32(1), Int32(2), Int32(3), Int32(4)])",
        ),
        (
            "name in ('a', 'b', 'c', 'd')",
            "t.name IN ([Utf8View(\"a\")",
        ),
        ("code = 'ab  '", "t.code = Utf8View(\"ab\")"),
        ("f < 2.5", "t.f < Float64(2.5)"),
        (
            "ts >= '2024-01-01'",
            "t.ts >= TimestampMicrosecond(1704067200000000, None)",
        ),
        (
            "tz >= '2024-01-01'",
            "t.tz >= TimestampMicrosecond(1704063600000000, Some(\"UTC\"))",
        ),
        ("name like 'a%'", "t.name LIKE Utf8View(\"a%\")"),
    ] {
        check_plan(&format!("select i from t where {condition}"), expected).await;
    }
    let uuid = "select i from t where id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'";
    check_plan(uuid, "t.id = FixedSizeBinary(16").await;
}

#[tokio::test]
async fn sums_of_money_stay_on_the_decimal_kernels() {
    let sql = "select sum(price * (1 - disc)), avg(price), sum(price), count(*) from t";
    let plan = plan_of(sql).await.expect(sql);
    for part in [
        "sum(t.price * (Decimal128(1,10,0) - t.disc))",
        "sum(t.price)",
        "count(t.price)",
    ] {
        assert!(plan.contains(part), "{plan}\nlacks {part}");
    }
    assert!(!plan.contains("Decimal256"), "{plan}");
}
