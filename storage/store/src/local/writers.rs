//! One writer of a key at a time, and no lock over all of them.

use ganglion_types::ObjectKey;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Keys share this many locks. Two keys that share one take turns, as if they were one; with 16 writes under way at once
/// that meets one in seventy.
const LOCKS: u64 = 1024;

/// The writers' locks, each fair: first come, first served.
#[derive(Debug)]
pub(super) struct Writers {
    locks: Vec<Arc<Mutex<()>>>,
}

impl Writers {
    pub(super) fn new() -> Self {
        Self {
            locks: (0..LOCKS).map(|_| Arc::default()).collect(),
        }
    }

    /// Waits until nobody writes the key, and keeps it so.
    pub(super) async fn lock(&self, key: &ObjectKey) -> OwnedMutexGuard<()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lock = usize::try_from(hasher.finish() % LOCKS).expect("there are few locks");
        self.locks[lock].clone().lock_owned().await
    }
}
