//! Asynchronous calls: started, and their results kept for a while.
//!
//! Results are bounded by count, bytes and age; the oldest go first. Running calls are bounded by count alone: each of
//! them has its deadline.

use super::call::{FinishedRef, not_run, output_of};
use crate::dispatch::Placed;
use crate::kept::{Kept, KeptLimits};
use crate::settings::GatewaySettings;
use bytes::Bytes;
use ganglion_types::{Ambient, CallId, End, Error, FunctionRef, Result};
use parking_lot::Mutex;
use serde::Serialize;
use std::future::Future;
use std::sync::Arc;
use tokio_util::task::TaskTracker;

/// A call that has ended.
pub(crate) struct Finished {
    id: CallId,
    function: FunctionRef,
    input: Bytes,
    node: String,
    /// `None` when the guest did not return.
    return_value: Option<i32>,
    output: Bytes,
}

/// As Faasm prints a message.
#[derive(Serialize)]
struct Json<'a> {
    id: u64,
    r#type: u8,
    user: &'a str,
    function: &'a str,
    input_data: &'a str,
    output_data: &'a str,
    r#async: bool,
    exec_host: &'a str,
    return_value: Option<i32>,
    finished: bool,
    call_id: String,
}

impl Finished {
    pub(super) fn new(
        id: CallId,
        function: FunctionRef,
        input: Bytes,
        result: Result<Placed>,
    ) -> Self {
        let (node, return_value, output) = match result {
            Ok(placed) => {
                let code = match placed.answer.end {
                    End::Exited(code) => Some(code),
                    End::Failed(_) => None,
                };
                let output = output_of(id, &placed.answer);
                (placed.answer.node.to_string(), code, output)
            }
            Err(error) => (String::new(), None, Bytes::from(not_run(id, &error))),
        };
        Self {
            id,
            function,
            input,
            node,
            return_value,
            output,
        }
    }

    pub(super) fn succeeded(&self) -> bool {
        self.return_value == Some(0)
    }

    pub(super) fn output(&self) -> &Bytes {
        &self.output
    }

    /// The whole message. Bytes that are not UTF-8 are replaced: JSON has no others.
    pub(super) fn json(&self, number: u64) -> Vec<u8> {
        let json = Json {
            id: number,
            r#type: 0,
            user: self.function.tenant.as_str(),
            function: self.function.name.as_str(),
            input_data: &String::from_utf8_lossy(&self.input),
            output_data: &String::from_utf8_lossy(&self.output),
            r#async: true,
            exec_host: &self.node,
            return_value: self.return_value,
            finished: true,
            call_id: self.id.to_string(),
        };
        serde_json::to_vec(&json).expect("a message has only strings and numbers")
    }

    /// Bytes that keeping it costs.
    fn bytes(&self) -> u64 {
        (self.input.len() + self.output.len()) as u64
    }
}

/// By number; `None` while it runs.
type Calls = Kept<u64, Option<FinishedRef>>;

/// Asynchronous calls of this gateway.
#[derive(Clone)]
pub(crate) struct Background {
    calls: Arc<Mutex<Calls>>,
    tasks: TaskTracker,
    running_max: usize,
    ambient: Arc<dyn Ambient>,
}

impl Background {
    pub(crate) fn new(settings: &GatewaySettings, ambient: Arc<dyn Ambient>) -> Self {
        let limits = KeptLimits {
            count_max: settings.async_results_max,
            bytes_max: settings.async_bytes_max,
            age: settings.async_age,
        };
        Self {
            calls: Arc::new(Mutex::new(Kept::new(limits))),
            tasks: TaskTracker::new(),
            running_max: settings.async_running_max,
            ambient,
        }
    }

    /// Runs `work` and keeps what comes of it under the number that is returned: positive, at most 31 bits, and not to
    /// be guessed.
    ///
    /// # Errors
    /// `Busy` when as many run as may.
    pub(super) fn begin(
        &self,
        work: impl Future<Output = Finished> + Send + 'static,
    ) -> Result<u64> {
        let number = self.reserve()?;
        let background = self.clone();
        self.tasks.spawn(async move {
            // Whatever becomes of the work, its number does not stay `RUNNING`.
            let mut slot = Slot {
                background,
                number,
                finished: None,
            };
            slot.finished = Some(work.await);
        });
        Ok(number)
    }

    fn reserve(&self) -> Result<u64> {
        let mut calls = self.calls.lock();
        calls.drop_expired(self.ambient.monotonic_ns());
        if calls.running() >= self.running_max {
            return Err(Error::busy(format!(
                "{} asynchronous calls are running (setting limits.async_running)",
                calls.running()
            )));
        }
        loop {
            let mut drawn = [0; 4];
            self.ambient.fill_random(&mut drawn);
            let number = u64::from(u32::from_le_bytes(drawn) >> 1);
            if number != 0 && calls.get(number).is_none() {
                calls.begin(number, None);
                return Ok(number);
            }
        }
    }

    fn finish(&self, number: u64, finished: Option<Finished>) {
        let mut calls = self.calls.lock();
        let Some(finished) = finished else {
            calls.forget(number);
            return;
        };
        let (bytes, now_ns) = (finished.bytes(), self.ambient.monotonic_ns());
        calls.end(number, Some(Arc::new(finished)), bytes, now_ns);
    }

    /// How a call stands: `None` while it runs. May be asked again.
    ///
    /// # Errors
    /// `NotFound` for a number that was never given, or whose result is no longer kept.
    pub(super) fn status(&self, number: u64) -> Result<Option<FinishedRef>> {
        let mut calls = self.calls.lock();
        calls.drop_expired(self.ambient.monotonic_ns());
        calls.get(number).cloned().ok_or_else(|| {
            Error::not_found(format!(
                "no asynchronous call {number}, or its result is no longer kept (settings limits.async_age, \
                 limits.async_results, limits.async_bytes)"
            ))
        })
    }

    /// Waits until none runs.
    pub(crate) async fn done(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The place of one running call; what it holds when it is dropped is the result.
struct Slot {
    background: Background,
    number: u64,
    finished: Option<Finished>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.background.finish(self.number, self.finished.take());
    }
}
