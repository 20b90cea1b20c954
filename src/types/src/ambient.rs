//! What a room may not fetch by itself: the time and chance.

use std::time::Duration;

/// Clocks and randomness, read in one place (`node`) and handed to the rooms that need them, so that a simulation can
/// seed them and a test can set them.
pub trait Ambient: Send + Sync + 'static {
    /// Nanoseconds on a clock that never goes back; its zero is arbitrary and differs between processes.
    fn monotonic_ns(&self) -> u64;

    /// Nanoseconds since 1970-01-01 UTC, as the host's clock has it.
    fn unix_ns(&self) -> u64;

    /// Fills `buffer` with bytes that nobody can predict (fit for a guest's `random_get`).
    fn fill_random(&self, buffer: &mut [u8]);
}

/// The moment on [`Ambient::monotonic_ns`] at which a call has to be over.
///
/// It has a meaning inside one process only; a socket carries [`Deadline::remaining`] instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// `budget` from `now_ns` on.
    pub fn after(now_ns: u64, budget: Duration) -> Self {
        let budget_ns = u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX);
        Self(now_ns.saturating_add(budget_ns))
    }

    /// The moment itself, in nanoseconds of the monotonic clock.
    pub fn as_ns(self) -> u64 {
        self.0
    }

    /// What is left at `now_ns`: zero once it has passed.
    pub fn remaining(self, now_ns: u64) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_leaves_nothing() {
        let deadline = Deadline::after(1_000, Duration::from_nanos(500));
        assert_eq!(deadline.remaining(1_200), Duration::from_nanos(300));
        assert_eq!(deadline.remaining(1_500), Duration::ZERO);
        assert_eq!(deadline.remaining(9_999), Duration::ZERO);
    }

    #[test]
    fn an_endless_budget_does_not_wrap() {
        assert_eq!(Deadline::after(5, Duration::MAX).as_ns(), u64::MAX);
    }
}
