//! How a process is told to end.

use ganglion_types::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGTERM or SIGINT and says which it was.
///
/// # Errors
/// `Internal` when the signals cannot be watched.
pub async fn termination() -> Result<&'static str> {
    let watch = |kind: SignalKind| -> Result<Signal> {
        signal(kind).map_err(|error| Error::internal(format!("cannot watch signals: {error}")))
    };
    let (mut terminate, mut interrupt) = (
        watch(SignalKind::terminate())?,
        watch(SignalKind::interrupt())?,
    );
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        _ = interrupt.recv() => Ok("SIGINT"),
    }
}
