//! One asynchronous operation, from its submission to its callback.

use super::cluster::inside_callback;
use super::{Namespace, check};
use parking_lot::{Condvar, Mutex};
use rados_sys as sys;
use rustix::io::Errno;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How an operation ended: the version of the object that it met or made.
pub(super) type Outcome = Result<u64, Errno>;

/// An operation under way; a future of how it ended and of what it kept.
///
/// Dropping it gives the outcome up and nothing else: librados goes on, and what it may touch lives until its callback.
pub(super) struct Operation<K> {
    shared: Arc<Shared<K>>,
    completion: Completion,
}

/// What the future and the callback share.
struct Shared<K> {
    /// What librados may read and write until the callback has come, and the future's from then on.
    keep: UnsafeCell<Option<K>>,
    progress: Mutex<Progress>,
    ended: Condvar,
    /// Outlives the operation.
    namespace: Arc<Namespace>,
}

// SAFETY: `keep` is reached by librados through the pointer made in `Operation::start` until the callback notes the outcome,
// and by the one `Operation` after it has seen the outcome; the lock of `progress` orders the two. All else is `Sync`.
unsafe impl<K: Send> Sync for Shared<K> {}

#[derive(Default)]
struct Progress {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

/// librados' own record of the operation.
struct Completion(sys::rados_completion_t);

// SAFETY: librados guards it with a lock of its own.
unsafe impl Send for Completion {}
// SAFETY: as for `Send`.
unsafe impl Sync for Completion {}

impl Drop for Completion {
    fn drop(&mut self) {
        // SAFETY: created by `rados_aio_create_completion2` and released once; librados holds it by a count of its own as long
        // as the operation is under way.
        unsafe { sys::rados_aio_release(self.0) };
    }
}

impl<K: Send + 'static> Operation<K> {
    /// Starts an operation.
    ///
    /// # Safety
    /// `submit` hands the completion to exactly one of librados' asynchronous calls and returns its code. That call touches
    /// no memory of ours but what the pointer leads to, and what that owns, beyond `submit`'s return.
    pub(super) unsafe fn start(
        namespace: &Arc<Namespace>,
        keep: K,
        submit: impl FnOnce(sys::rados_ioctx_t, *mut K, sys::rados_completion_t) -> c_int,
    ) -> Self {
        let shared = Arc::new(Shared {
            keep: UnsafeCell::new(Some(keep)),
            progress: Mutex::default(),
            ended: Condvar::new(),
            namespace: namespace.clone(),
        });
        // SAFETY: nobody else has the cell yet; it is `Some`, and stays where it is until the outcome is known.
        let keep = unsafe { (*shared.keep.get()).as_mut() };
        let keep: *mut K = keep.expect("it was just put there");
        let for_callback = Arc::into_raw(shared.clone());
        let mut completion = ptr::null_mut();
        // SAFETY: `completion` is written only; the argument is an `Arc` of the type that `called_back::<K>` takes back.
        let code = unsafe {
            sys::rados_aio_create_completion2(
                for_callback.cast_mut().cast(),
                Some(called_back::<K>),
                &raw mut completion,
            )
        };
        check(code).expect("librados has memory for a completion");
        let completion = Completion(completion);
        if let Err(errno) = check(submit(namespace.handle(), keep, completion.0)) {
            // SAFETY: what was not taken is never called back, so its `Arc` is still ours.
            drop(unsafe { Arc::from_raw(for_callback) });
            shared.note(Err(errno));
        }
        Self { shared, completion }
    }
}

impl<K> Operation<K> {
    /// Asks librados to give up. The operation ends all the same through its callback, as cancelled or as it would have.
    pub(super) fn cancel(&self) {
        // SAFETY: both handles live; librados answers with an error where the operation is over already.
        unsafe { sys::rados_aio_cancel(self.shared.namespace.handle(), self.completion.0) };
    }

    /// Blocks until librados is done with what the operation keeps.
    pub(super) fn wait(&self) {
        let mut progress = self.shared.progress.lock();
        while progress.outcome.is_none() {
            self.shared.ended.wait(&mut progress);
        }
    }
}

/// A future may move: nothing points into it.
impl<K> Unpin for Operation<K> {}

impl<K> Future for Operation<K> {
    type Output = (Outcome, K);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let outcome = {
            let mut progress = this.shared.progress.lock();
            let Some(outcome) = progress.outcome else {
                progress.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            outcome
        };
        // SAFETY: the outcome is known, so librados is done with the cell, and `&mut self` is the only other way to it.
        let keep = unsafe { (*this.shared.keep.get()).take() };
        Poll::Ready((outcome, keep.expect("a future is not polled after its end")))
    }
}

impl<K> Shared<K> {
    /// Notes how it ended, and wakes whoever waits.
    fn note(&self, outcome: Outcome) {
        let waker = {
            let mut progress = self.progress.lock();
            progress.outcome = Some(outcome);
            progress.waker.take()
        };
        self.ended.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Runs on a thread of librados, once for each operation that it took: notes the outcome, wakes, and does nothing else.
unsafe extern "C" fn called_back<K>(completion: sys::rados_completion_t, shared: *mut c_void) {
    // SAFETY: `start` made this pointer of an `Arc<Shared<K>>` for this one call.
    let shared = unsafe { Arc::from_raw(shared.cast_const().cast::<Shared<K>>()) };
    // SAFETY: librados passes the completion that it is done with, and holds it through this call.
    let (code, version) = unsafe {
        let code = sys::rados_aio_get_return_value(completion);
        (code, sys::rados_aio_get_version(completion))
    };
    inside_callback(move || shared.note(check(code).map(|_| version)));
}
