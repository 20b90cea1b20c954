//! Waiting for a condition, with a bound.

use ganglion_types::{Error, Result};
use std::time::{Duration, Instant};

/// Asks `probe` until it gives something, pausing between tries, for at most `limit`.
///
/// # Errors
/// `Deadline`, naming `what`, when nothing came in time; what `probe` failed with.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let began = now();
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if began.elapsed() >= limit {
            return Err(Error::deadline(format!(
                "{what}: not within {} s",
                limit.as_secs()
            )));
        }
        std::thread::sleep(pause);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "bounds waits for programs of the real world, which no simulation could seed"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    #[test]
    fn what_never_comes_is_named_when_the_time_is_over() {
        let pause = Duration::from_millis(1);
        let error = until::<()>("osd.7 is up", Duration::ZERO, pause, || Ok(None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadline);
        assert!(error.message().contains("osd.7 is up"));
        let mut tries = 0;
        let third = until("third try", Duration::from_secs(9), pause, || {
            tries += 1;
            Ok((tries == 3).then_some(tries))
        });
        assert_eq!(third.unwrap(), 3);
    }
}
