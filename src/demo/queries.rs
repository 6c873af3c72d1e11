//! The demo's queries, sent through a real socket by an ordinary Postgres
//! driver: statement, answer, time, and what EXPLAIN ANALYZE tells about it.

use std::time::Instant;

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::screen::{Answer, Screen};
use super::serve::Serving;
use crate::error::{Error, Result, SqlState};

#[derive(Debug)]
pub(super) struct Query {
    pub title: &'static str,
    pub sql: &'static str,
}

pub(super) const QUERIES: [Query; 3] = [
    Query {
        title: "One order with its lines: Postgres joined with Delta",
        sql: "\
SELECT o.o_orderkey, o.o_orderdate, c.c_name,
       l.l_linenumber, l.l_quantity, l.l_extendedprice, l.l_shipdate
  FROM shop.orders o
  JOIN shop.customer c ON c.c_custkey = o.o_custkey
  JOIN lake.lineitem l ON l.l_orderkey = o.o_orderkey
 WHERE o.o_orderkey = 7
 ORDER BY l.l_linenumber",
    },
    Query {
        title: "Profit by nation for one brand: all four sources",
        sql: "\
SELECT n.n_name AS nation, count(*) AS lines,
       sum(l.l_extendedprice * (1 - l.l_discount)) AS revenue,
       sum(l.l_extendedprice * (1 - l.l_discount)
           - ps.ps_supplycost * l.l_quantity) AS profit
  FROM ice.part p
  JOIN lake.lineitem l ON l.l_partkey = p.p_partkey
  JOIN files.partsupp ps ON ps.ps_partkey = l.l_partkey
                        AND ps.ps_suppkey = l.l_suppkey
  JOIN shop.supplier s ON s.s_suppkey = l.l_suppkey
  JOIN shop.nation n ON n.n_nationkey = s.s_nationkey
 WHERE p.p_brand = 'Brand#23'
 GROUP BY n.n_name
 ORDER BY profit DESC, nation
 LIMIT 5",
    },
    Query {
        title: "Customers with the most that is still to be delivered",
        sql: "\
SELECT c.c_custkey, c.c_name, count(*) AS open_lines,
       sum(l.l_quantity) AS open_quantity
  FROM shop.customer c
  JOIN shop.orders o ON o.o_custkey = c.c_custkey
  JOIN lake.lineitem l ON l.l_orderkey = o.o_orderkey
 WHERE c.c_mktsegment = 'MACHINERY'
   AND o.o_orderdate >= DATE '1998-01-01'
   AND l.l_linestatus = 'O'
 GROUP BY c.c_custkey, c.c_name
 ORDER BY open_quantity DESC, c.c_custkey
 LIMIT 5",
    },
];

/// Shows each; answers how many failed or found no row.
pub(super) async fn show_all(
    queries: &[Query],
    serving: &Serving,
    screen: &Screen,
) -> Result<usize> {
    let target = format!(
        "host={} port={} user=demo dbname={} application_name=narrows-demo",
        serving.address().ip(),
        serving.address().port(),
        serving.database(),
    );
    let (client, connection) = tokio_postgres::connect(&target, NoTls)
        .await
        .map_err(not_served)?;
    let connection = tokio::spawn(connection);
    let mut failed = 0;
    for (query, number) in queries.iter().zip(1..) {
        screen.statement(number, query.title, query.sql);
        if let Err(error) = show(&client, query, screen).await {
            screen.failure(&error);
            failed += 1;
        }
    }
    drop(client);
    let _ = connection.await;
    Ok(failed)
}

async fn show(client: &Client, query: &Query, screen: &Screen) -> Result<()> {
    let began = Instant::now();
    let answer = ask(client, query.sql).await?;
    let took = began.elapsed();
    screen.answer(&answer, took);
    let plan = ask(client, &format!("EXPLAIN ANALYZE {}", query.sql)).await?;
    screen.plan(plan.rows.iter().filter_map(|row| row.first()?.as_deref()));
    if answer.rows.is_empty() {
        return Err(Error::new(
            SqlState::DATA_EXCEPTION,
            "the query found no row",
        ));
    }
    Ok(())
}

async fn ask(client: &Client, sql: &str) -> Result<Answer> {
    let mut answer = Answer::default();
    for message in client.simple_query(sql).await.map_err(not_served)? {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                answer.columns = columns.iter().map(|c| c.name().to_string()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|i| row.get(i).map(str::to_string));
                answer.rows.push(cells.collect());
            }
            _ => {}
        }
    }
    Ok(answer)
}

/// What the server said, as any client would see it.
fn not_served(error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(said) => {
            let state = SqlState::from_code(said.code().code()).unwrap_or(SqlState::SYSTEM_ERROR);
            let mut ours = Error::new(state, said.message());
            if let Some(detail) = said.detail() {
                ours = ours.with_detail(detail);
            }
            if let Some(hint) = said.hint() {
                ours = ours.with_hint(hint);
            }
            ours
        }
        None => Error::new(
            SqlState::CONNECTION_FAILURE,
            "the connection to the demo's server failed",
        )
        .with_cause(error),
    }
}
