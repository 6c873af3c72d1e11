//! A relayed statement of a Query message: its text goes to the source in one
//! Query, behind the beginning of the transaction where one is open.

use std::sync::Arc;

use futures::FutureExt;

use super::pump;
use super::replies::{BOUND, EXECUTED, PARSED};
use crate::error::Error;
use crate::plan::Route;
use crate::session::Prepared;
use crate::sources::postgres::relay::Ensured;
use crate::wire::connection::Connection;
use crate::wire::guard::{Failure, Guard};
use crate::wire::portal::Report;

/// No parameter formats, no parameters, no result formats.
const TEXT_ROWS: [u8; 6] = [0; 6];

pub async fn run(
    connection: &mut Connection,
    guard: &Guard,
    prepared: &Arc<Prepared>,
    report: &mut Report,
) -> Result<(), Failure> {
    let Some(relay) = &prepared.relay else {
        return Err(Error::internal("a relayed statement without its text").into());
    };
    let relayed = &relay.relayed;
    report.route = Some(Route::Relay);
    let Connection {
        channel, session, ..
    } = connection;
    match session.attach(relayed).now_or_never() {
        Some(attached) => attached?,
        None => guard.run(channel, session.attach(relayed)).await?,
    }
    if guard
        .run(channel, session.prepare_what_runs(relayed))
        .await?
        == Ensured::Sent
    {
        connection.relay.replies.push_ready(Some(relayed));
    }
    let Some(attached) = connection.session.attached(&relayed.source) else {
        return Err(Error::internal("a source that was not attached").into());
    };
    let lease = attached.lease()?;
    let replies = &mut connection.relay.replies;
    match relayed.single {
        false => lease.query(relayed.text.text()),
        true => {
            // Parse takes one statement, and no other reading of the text makes it two
            lease.parse("", relayed.text.text(), &[]);
            lease.bind("", "", &TEXT_ROWS);
            lease.describe_portal("");
            lease.execute("", 0);
            lease.sync();
            replies.push_unseen(PARSED, relayed);
            replies.push_unseen(BOUND, relayed);
            replies.push_described(relayed);
            replies.push(EXECUTED, relayed);
        }
    }
    replies.push_ready(Some(relayed));
    connection.relay.source = Some(relayed.source.clone());
    let result = pump::settle(connection, guard, report).await;
    if result.is_ok() {
        connection.session.relayed(prepared);
    }
    result
}
