//! Cancelling what a connection runs: a second connection that says which process
//! to interrupt (section 55.2.8 "Canceling Requests in Progress").

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::super::error::io_reason;
use super::super::reach::Origin;
use super::frontend::cancel_request;
use crate::error::{Error, Result};

/// For the whole of it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Before a request that had no effect is repeated; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// May outlive its connection; a source ignores what names no live process.
#[derive(Clone)]
pub struct Canceller {
    origin: Arc<Origin>,
    key: Option<(u32, u32)>,
}

impl Canceller {
    pub(super) fn new(origin: Arc<Origin>, key: Option<(u32, u32)>) -> Self {
        Canceller { origin, key }
    }

    /// Ends when the source has passed the request on, so that what the
    /// connection runs next is not hit. Bounded. 08001 if the source cannot be
    /// reached for it.
    pub async fn cancel(&self) -> Result<()> {
        let Some(key) = self.key else {
            return Ok(());
        };
        let unreachable = |why: String| Error::unreachable(&self.origin.source, why);
        match timeout(PATIENCE, self.request(key)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(unreachable(io_reason(&error)).with_cause(error)),
            Err(_) => Err(unreachable("it did not answer in time".into())),
        }
    }

    /// Cancels until `running` has ended, which reads the connection's answers: a
    /// request that arrives before the source began has no effect. A request under
    /// way is seen through first, so that what runs next is not hit.
    pub async fn cancel_until<F: Future>(&self, running: F) -> F::Output {
        let mut running = pin!(running);
        let mut pause = FIRST_PAUSE;
        loop {
            let mut request = pin!(self.cancel());
            match select(request.as_mut(), running.as_mut()).await {
                Either::Left((requested, _)) => {
                    if let Err(error) = requested {
                        tracing::debug!(error = %error.log_text(), "a cancel request was not delivered");
                    }
                }
                Either::Right((output, _)) => {
                    let _ = request.await;
                    return output;
                }
            }
            if let Ok(output) = timeout(pause, running.as_mut()).await {
                return output;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn request(&self, (process, secret): (u32, u32)) -> std::io::Result<()> {
        let mut socket = self.origin.reopen().await?;
        socket.write_all(&cancel_request(process, secret)).await?;
        socket.flush().await?;
        // It closes the connection after it sent the signal, and says nothing.
        let mut nothing = [0; 64];
        while matches!(socket.read(&mut nothing).await, Ok(1..)) {}
        Ok(())
    }
}

impl std::fmt::Debug for Canceller {
    /// Without the key: it allows to cancel.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canceller")
            .field("source", &self.origin.source)
            .finish_non_exhaustive()
    }
}
