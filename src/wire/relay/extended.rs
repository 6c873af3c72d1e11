//! Parse, Bind, Describe, Execute and Close of relayed statements. Messages are
//! passed on as they come and answered when the client waits for it: a batch up
//! to Sync is one write to the source and one to the client.

use std::sync::Arc;

use super::pump;
use super::replies::{BOUND, CLOSED, DESCRIBED, EXECUTED, Fate, PARSED, Replies, Reply};
use crate::error::{Error, Result};
use crate::plan::Route;
use crate::session::{Attached, Prepared, RelayPrepared, Relayed};
use crate::sources::postgres::relay::Ensured;
use crate::wire::backend;
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
    let RelayPrepared { relayed, text } = relay_of(prepared)?;
    let fresh = name.is_empty();
    attach(connection, relayed).await?;
    let (attached, replies) = parts(connection, relayed)?;
    let reply = match attached.lease.ensure(text, fresh) {
        Ensured::Known => Reply::Ours(backend::PARSE_COMPLETE.to_vec()),
        Ensured::Sent => forward(PARSED, relayed),
    };
    replies.push(reply);
    Ok(())
}

/// The message goes on with the statement's name at the source, its values unread.
pub async fn bind(
    connection: &mut Connection,
    prepared: &Arc<Prepared>,
    bind: &Bind,
) -> Result<(), Failure> {
    let RelayPrepared { relayed, text } = relay_of(prepared)?;
    attach(connection, relayed).await?;
    let unnamed = bind.statement.is_empty();
    ready(connection, prepared, unnamed)?;
    let (attached, replies) = parts(connection, relayed)?;
    attached
        .lease
        .bind(&bind.portal, text.name_if(!unnamed), &bind.rest);
    replies.push(forward(BOUND, relayed));
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
    let RelayPrepared { relayed, text } = relay_of(prepared)?;
    attach(connection, relayed).await?;
    let (kind, name) = match target {
        Target::Statement(name) => {
            ready(connection, prepared, name.is_empty())?;
            (b'S', text.name_if(!name.is_empty()))
        }
        Target::Portal(name) => (b'P', name.as_str()),
    };
    let (attached, replies) = parts(connection, relayed)?;
    attached.lease.describe(kind, name);
    replies.push(forward(DESCRIBED, relayed));
    Ok(())
}

pub fn execute(
    connection: &mut Connection,
    prepared: &Arc<Prepared>,
    portal: &str,
    max_rows: i32,
) -> Result<(), Failure> {
    let RelayPrepared { relayed, .. } = relay_of(prepared)?;
    connection.relay.executed.push(relayed.clone());
    let (attached, replies) = parts(connection, relayed)?;
    attached.lease.execute_portal(portal, max_rows);
    replies.push(forward(EXECUTED, relayed));
    Ok(())
}

/// False if no source has the portal.
pub fn close_portal(connection: &mut Connection, portal: &str) -> Result<bool, Failure> {
    let prepared = connection.session.portal(portal)?.prepared.clone();
    let RelayPrepared { relayed, .. } = relay_of(&prepared)?;
    connection.session.close_portal(portal);
    if connection.session.attached(&relayed.source).is_none() {
        return Ok(false);
    }
    let (attached, replies) = parts(connection, relayed)?;
    attached.lease.close(b'P', portal);
    replies.push(forward(CLOSED, relayed));
    Ok(true)
}

/// The end of a batch: every source that had a part in it says how it ended.
pub async fn sync(connection: &mut Connection) -> Result<(), Failure> {
    let undo = connection.skipping && connection.session.in_implicit();
    for source in connection.session.unsynced() {
        let guard = connection.guard();
        let mut report = Report::new(&connection.session);
        settle_before(connection, Some(&source)).await?;
        let Some(attached) = connection.session.attached(&source) else {
            continue;
        };
        if undo && !attached.lease.is_refused() {
            // the batch failed here, not there: what it did there must not last
            attached.lease.execute_portal(NO_PORTAL, 0);
        }
        attached.lease.sync();
        connection.relay.source = Some(source);
        connection.relay.replies.push(Reply::Ready);
        if undo {
            connection.relay.replies.silence();
        }
        report.route = Some(Route::Relay);
        let result = pump::settle(connection, &guard, &mut report).await;
        report.log(&result);
        match result {
            Err(Failure::Told(_)) if undo => {}
            other => other?,
        }
    }
    for relayed in std::mem::take(&mut connection.relay.executed) {
        connection.session.relayed(&relayed);
    }
    connection.session.settle();
    Ok(())
}

/// A portal that nobody opens: running it fails, and with it the transaction.
const NO_PORTAL: &str = "narrows: the statements before this one are undone";

/// Everything that is on its way from another source arrives first: answers keep
/// the order of their messages.
pub async fn settle_before(
    connection: &mut Connection,
    next: Option<&crate::names::SourceName>,
) -> Result<(), Failure> {
    if connection.relay.source.is_none() || connection.relay.source.as_ref() == next {
        return Ok(());
    }
    if let Some(source) = connection.relay.source.clone()
        && let Some(attached) = connection.session.attached(&source)
    {
        attached.lease.flush_request();
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
    guard.run(channel, session.attach(relayed)).await?;
    connection.relay.source = Some(relayed.source.clone());
    Ok(())
}

/// The statement is known to the connection that it is used on now.
fn ready(connection: &mut Connection, prepared: &Arc<Prepared>, unnamed: bool) -> Result<()> {
    let RelayPrepared { relayed, text } = relay_of(prepared)?;
    let (attached, replies) = parts(connection, relayed)?;
    if attached.lease.ensure(text, unnamed) == Ensured::Sent {
        replies.push(Reply::Frames {
            ends: PARSED,
            fate: Fate::Swallow,
            about: relayed.clone(),
        });
    }
    Ok(())
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
    relay.source = Some(relayed.source.clone());
    Ok((attached, &mut relay.replies))
}

fn forward(ends: &'static [u8], relayed: &Arc<Relayed>) -> Reply {
    Reply::Frames {
        ends,
        fate: Fate::Forward,
        about: relayed.clone(),
    }
}
