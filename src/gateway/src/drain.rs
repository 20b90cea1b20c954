//! The end of a gateway's life.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this node is being shut down. Once begun it is not taken back: new calls are refused with `Unavailable`,
/// running ones finish.
#[derive(Debug, Default)]
pub struct Drain(AtomicBool);

impl Drain {
    /// Refuses calls from now on. Reads of objects and of health go on until the sockets close.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it has begun.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
