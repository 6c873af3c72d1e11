//! Parse, Bind, Describe, Execute and Close of relayed statements. Messages are
//! passed on as they come and answered when the client waits for it: a batch up
//! to Sync is one write to the source and one to the client.

use std::sync::Arc;

use futures::FutureExt;

use super::pump;
use super::replies::{BOUND, CLOSED, DESCRIBED, EXECUTED, PARSED, Replies};
use crate::error::{Error, Result};
use crate::names::SourceName;
use crate::plan::Route;
use crate::session::{Attached, Batch, Prepared, RelayPrepared, Relayed, Status};
use crate::sources::postgres::relay::Statement;
use crate::wire::connection::Connection;
use crate::wire::frontend::{Bind, Target};
use crate::wire::guard::Failure;
use crate::wire::portal::Report;

/// The statement is read by the source now, so that its errors come now.
pub async fn parse(
    connection: &mut Connection,
    name: &str,
    prepared: &Arc<Prepared>,
) -> Result<(), Failure> {
    let relay = relay_of(prepared)?;
    attach(connection, &relay.relayed).await?;
    if name.is_empty() {
        let (attached, _) = parts(connection, &relay.relayed)?;
        attached.unnamed = Some(relay.relayed.clone());
        let text = relay.relayed.text.text();
        attached.lease()?.parse_unnamed(text, &relay.oids);
    } else {
        let statement = statement(connection, relay).await?;
        let (attached, _) = parts(connection, &relay.relayed)?;
        attached.lease()?.prepare(&statement);
    }
    let (_, replies) = parts(connection, &relay.relayed)?;
    replies.push(PARSED, &relay.relayed);
    Ok(())
}

/// The message goes on with the statement's name at the source, its values unread.
pub async fn bind(
    connection: &mut Connection,
    prepared: &Arc<Prepared>,
    bind: &Bind,
) -> Result<(), Failure> {
    let relay = relay_of(prepared)?;
    bind.check_text()?;
    attach(connection, &relay.relayed).await?;
    let name = ready(connection, relay, &bind.statement).await?;
    let (attached, replies) = parts(connection, &relay.relayed)?;
    attached.lease()?.bind(&bind.portal, &name, &bind.rest);
    replies.push(BOUND, &relay.relayed);
    connection
        .session
        .bind(&bind.portal, prepared.clone(), Vec::new(), Vec::new())?;
    Ok(())
}

pub async fn describe(
    connection: &mut Connection,
    prepared: &Arc<Prepared>,
    target: &Target,
) -> Result<(), Failure> {
    let relay = relay_of(prepared)?;
    attach(connection, &relay.relayed).await?;
    match target {
        Target::Statement(name) => {
            let name = ready(connection, relay, name).await?;
            let (attached, replies) = parts(connection, &relay.relayed)?;
            attached.lease()?.describe_statement(&name);
            replies.push(DESCRIBED, &relay.relayed);
        }
        Target::Portal(name) => {
            let (attached, replies) = parts(connection, &relay.relayed)?;
            attached.lease()?.describe_portal(name);
            replies.push(DESCRIBED, &relay.relayed);
        }
    }
    Ok(())
}

pub fn execute(
    connection: &mut Connection,
    prepared: &Arc<Prepared>,
    portal: &str,
    max_rows: i32,
) -> Result<(), Failure> {
    let relay = relay_of(prepared)?;
    connection.relay.executed.push(prepared.clone());
    let (attached, replies) = parts(connection, &relay.relayed)?;
    // zero and less: all
    let most = u32::try_from(max_rows).unwrap_or(0);
    attached.lease()?.execute(portal, most);
    replies.push(EXECUTED, &relay.relayed);
    Ok(())
}

/// False if no source has the portal.
pub fn close_portal(connection: &mut Connection, portal: &str) -> Result<bool, Failure> {
    let prepared = connection.session.portal(portal)?.prepared.clone();
    let relay = relay_of(&prepared)?;
    connection.session.close_portal(portal);
    if connection.session.attached(&relay.relayed.source).is_none() {
        return Ok(false);
    }
    let (attached, replies) = parts(connection, &relay.relayed)?;
    attached.lease()?.close_portal(portal);
    replies.push(CLOSED, &relay.relayed);
    Ok(true)
}

/// A portal that nobody opens: running it fails, and with it the transaction.
const NO_PORTAL: &str = "narrows: the statements before this one are undone";

