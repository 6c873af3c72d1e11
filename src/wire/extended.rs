//! Parse, Bind, Describe, Execute and Close: section 55.2.3 "Extended Query".

use std::sync::Arc;

use super::connection::Connection;
use super::encode::Format;
use super::frontend::{Bind, Frontend, Parse, Target, violation};
use super::guard::{Failure, contained};
use super::portal::{self, Report, Rest};
use super::task::Read;
use super::{copy, params, relay};
use crate::error::{Error, Result, SqlState};
use crate::session::{Answer, Parsed, Prepared};
use crate::types::PgType;

pub async fn handle(
    connection: &mut Connection,
    message: Frontend,
    read: Read,
) -> Result<(), Failure> {
    match message {
        Frontend::Parse(parse) => self::parse(connection, parse, read).await,
        Frontend::Bind(bind) => self::bind(connection, bind).await,
        Frontend::Describe(target) => describe(connection, target).await,
        Frontend::Execute { portal, max_rows }
            if connection.session.portal(&portal)?.prepared.relay.is_some() =>
        {
            // reported with its batch
            let prepared = connection.session.portal(&portal)?.prepared.clone();
            connection.session.check_not_failed(&prepared.parsed)?;
            relay::execute(connection, &prepared, &portal, max_rows)
        }
        Frontend::Execute { portal, max_rows } => {
            let mut report = Report::new(&connection.session);
            let result = Box::pin(execute(connection, &portal, max_rows, &mut report)).await;
            report.log(&result);
            result
        }
        Frontend::Close(target) => close(connection, target).await,
        _ => Ok(()),
    }
}

async fn parse(connection: &mut Connection, parse: Parse, read: Read) -> Result<(), Failure> {
    let guard = connection.guard();
    let Connection {
        channel, session, ..
    } = connection;
    if parse.name.is_empty() {
        session.close_statement("");
    }
    let statements = match read {
        Some(statements) => statements?,
        None => contained(|| session.parse(&parse.query))?,
    };
    let mut statements = statements.into_iter();
    let statement = statements.next().unwrap_or(Parsed::Empty);
    if statements.next().is_some() {
        return Err(Error::new(
            SqlState::SYNTAX_ERROR,
            "cannot insert multiple commands into a prepared statement",
        )
        .into());
    }
    session.check_not_failed(&statement)?;
    session.check_free_statement(&parse.name)?;
    session.start_statement();
    let declared: Vec<_> = parse.types.iter().map(|oid| declared(*oid)).collect();
    let prepared = match statement {
        Parsed::Relay(relayed) => session.prepare_relay(relayed, &declared),
        other => {
            let prepare = Box::pin(session.prepare(other, declared));
            guard.run(channel, prepare).await?
        }
    };
    if prepared.relay.is_some() {
        relay::parse(connection, &parse.name, &prepared).await?;
        connection.session.keep_statement(&parse.name, prepared);
        return Ok(());
    }
    session.keep_statement(&parse.name, prepared);
    relay::settle_before(connection, None).await?;
    connection.channel.out.parse_complete();
    Ok(())
}

/// Nothing and `unknown` leave a parameter's type open.
fn declared(oid: u32) -> Option<PgType> {
    (oid != 0 && oid != PgType::UNKNOWN.oid).then(|| PgType::new(oid, -1))
}

async fn bind(connection: &mut Connection, bind: Bind) -> Result<(), Failure> {
    let session = &mut connection.session;
    let prepared = session.prepared_statement(&bind.statement)?;
    session.check_not_failed(&prepared.parsed)?;
    if bind.portal.is_empty() {
        session.close_portal("");
    }
    if prepared.relay.is_some() {
        session.start_statement();
        return relay::bind(connection, &prepared, &bind).await;
    }
    bind_here(connection, prepared, bind)?;
    relay::settle_before(connection, None).await?;
    connection.channel.out.bind_complete();
    Ok(())
}

fn bind_here(connection: &mut Connection, prepared: Arc<Prepared>, bind: Bind) -> Result<()> {
    let session = &mut connection.session;
    let statement = bind.statement.as_str();
    let portal = bind.portal.as_str();
    let bind = bind.values()?;
    let expected = prepared.parameters.len();
    let given = bind.parameters.len();
    let formats = bind.parameter_formats.len();
    if formats > 1 && formats != given {
        return Err(violation(format!(
            "bind message has {formats} parameter formats but {given} parameters"
        )));
    }
    if given != expected {
        return Err(violation(format!(
            "bind message supplies {given} parameters, but prepared statement \"{statement}\" requires {expected}"
        )));
    }
    session.start_statement();
    let style = session.style();
    let parameters = bind
        .parameters
        .iter()
        .zip(&prepared.parameters)
        .enumerate()
        .map(|(position, (value, pg_type))| {
            let format = format_at(&bind.parameter_formats, position);
            params::decode(value.as_deref(), *pg_type, format, &style, position + 1)
        })
        .collect::<Result<Vec<_>>>()?;
    let formats = result_formats(&prepared, &bind.result_formats)?;
    session.bind(portal, prepared, parameters, formats)
}

