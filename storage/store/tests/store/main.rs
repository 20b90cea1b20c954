//! The stores of this room, from outside: each passes the suite and keeps what it promises beyond it.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod history;
mod kill;
mod local;
mod memory;
mod placed;

use ganglion_types::{Ambient, ErrorKind, ObjectKey};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that goes on by a millisecond whenever it is asked.
#[derive(Default)]
struct TestClock(AtomicU64);

impl Ambient for TestClock {
    fn monotonic_ns(&self) -> u64 {
        self.0.fetch_add(1_000_000, Ordering::Relaxed)
    }

    fn unix_ns(&self) -> u64 {
        1_700_000_000_000_000_000 + self.monotonic_ns()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        fastrand::fill(buffer);
    }
}

fn clock() -> Arc<dyn Ambient> {
    Arc::new(TestClock::default())
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::new("books", key).unwrap()
}

#[track_caller]
fn kind<T: std::fmt::Debug>(outcome: ganglion_types::Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind()
}
