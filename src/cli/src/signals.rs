//! Ctrl-C and SIGTERM, for commands that only wait for a gateway.

use crate::failure::{Failure, Outcome};
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// Does the work, unless a signal comes before its end. Dropping what was stopped removes its unfinished file.
///
/// # Errors
/// Those of the work; `Failure::interrupted` after a signal.
pub(crate) async fn unless_stopped<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let told = |error| Failure::local("waiting for signals", &error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(told)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(told)?;
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err(Failure::interrupted()),
        _ = terminate.recv() => Err(Failure::interrupted()),
    }
}
