//! Work that may wait, away from the runtime's own threads.

use ganglion_types::{Error, Result};

/// Runs `work` on a thread that may wait. Where it is asked for outside of the runtime's tasks, one of the runtime's threads does the
/// asking: a thread that has to be started for it inherits the asker's weight, and a guest's may have been lowered.
///
/// # Errors
/// As `work`; `Unavailable` when the runtime shuts down before it began.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = match tokio::task::try_id() {
        Some(_) => tokio::task::spawn_blocking(work).await,
        None => {
            let asked = tokio::spawn(async move { tokio::task::spawn_blocking(work).await });
            asked.await.and_then(|done| done)
        }
    };
    match done {
        Ok(outcome) => outcome,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::unavailable(
                "the runtime is shutting down, so nothing was read or written",
            )),
        },
    }
}
