//! Waiting, at a start, for what is not there yet.

use crate::health::Health;
use crate::process::Process;
use ganglion_types::{Ambient, Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Duration;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a start waits for others: `node.wait_for` from its first moment on.
#[derive(Clone)]
pub(crate) struct Patience {
    ambient: Arc<dyn Ambient>,
    health: Health,
    limit: Duration,
    until_ns: u64,
}

impl Patience {
    pub(crate) fn new(process: &Process, health: Health) -> Self {
        let (ambient, limit) = (process.ambient(), process.settings.node.wait_for);
        let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Self {
            until_ns: ambient.monotonic_ns().saturating_add(limit_ns),
            ambient,
            health,
            limit,
        }
    }

    /// Tries until it succeeds, or fails for a reason that does not pass by itself. Says what it waits for, once for each reason.
    ///
    /// # Errors
    /// The last one of `attempt`, whatever its kind once the time is over; before, all but `Unavailable` and `NotFound`.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut attempt: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        let mut told = None;
        loop {
            let error = match attempt().await {
                Err(error) if passes(&error) => error,
                ended => return ended,
            };
            if self.ambient.monotonic_ns() >= self.until_ns {
                return Err(self.given_up(error));
            }
            let why = error.to_string();
            self.health.waits_for(&format!("{what}: {why}"));
            if told.as_ref() != Some(&why) {
                tracing::info!(limit = ?self.limit, why, "waits for {what} (setting node.wait_for)");
                told = Some(why);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn given_up(&self, error: Error) -> Error {
        match self.limit.is_zero() {
            true => error,
            false => error.within(format!(
                "waited for {:?} (setting node.wait_for)",
                self.limit
            )),
        }
    }
}

fn passes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::NotFound)
}
