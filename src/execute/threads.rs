//! The threads that plan and run queries. They are not those that move bytes
//! between sockets: a query that computes for long holds up neither relayed
//! statements nor cancel requests.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};
use crate::plan::depth::DEEP_STACK;

/// Expressions nest, and parsers and planners recurse over them: room for what is
/// measured, and for what is not. Mapped, and touched as far as it is used.
pub const STACK: usize = DEEP_STACK + (16 << 20);

#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    pub fn start() -> Result<Arc<Threads>> {
        let runtime = Builder::new_multi_thread()
            .thread_name("engine")
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .map_err(|error| Error::internal(format!("no threads: {error}")))?;
        Ok(Arc::new(Threads(Some(runtime))))
    }

    /// Runs `work` there; dropped with the returned future. `None`: it panicked,
    /// or the threads end.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let running = self.0.as_ref()?.spawn(work);
        AbortOnDropHandle::new(running).await.ok()
    }

    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(work);
        }
    }
}

impl Drop for Threads {
    /// Without waiting: this may be a thread that must not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