fn format_at(codes: &[i16], position: usize) -> Format {
    match codes {
        [] => Format::Text,
        [one] => format(*one),
        many => many
            .get(position)
            .map_or(Format::Text, |code| format(*code)),
    }
}

fn format(code: i16) -> Format {
    if code == 1 {
        Format::Binary
    } else {
        Format::Text
    }
}

fn result_formats(prepared: &Prepared, codes: &[i16]) -> Result<Vec<Format>> {
    let columns = prepared
        .columns
        .as_ref()
        .map_or(0, |schema| schema.fields().len());
    if codes.len() > 1 && codes.len() != columns {
        return Err(violation(format!(
            "bind message has {} result formats but query has {columns} columns",
            codes.len()
        )));
    }
    Ok((0..columns)
        .map(|column| format_at(codes, column))
        .collect())
}

async fn describe(connection: &mut Connection, target: Target) -> Result<(), Failure> {
    let prepared = match &target {
        Target::Statement(name) => connection.session.prepared_statement(name)?,
        Target::Portal(name) => connection.session.portal(name)?.prepared.clone(),
    };
    if prepared.relay.is_some() {
        return relay::describe(connection, &prepared, &target).await;
    }
    relay::settle_before(connection, None).await?;
    let session = &mut connection.session;
    let out = &mut connection.channel.out;
    match target {
        Target::Statement(_) => {
            out.parameter_description(&prepared.parameters);
            match &prepared.columns {
                Some(schema) => {
                    out.row_description(schema, &vec![Format::Text; schema.fields().len()])?;
                }
                None => out.no_data(),
            }
        }
        Target::Portal(name) => {
            let portal = session.portal(&name)?;
            match &portal.prepared.columns {
                Some(schema) => out.row_description(schema, &portal.formats)?,
                None => out.no_data(),
            }
        }
    }
    Ok(())
}

async fn close(connection: &mut Connection, target: Target) -> Result<(), Failure> {
    match target {
        Target::Statement(name) => {
            connection.session.close_statement(&name);
            relay::settle_before(connection, None).await?;
        }
        Target::Portal(name) => {
            let relayed = match connection.session.portal(&name) {
                Ok(portal) => portal.prepared.relay.is_some(),
                Err(_) => false,
            };
            if relayed && relay::close_portal(connection, &name)? {
                return Ok(());
            }
            connection.session.close_portal(&name);
            relay::settle_before(connection, None).await?;
        }
    }
    connection.channel.out.close_complete();
    Ok(())
}

async fn execute(
    connection: &mut Connection,
    name: &str,
    max_rows: i32,
    report: &mut Report,
) -> Result<(), Failure> {
    relay::settle_before(connection, None).await?;
    let guard = connection.guard();
    let Connection {
        channel, session, ..
    } = connection;
    // zero and less: all
    let most = match u64::try_from(max_rows) {
        Ok(0) | Err(_) => u64::MAX,
        Ok(most) => most,
    };
    let formats = session.portal(name)?.formats.clone();
    session.start_statement();
    let answer = guard.run(channel, session.execute(name, most)).await?;
    connection.send_notices();
    match answer {
        Answer::Relay(_) => {
            return Err(Error::internal("a relayed statement in the engine's portal").into());
        }
        Answer::Empty => connection.channel.out.empty_query(),
        Answer::Done(tag) => connection.channel.out.command_complete(&tag),
        Answer::Copy(running, options) => {
            copy::run(connection, &guard, running, &options, report).await?;
        }
        Answer::Rows(running) => {
            let formats = running.formats.clone().unwrap_or(formats);
            let tag = running.tag;
            let end = portal::send(connection, &guard, running, &formats, report).await?;
            match end.rest {
                Rest::Suspended if most != u64::MAX && tag != crate::session::Tag::Fetch => {
                    connection.channel.out.portal_suspended();
                }
                _ => connection.channel.out.command_complete(&tag.text(end.rows)),
            }
        }
    }
    Ok(())
}