/// The end of a batch: every source that had a part in it says how it ended.
pub async fn sync(connection: &mut Connection) -> Result<(), Failure> {
    // a batch that failed here must not last there
    let undo = connection.skipping && connection.session.status() == Status::Idle;
    let mut result = Ok(());
    for source in connection.session.unsynced() {
        settle_before(connection, Some(&source)).await?;
        let guard = connection.guard();
        let mut report = Report::new(&connection.session);
        report.route = Some(Route::Relay);
        let Some(attached) = connection.session.attached(&source) else {
            continue;
        };
        attached.batch = Batch::Ended;
        if undo {
            attached.lease()?.execute(NO_PORTAL, 0);
            connection.relay.replies.push_hidden(EXECUTED);
        }
        attached.lease()?.sync();
        connection.relay.replies.push_ready(None);
        connection.relay.source = Some(source);
        let settled = pump::settle(connection, &guard, &mut report).await;
        report.log(&settled);
        if settled.is_err() {
            result = settled;
        }
    }
    let executed = std::mem::take(&mut connection.relay.executed);
    if result.is_ok() && !undo {
        for prepared in executed {
            connection.session.relayed(&prepared);
        }
    }
    result
}

/// Everything that is on its way from another source arrives first: answers keep
/// the order of their messages.
pub async fn settle_before(
    connection: &mut Connection,
    next: Option<&SourceName>,
) -> Result<(), Failure> {
    let Some(source) = &connection.relay.source else {
        return Ok(());
    };
    if Some(source) == next || connection.relay.replies.is_empty() {
        return Ok(());
    }
    if let Some(attached) = connection.session.attached(source) {
        attached.lease()?.flush_message();
    }
    let guard = connection.guard();
    let mut report = Report::new(&connection.session);
    pump::settle(connection, &guard, &mut report).await
}

async fn attach(connection: &mut Connection, relayed: &Arc<Relayed>) -> Result<(), Failure> {
    settle_before(connection, Some(&relayed.source)).await?;
    let guard = connection.guard();
    let Connection {
        channel, session, ..
    } = connection;
    match session.attach(relayed).now_or_never() {
        Some(attached) => Ok(attached?),
        None => guard.run(channel, session.attach(relayed)).await,
    }
}

/// The statement is known to the connection that it is used on now; its name there.
async fn ready(
    connection: &mut Connection,
    relay: &RelayPrepared,
    name: &str,
) -> Result<Arc<str>, Failure> {
    if !name.is_empty() {
        let statement = statement(connection, relay).await?;
        let (attached, _) = parts(connection, &relay.relayed)?;
        attached.lease()?.ensure(&statement);
        return Ok(statement.name().into());
    }
    let (attached, replies) = parts(connection, &relay.relayed)?;
    let there = attached.unnamed.as_ref();
    if !there.is_some_and(|there| Arc::ptr_eq(there, &relay.relayed)) {
        attached.unnamed = Some(relay.relayed.clone());
        let text = relay.relayed.text.text();
        attached.lease()?.parse_unnamed(text, &relay.oids);
        replies.push_hidden(PARSED);
    }
    Ok("".into())
}

/// The statement as the source's connection may be asked for it. Where it was
/// described on another one, this one tells first whether it is still the same:
/// nothing of a changed one is run.
async fn statement(
    connection: &mut Connection,
    relay: &RelayPrepared,
) -> Result<Arc<Statement>, Failure> {
    if let Some(statement) = connection.session.statement(relay)? {
        return Ok(statement);
    }
    settle_before(connection, None).await?;
    parts(connection, &relay.relayed)?;
    let guard = connection.guard();
    let Connection {
        channel, session, ..
    } = connection;
    guard.run(channel, Box::pin(session.learn(relay))).await
}

fn relay_of(prepared: &Prepared) -> Result<&RelayPrepared> {
    prepared
        .relay
        .as_ref()
        .ok_or_else(|| Error::internal("a relayed statement without its text"))
}

fn parts<'a>(
    connection: &'a mut Connection,
    relayed: &Relayed,
) -> Result<(&'a mut Attached, &'a mut Replies)> {
    let Connection { session, relay, .. } = connection;
    let attached = session
        .attached(&relayed.source)
        .ok_or_else(|| Error::internal("a portal of a source that is not attached"))?;
    attached.batch = Batch::Open;
    if relay.source.as_ref() != Some(&relayed.source) {
        relay.source = Some(relayed.source.clone());
    }
    Ok((attached, &mut relay.replies))
}
