//! Work that may wait, away from the runtime's own threads.

use ganglion_types::{Error, Result};

/// Runs `work` on a thread that may wait.
///
/// # Errors
/// As `work`; `Unavailable` when the runtime shuts down before it began.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::unavailable(
                "the runtime is shutting down, so nothing was read or written",
            )),
        },
    }
}
