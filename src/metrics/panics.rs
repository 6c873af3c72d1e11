//! Panics that were contained: each is a defect, none may end the server.

use std::sync::atomic::{AtomicU64, Ordering};

static PANICS: AtomicU64 = AtomicU64::new(0);

pub fn count() {
    PANICS.fetch_add(1, Ordering::Relaxed);
}

pub fn total() -> u64 {
    PANICS.load(Ordering::Relaxed)
}
