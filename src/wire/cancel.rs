//! Cancel keys: which running statement a CancelRequest means. One registry a
//! server; connections register at login and say when a statement runs.
//! Section 55.2.7 "Canceling Requests in Progress".

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngCore;
use tokio_util::sync::CancellationToken;

/// Bytes of a key by protocol: 3.0 knows four.
pub const SHORT_KEY: usize = 4;
pub const LONG_KEY: usize = 32;

#[derive(Debug, Default)]
pub struct CancelRegistry {
    sessions: Mutex<HashMap<i32, Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    key: Vec<u8>,
    running: Mutex<Option<CancellationToken>>,
}

/// A connection's place in the registry; left when dropped.
#[derive(Debug)]
pub struct CancelHandle {
    registry: Arc<CancelRegistry>,
    slot: Arc<Slot>,
    pub pid: i32,
}

impl CancelRegistry {
    /// A random pid that is not in use, with a random key of `length` bytes.
    pub fn register(self: &Arc<Self>, length: usize) -> CancelHandle {
        let mut random = rand::rng();
        let mut key = vec![0; length];
        random.fill_bytes(&mut key);
        let slot = Arc::new(Slot {
            key,
            running: Mutex::new(None),
        });
        let mut sessions = lock(&self.sessions);
        let pid = loop {
            // positive, and as short as a real process id
            let pid = i32::try_from(random.next_u32() % 4_194_304)
                .unwrap_or(1)
                .max(1);
            if !sessions.contains_key(&pid) {
                break pid;
            }
        };
        sessions.insert(pid, slot.clone());
        CancelHandle {
            registry: self.clone(),
            slot,
            pid,
        }
    }

    /// Ends what `pid` runs, if the key is right; nobody is told which.
    pub fn cancel(&self, pid: i32, key: &[u8]) {
        let Some(slot) = lock(&self.sessions).get(&pid).cloned() else {
            return;
        };
        if constant_time_equal(&slot.key, key)
            && let Some(running) = lock(&slot.running).as_ref()
        {
            running.cancel();
        }
    }
}

impl CancelHandle {
    pub fn key(&self) -> &[u8] {
        &self.slot.key
    }

    /// A statement starts: cancel requests mean it from now on.
    pub fn start(&self) -> CancellationToken {
        lock(&self.slot.running)
            .get_or_insert_with(CancellationToken::new)
            .clone()
    }

    /// The statement ended: cancel requests mean nothing.
    pub fn finish(&self) {
        *lock(&self.slot.running) = None;
    }
}

impl Drop for CancelHandle {
    fn drop(&mut self) {
        lock(&self.registry.sessions).remove(&self.pid);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // nothing under these locks can panic half-way
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the same time wherever the first difference is.
pub fn constant_time_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && std::hint::black_box(
            a.iter()
                .zip(b)
                .fold(0u8, |difference, (a, b)| difference | (a ^ b)),
        ) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_cancels_and_only_what_runs() {
        let registry = Arc::new(CancelRegistry::default());
        let handle = registry.register(LONG_KEY);
        registry.cancel(handle.pid, handle.key());
        let token = handle.start();
        assert!(!token.is_cancelled(), "an idle cancel is harmless");
        registry.cancel(handle.pid, &[0; LONG_KEY]);
        registry.cancel(handle.pid, &handle.key()[..4]);
        registry.cancel(handle.pid, &[]);
        registry.cancel(handle.pid.wrapping_add(1), handle.key());
        assert!(!token.is_cancelled());
        registry.cancel(handle.pid, handle.key());
        assert!(token.is_cancelled());
        let pid = handle.pid;
        drop(handle);
        assert!(!lock(&registry.sessions).contains_key(&pid));
    }
}
