//! How long a source that could not be reached is left alone. Used by `pool`;
//! one for each login, because a login may fail where another succeeds.

use std::time::{Duration, Instant};

use crate::error::Error;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    /// When the last of them was counted.
    last: Option<Instant>,
    /// Until then nobody tries, and hears this instead.
    until: Option<(Instant, Error)>,
}

impl Backoff {
    /// Why a connection is not even tried now.
    pub fn refusal(&self, now: Instant) -> Option<Error> {
        let (until, error) = self.until.as_ref()?;
        (now < *until).then(|| error.duplicate())
    }

    /// The first failure in a row may be a restart: the next one may try at once.
    /// Attempts that were under way together count once.
    pub fn failed(&mut self, started: Instant, now: Instant, error: &Error) {
        if self.last.is_some_and(|last| started <= last) {
            return;
        }
        self.last = Some(now);
        let pause = match self.failures {
            0 => Duration::ZERO,
            n => FIRST.saturating_mul(1 << n.min(10)).min(LONGEST),
        };
        self.failures = self.failures.saturating_add(1);
        // Many servers that lost the same source do not come back to it at once.
        let pause = pause.mul_f64(rand::random_range(0.5..=1.0));
        self.until = Some((now + pause, error.duplicate()));
    }

    pub fn succeeded(&mut self) {
        *self = Backoff::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_end_with_success() {
        let error = Error::unreachable("shop", "it is down");
        let mut backoff = Backoff::default();
        let start = Instant::now();
        assert!(backoff.refusal(start).is_none());
        backoff.failed(start, start, &error);
        assert!(backoff.refusal(start).is_none());
        // begun before that was known
        backoff.failed(start, start, &error);
        assert!(backoff.refusal(start).is_none());
        let start = start + Duration::from_secs(1);
        backoff.failed(start, start, &error);
        let refusal = backoff
            .refusal(start + FIRST / 2)
            .expect("within the pause");
        assert_eq!(refusal.message(), error.message());
        for i in 1..100 {
            let now = start + Duration::from_millis(i);
            backoff.failed(now, now, &error);
        }
        let start = start + Duration::from_millis(100);
        assert!(backoff.refusal(start + LONGEST / 4).is_some());
        assert!(backoff.refusal(start + LONGEST).is_none());
        backoff.succeeded();
        assert!(backoff.refusal(start).is_none());
    }
}
