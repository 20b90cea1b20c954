//! The conformance suite: every promise of [`ObjectStore`], each as one function that panics where a
//! store breaks it.
//!
//! A promise takes a store and works in a bucket of its own name, so that one store serves them all ([`run_all`]); buckets
//! of those names must be empty. [`suite_tests!`](crate::suite_tests) makes a `#[tokio::test]` of each, every one with a
//! fresh store.
//!
//! What a suite cannot see from outside is left to each store's own tests: durability, and the largest object
//! ([`an_object_beyond_the_limit_is_refused`] is to be called with it).

mod appends;
mod conditions;
mod lent;
mod listing;
mod objects;
mod races;
mod uploads;
mod views;

pub use uploads::an_object_beyond_the_limit_is_refused;

use crate::{
    ByteRange, CommitId, Condition, ListPage, ObjectMeta, ObjectRead, ObjectStore, PutOptions,
};
use bytes::Bytes;
use ganglion_types::{Bucket, CallId, ErrorKind, Key, ObjectKey, Result};
use std::fmt::Debug;
use std::sync::Arc;

/// The one list of promises, from which `run_all` and `suite_tests!` are made.
macro_rules! promises {
    ($dollar:tt $($module:ident: $($promise:ident)*;)*) => {
        $($(pub use $module::$promise;)*)*

        /// Checks every promise, one after the other.
        ///
        /// # Panics
        /// At the first that is broken.
        pub async fn run_all(store: Arc<dyn ObjectStore>) {
            $($($promise(store.clone()).await;)*)*
        }

        /// Makes one `#[tokio::test]` of each promise. The argument is the path of a function that gives a fresh store
        /// and what has to live as long as it does: `fn() -> (impl Sized, Arc<dyn ObjectStore>)`.
        #[macro_export]
        macro_rules! suite_tests {
            ($dollar fresh:path) => {
                $($(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $promise() {
                        let (_keep, store) = $dollar fresh();
                        $dollar crate::suite::$promise(store).await;
                    }
                )*)*
            };
        }
    };
}

promises! { $
    objects:
        what_was_put_is_read_back
        every_look_at_an_object_tells_the_same
        ranges_end_where_the_object_ends
        what_is_missing_is_not_found
        a_deleted_object_is_gone
        versions_grow_and_none_comes_back
        a_read_of_another_version_is_a_conflict
        homes_do_not_depend_on_what_is_stored;
    conditions:
        a_write_happens_only_on_its_condition
        a_delete_happens_only_on_its_condition
        a_repeated_effect_is_already_done
        a_repeat_is_recognised_behind_other_writes
        another_effect_writes_anew;
    appends:
        what_is_appended_stands_behind_what_was_there
        an_append_happens_only_on_its_condition
        a_repeated_append_is_already_done
        appends_side_by_side_lose_nothing;
    uploads:
        pieces_of_any_size_make_one_object
        an_upload_is_invisible_until_its_commit
        a_dropped_upload_leaves_nothing
        an_upload_asks_its_condition_at_the_commit
        a_repeated_upload_is_already_done;
    listing:
        every_key_is_an_object_of_its_own
        pages_are_in_byte_order_and_complete
        a_bucket_never_written_is_empty
        buckets_are_those_that_hold_an_object;
    races:
        of_concurrent_conditional_writes_one_wins
        a_counter_loses_no_increment
        one_effect_happens_once_however_often_it_is_tried
        many_effects_happen_once_however_they_are_repeated
        readers_see_the_whole_old_or_the_whole_new
        a_read_after_a_write_sees_it;
    lent:
        lent_memory_gets_that_versions_bytes
        a_read_into_lent_memory_stops_when_its_caller_does;
    views:
        a_view_holds_the_objects_bytes
        a_view_stays_what_it_was;
}

/// A store, and the bucket in which one promise is checked.
#[derive(Clone)]
struct Room {
    store: Arc<dyn ObjectStore>,
    bucket: Bucket,
}

impl Room {
    fn new(store: Arc<dyn ObjectStore>, bucket: &str) -> Self {
        let bucket = Bucket::new(bucket).expect("the suite's buckets are well named");
        Self { store, bucket }
    }

    fn key(&self, key: &str) -> ObjectKey {
        ObjectKey {
            bucket: self.bucket.clone(),
            key: Key::new(key).expect("the suite's keys are keys"),
        }
    }

    /// Puts without a condition.
    async fn put(&self, key: &ObjectKey, body: impl Into<Bytes>) -> ObjectMeta {
        kept(self.try_put(key, body, PutOptions::default()).await)
    }

    async fn try_put(
        &self,
        key: &ObjectKey,
        body: impl Into<Bytes>,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        self.store.put(key, body.into(), options).await
    }

    async fn try_append(
        &self,
        key: &ObjectKey,
        piece: impl Into<Bytes>,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        self.store.append(key, piece.into(), options).await
    }

    /// Uploads it in two pieces.
    async fn try_upload(
        &self,
        key: &ObjectKey,
        body: impl Into<Bytes>,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        let mut body = body.into();
        let mut upload = self.store.upload(key, options).await?;
        upload.write(body.split_to(body.len() / 2)).await?;
        upload.write(body).await?;
        upload.commit().await
    }

    /// Reads it whole.
    async fn get(&self, key: &ObjectKey) -> ObjectRead {
        kept(self.store.get(key, ByteRange::ALL, None).await)
    }

    async fn is_absent(&self, key: &ObjectKey) -> bool {
        matches!(self.store.stat(key).await, Err(error) if error.kind() == ErrorKind::NotFound)
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> ListPage {
        kept(self.store.list(&self.bucket, prefix, after, limit).await)
    }
}

/// What a store has to succeed in.
#[track_caller]
fn kept<T>(outcome: Result<T>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("failed with {}: {error}", error.kind()),
    }
}

/// What a store has to refuse, and how.
#[track_caller]
fn refused<T: Debug>(outcome: Result<T>, kind: ErrorKind) {
    match outcome {
        Ok(value) => panic!("succeeded with {value:?} instead of failing with {kind}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
    }
}

/// `length` bytes that differ with `seed` and with their position.
fn body(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    Bytes::from(bytes)
}

fn on(condition: Condition) -> PutOptions {
    PutOptions {
        condition,
        commit: None,
    }
}

fn effect(call: u128, sequence: u32) -> PutOptions {
    let call = CallId(call);
    PutOptions {
        condition: Condition::None,
        commit: Some(CommitId { call, sequence }),
    }
}
