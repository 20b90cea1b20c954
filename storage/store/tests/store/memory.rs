//! [`MemoryStore`].

use crate::clock;
use ganglion_store::{MemoryStore, ObjectStore, suite};
use std::sync::Arc;

fn fresh() -> ((), Arc<dyn ObjectStore>) {
    ((), Arc::new(MemoryStore::new(None, clock(), u64::MAX)))
}

ganglion_store::suite_tests!(fresh);

#[tokio::test]
async fn one_store_keeps_every_promise_in_turn() {
    suite::run_all(fresh().1).await;
}

#[tokio::test]
async fn the_limit_is_in_the_error() {
    let store = Arc::new(MemoryStore::new(None, clock(), 10_000));
    suite::an_object_beyond_the_limit_is_refused(store, 10_000).await;
}
