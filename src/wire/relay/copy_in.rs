//! COPY … FROM STDIN through the relay: the client's data goes to the source as
//! it comes, no faster than the source takes it. Section 55.2.6 "COPY Operations".

use std::time::Duration;

use crate::sources::postgres::relay::{Exchanged, Lease};
use crate::wire::channel::{Channel, Lost};
use crate::wire::guard::{Failure, Guard};
use crate::wire::portal::CHUNK;

/// Larger pieces than clients send.
const LARGEST_PIECE: usize = 64 << 20;

/// Returns when the client has sent everything, or the source said something:
/// what it says is for the caller.
pub async fn run(channel: &mut Channel, lease: &mut Lease, guard: &Guard) -> Result<(), Failure> {
    guard.flush(channel).await?;
    loop {
        let message = tokio::select! {
            biased;
            failure = guard.stopped(Duration::ZERO) => return Err(failure),
            message = channel.message(LARGEST_PIECE) => message,
            // before the end of the data a source speaks only to refuse it
            result = lease.fill() => return Ok(result?),
        };
        match message {
            Ok(message) => match message.kind {
                b'd' => lease.copy_data(&message.body),
                b'c' => {
                    lease.copy_done();
                    return Ok(());
                }
                b'X' => return Err(Failure::Closed),
                // ignored while data is expected
                b'H' | b'S' => {}
                b'f' => {
                    let why = String::from_utf8_lossy(&message.body);
                    lease.copy_fail(why.trim_end_matches('\0'));
                    return Ok(());
                }
                _ => {
                    lease.copy_fail("unexpected message type during COPY from stdin");
                    return Ok(());
                }
            },
            Err(Lost::Closed) => return Err(Failure::Closed),
            Err(Lost::Protocol(error)) => return Err(Failure::Fatal(error)),
        }
        while lease.out().len() >= CHUNK {
            let exchanged = tokio::select! {
                biased;
                failure = guard.stopped(Duration::ZERO) => return Err(failure),
                exchanged = lease.exchange() => exchanged?,
            };
            if exchanged == Exchanged::Received {
                return Ok(());
            }
        }
    }
}
