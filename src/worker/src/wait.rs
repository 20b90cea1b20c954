//! How a guest, which is plain blocking code, waits for something asynchronous.

use crate::stop::because;
use ganglion_types::{Ambient, Deadline, Error};
use parking_lot::Mutex;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where the guest's thread comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thread {
    /// It is one of the runtime's own, which has other tasks.
    Inline,
    /// It is there for this guest only.
    Own,
}

/// A running guest's permit, and the way to wait without holding it.
pub(crate) struct Waiting {
    thread: Thread,
    /// Given back before the permit: whoever gets the permit next may want it.
    _inline: Option<OwnedSemaphorePermit>,
    permits: Arc<Semaphore>,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    deadline: Deadline,
    ambient: Arc<dyn Ambient>,
}

impl Waiting {
    /// `inline`: the allowance to run on one of the runtime's own threads; without it the thread is the guest's own.
    pub(crate) fn new(
        inline: Option<OwnedSemaphorePermit>,
        permits: Arc<Semaphore>,
        permit: OwnedSemaphorePermit,
        deadline: Deadline,
        ambient: Arc<dyn Ambient>,
    ) -> Self {
        Self {
            thread: if inline.is_some() {
                Thread::Inline
            } else {
                Thread::Own
            },
            _inline: inline,
            permits,
            permit: Mutex::new(Some(permit)),
            deadline,
            ambient,
        }
    }

    /// Waits for `future`; when it is not ready at once, the permit is another guest's meanwhile.
    ///
    /// # Errors
    /// The guest is stopped when its deadline passes first.
    pub(crate) fn wait<F: Future>(&self, future: F) -> wasmtime::Result<F::Output> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        drop(self.permit.lock().take());
        let remaining = self.deadline.remaining(self.ambient.monotonic_ns());
        let waiting = async {
            let output = tokio::time::timeout(remaining, future).await.ok()?;
            let permit = self.permits.clone().acquire_owned().await.ok();
            Some((output, permit))
        };
        let handle = Handle::current();
        let waited = match self.thread {
            Thread::Inline => tokio::task::block_in_place(|| handle.block_on(waiting)),
            Thread::Own => handle.block_on(waiting),
        };
        let Some((output, permit)) = waited else {
            return Err(because(Error::deadline(
                "the call's time is up while it waits for an object",
            )));
        };
        *self.permit.lock() = permit;
        Ok(output)
    }
}
