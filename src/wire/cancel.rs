//! Cancel keys: which connection's statement a CancelRequest means. One registry
//! a server, in which connections are from their login on.
//! Section 55.2.7 "Canceling Requests in Progress".

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::RngCore;

use super::interrupt::{Closing, Interrupt};

/// Bytes of a key by protocol: 3.0 knows four.
pub const SHORT_KEY: usize = 4;
pub const LONG_KEY: usize = 32;

#[derive(Debug, Default)]
pub struct CancelRegistry {
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    by_pid: HashMap<i32, Arc<Slot>>,
    closing: Closing,
}

#[derive(Debug)]
struct Slot {
    key: Vec<u8>,
    interrupt: Arc<Interrupt>,
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
            interrupt: Arc::default(),
        });
        let mut sessions = lock(&self.sessions);
        slot.interrupt.close(sessions.closing);
        let pid = loop {
            // positive, and as short as a real process id
            let pid = i32::try_from(random.next_u32() % 4_194_304)
                .unwrap_or(1)
                .max(1);
            if !sessions.by_pid.contains_key(&pid) {
                break pid;
            }
        };
        sessions.by_pid.insert(pid, slot.clone());
        CancelHandle {
            registry: self.clone(),
            slot,
            pid,
        }
    }

    /// Ends what `pid` runs, if the key is right; nobody is told which.
    pub fn cancel(&self, pid: i32, key: &[u8]) {
        let Some(slot) = lock(&self.sessions).by_pid.get(&pid).cloned() else {
            return;
        };
        if constant_time_equal(&slot.key, key) {
            slot.interrupt.cancel();
        }
    }

    /// Tells every connection, and those to come.
    pub fn close(&self, how: Closing) {
        let mut sessions = lock(&self.sessions);
        sessions.closing = how;
        for slot in sessions.by_pid.values() {
            slot.interrupt.close(how);
        }
    }
}

impl CancelHandle {
    pub fn key(&self) -> &[u8] {
        &self.slot.key
    }

    pub fn interrupt(&self) -> &Arc<Interrupt> {
        &self.slot.interrupt
    }
}

impl Drop for CancelHandle {
    fn drop(&mut self) {
        lock(&self.registry.sessions).by_pid.remove(&self.pid);
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
    use crate::wire::interrupt::Cause;

    #[test]
    fn only_the_right_key_cancels_and_only_what_runs() {
        let registry = Arc::new(CancelRegistry::default());
        let handle = registry.register(LONG_KEY);
        let canceled = || handle.interrupt().cause() == Some(Cause::Canceled);
        handle.interrupt().start();
        registry.cancel(handle.pid, &[0; LONG_KEY]);
        registry.cancel(handle.pid, &handle.key()[..4]);
        registry.cancel(handle.pid, &[]);
        registry.cancel(handle.pid.wrapping_add(1), handle.key());
        assert!(!canceled());
        registry.cancel(handle.pid, handle.key());
        assert!(canceled());
        let pid = handle.pid;
        drop(handle);
        assert!(!lock(&registry.sessions).by_pid.contains_key(&pid));
    }

    #[test]
    fn the_end_reaches_connections_of_now_and_of_later() {
        let registry = Arc::new(CancelRegistry::default());
        let early = registry.register(SHORT_KEY);
        registry.close(Closing::Now);
        let late = registry.register(SHORT_KEY);
        for handle in [early, late] {
            assert_eq!(handle.interrupt().cause(), Some(Cause::ServerEnds));
        }
    }
}
