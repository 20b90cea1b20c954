//! The host's clocks and randomness: the one place where they are read.

use ganglion_types::Ambient;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The real thing.
#[derive(Debug)]
pub struct HostAmbient {
    began: Instant,
}

impl HostAmbient {
    /// Its monotonic clock begins at 1 s, so that 0 can mean "never".
    #[allow(
        clippy::new_without_default,
        reason = "reading a clock is not a default"
    )]
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the room where clocks are read"
    )]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
        }
    }
}

impl Ambient for HostAmbient {
    fn monotonic_ns(&self) -> u64 {
        1_000_000_000 + u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "this is the room where clocks are read"
    )]
    fn unix_ns(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the kernel has randomness once it has booted");
    }
}
