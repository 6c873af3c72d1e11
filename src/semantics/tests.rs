//! Expressions, and what Postgres 15 answers to them: each line of the golden
//! files is an expression, the type and the text of its value there, or `!`
//! and the error. Where the answer here differs on purpose or still, a fourth
//! column says what it is, and the file's comments why.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::config::{ConfigOptions, Dialect};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionConfig;
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
    super::register(&mut state).expect("registers");
    state
}

async fn batches(state: &SessionState, sql: &str) -> Result<Vec<RecordBatch>> {
    let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL)?;
    if let Statement::Statement(ast) = &mut statement {
        normalize(ast);
    }
    let plan = state.statement_to_plan(statement).await?;
    let plan = state.optimize(&plan)?;
    let physical = state.create_physical_plan(&plan).await?;
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
