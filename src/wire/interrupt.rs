//! What ends a connection's statement, or the connection, from elsewhere: a
//! cancel request, the server's end. Made by `cancel` for every connection,
//! waited for in `guard`.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

/// Bits of the state.
const RUNNING: u8 = 1;
const CANCELED: u8 = 2;
const DRAINING: u8 = 4;
const ENDED: u8 = 8;

/// How far the server's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Closing {
    #[default]
    No,
    /// Idle sessions end; running statements go on.
    Drain,
    /// Everything ends.
    Now,
}

impl Closing {
    fn bits(self) -> u8 {
        match self {
            Closing::No => 0,
            Closing::Drain => DRAINING,
            Closing::Now => DRAINING | ENDED,
        }
    }
}

/// Of one connection, which is the only one to wait for it.
#[derive(Debug, Default)]
pub struct Interrupt {
    state: AtomicU8,
    waiting: AtomicWaker,
}

/// Why a statement must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Canceled,
    ServerEnds,
}

impl Interrupt {
    /// A statement starts: cancel requests mean it from now on.
    pub fn start(&self) {
        self.state.fetch_or(RUNNING, Ordering::AcqRel);
    }

    /// The statement ended: cancel requests mean nothing.
    pub fn finish(&self) {
        self.state
            .fetch_and(!(RUNNING | CANCELED), Ordering::AcqRel);
    }

    /// A cancel request for what runs now, if anything does.
    pub fn cancel(&self) {
        let running = |state: u8| (state & RUNNING != 0).then_some(state | CANCELED);
        let set = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, running);
        if set.is_ok() {
            self.waiting.wake();
        }
    }

    pub fn close(&self, how: Closing) {
        self.state.fetch_or(how.bits(), Ordering::AcqRel);
        self.waiting.wake();
    }

    /// Must what runs end?
    pub fn cause(&self) -> Option<Cause> {
        let state = self.state.load(Ordering::Acquire);
        if state & CANCELED != 0 {
            Some(Cause::Canceled)
        } else if state & ENDED != 0 {
            Some(Cause::ServerEnds)
        } else {
            None
        }
    }

    pub fn poll_cause(&self, cx: &mut Context<'_>) -> Poll<Cause> {
        self.waiting.register(cx.waker());
        match self.cause() {
            Some(cause) => Poll::Ready(cause),
            None => Poll::Pending,
        }
    }

    /// Ready when an idle session must end.
    pub fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.register(cx.waker());
        match self.state.load(Ordering::Acquire) & DRAINING {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Ready when nothing may go on.
    pub fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.register(cx.waker());
        match self.state.load(Ordering::Acquire) & ENDED {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_cancel_means_what_runs_and_nothing_after_it() {
        let interrupt = Interrupt::default();
        interrupt.cancel();
        assert_eq!(interrupt.cause(), None, "an idle cancel is harmless");
        interrupt.start();
        interrupt.cancel();
        assert_eq!(interrupt.cause(), Some(Cause::Canceled));
        interrupt.finish();
        interrupt.start();
        assert_eq!(interrupt.cause(), None);
        interrupt.close(Closing::Drain);
        assert_eq!(interrupt.cause(), None, "what runs may finish");
        interrupt.close(Closing::Now);
        assert_eq!(interrupt.cause(), Some(Cause::ServerEnds));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let interrupt = Arc::new(Interrupt::default());
        interrupt.start();
        let waiting = tokio::spawn({
            let interrupt = interrupt.clone();
            async move { poll_fn(|cx| interrupt.poll_cause(cx)).await }
        });
        tokio::task::yield_now().await;
        interrupt.cancel();
        assert_eq!(waiting.await.expect("no panic"), Cause::Canceled);
        let waiting = tokio::spawn({
            let interrupt = interrupt.clone();
            async move { poll_fn(|cx| interrupt.poll_drain(cx)).await }
        });
        tokio::task::yield_now().await;
        interrupt.close(Closing::Drain);
        waiting.await.expect("no panic");
    }
}
