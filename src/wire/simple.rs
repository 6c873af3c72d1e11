//! Query messages: all statements are parsed before the first one runs, and the
//! first error ends the message. Section 55.2.2 "Simple Query".

use std::sync::Arc;

use super::connection::Connection;
use super::encode::Format;
use super::guard::{Failure, Guard, contained};
use super::portal::{self, Report};
use super::relay;
use super::task::Read;
use crate::session::{Answer, Parsed, Relayed};

pub async fn run(connection: &mut Connection, sql: &str, read: Read) -> Result<(), Failure> {
    let guard = connection.guard();
    let session = &mut connection.session;
    let statements = match read {
        Some(statements) => statements?,
        None => contained(|| session.parse(sql))?,
    };
    if statements.is_empty() {
        connection.channel.out.empty_query();
        return Ok(());
    }
    connection.session.share_implicit(statements.len() > 1);
    for statement in statements {
        let mut report = Report::new(&connection.session);
        let result = match statement {
            Parsed::Relay(relayed) => relayed_one(connection, &guard, relayed, &mut report).await,
            other => Box::pin(one(connection, &guard, other, &mut report)).await,
        };
        report.log(&result);
        result?;
    }
    Ok(())
}

async fn relayed_one(
    connection: &mut Connection,
    guard: &Guard,
    relayed: Arc<Relayed>,
    report: &mut Report,
) -> Result<(), Failure> {
    let session = &mut connection.session;
    session.check_in_order()?;
    session.start_statement();
    let prepared = session.prepare_relay(relayed, &[]);
    relay::run_simple(connection, guard, &prepared, report).await
}

async fn one(
    connection: &mut Connection,
    guard: &Guard,
    statement: Parsed,
    report: &mut Report,
) -> Result<(), Failure> {
    connection.session.check_not_failed(&statement)?;
    connection.session.start_statement();
    let Connection {
        channel, session, ..
    } = connection;
    let prepared = guard
        .run(channel, session.prepare(statement, Vec::new()))
        .await?;
    if !prepared.parameters.is_empty() {
        return Err(crate::error::Error::new(
            crate::error::SqlState::UNDEFINED_PARAMETER,
            "there is no parameter $1",
        )
        .into());
    }
    let answer = guard
        .run(channel, session.run(&prepared, Vec::new()))
        .await?;
    connection.send_notices();
    match answer {
        Answer::Relay(prepared) => {
            relay::run_simple(connection, guard, &prepared, report).await?;
        }
        Answer::Empty => connection.channel.out.empty_query(),
        Answer::Done(tag) => connection.channel.out.command_complete(&tag),
        Answer::Copy(running, options) => {
            super::copy::run(connection, guard, running, &options, report).await?;
        }
        Answer::Rows(running) => {
            let schema = running.cursor.schema.clone();
            let formats = match &running.formats {
                Some(formats) => formats.clone(),
                None => vec![Format::Text; schema.fields().len()],
            };
            connection.channel.out.row_description(&schema, &formats)?;
            let tag = running.tag;
            let end = portal::send(connection, guard, running, &formats, report).await?;
            connection.channel.out.command_complete(&tag.text(end.rows));
        }
    }
    Ok(())
}
