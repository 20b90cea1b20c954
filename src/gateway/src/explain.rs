//! The headers that tell how a call went. All their numbers are written into one buffer, of which each value is a slice.

use crate::dispatch::Placed;
use bytes::{Bytes, BytesMut};
use ganglion_types::{CallId, End, Start, StorageCalls, TraceParent};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::{Display, Write};

/// Names the call, also on errors.
pub(crate) const CALL_ID: HeaderName = HeaderName::from_static("ganglion-call-id");
const NODE: HeaderName = HeaderName::from_static("ganglion-node");
const SITE: HeaderName = HeaderName::from_static("ganglion-site");
const REASON: HeaderName = HeaderName::from_static("ganglion-reason");
const MOVED_BYTES: HeaderName = HeaderName::from_static("ganglion-moved-bytes");
const PREDICTED_US: HeaderName = HeaderName::from_static("ganglion-predicted-us");
const RUN_US: HeaderName = HeaderName::from_static("ganglion-run-us");
const WAIT_US: HeaderName = HeaderName::from_static("ganglion-wait-us");
const EXIT_CODE: HeaderName = HeaderName::from_static("ganglion-exit-code");
const OFFLOADED: HeaderName = HeaderName::from_static("ganglion-offloaded");
const IN_PLACE: HeaderName = HeaderName::from_static("ganglion-in-place");
const NOT_TAKEN: HeaderName = HeaderName::from_static("ganglion-not-taken");
const DELTA_BYTES: HeaderName = HeaderName::from_static("ganglion-delta-bytes");
const STORAGE_REASON: HeaderName = HeaderName::from_static("ganglion-storage-reason");
const START: HeaderName = HeaderName::from_static("ganglion-start");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Bytes of all the values together, but for the node's name.
const VALUES_BYTES: usize = 256;

struct Values(BytesMut);

impl Values {
    fn value(&mut self, value: impl Display) -> HeaderValue {
        write!(self.0, "{value}").expect("writing to memory does not fail");
        shared(self.0.split().freeze())
    }
}

/// A value of bytes that are printable by construction.
fn shared(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes)
        .unwrap_or_else(|_| HeaderValue::from_static("unprintable"))
}

/// The identity of a call, for answers and errors alike.
pub(crate) fn identify(headers: &mut HeaderMap, call: CallId, trace: Option<TraceParent>) {
    let mut values = Values(BytesMut::with_capacity(96));
    headers.insert(CALL_ID, values.value(call));
    if let Some(trace) = trace {
        headers.insert(TRACEPARENT, values.value(trace));
    }
}

/// How a call went that ran: the prediction beside the measurement.
pub(crate) fn explain(headers: &mut HeaderMap, placed: &Placed) {
    let answer = &placed.answer;
    let usage = &answer.usage;
    let mut values = Values(BytesMut::with_capacity(VALUES_BYTES));
    headers.insert(NODE, values.value(&answer.node));
    headers.insert(SITE, HeaderValue::from_static(answer.site.as_str()));
    headers.insert(REASON, shared(placed.reason.clone()));
    headers.insert(MOVED_BYTES, values.value(usage.moved_bytes));
    headers.insert(
        PREDICTED_US,
        values.value(placed.predicted.total_ns() / 1_000),
    );
    headers.insert(RUN_US, values.value(usage.run_ns / 1_000));
    headers.insert(WAIT_US, values.value(usage.wait_ns / 1_000));
    if let End::Exited(code) = answer.end {
        headers.insert(EXIT_CODE, values.value(code));
    }
    let start = match usage.start {
        Start::Restored => "restored",
        Start::Cold => "cold",
    };
    headers.insert(START, HeaderValue::from_static(start));
    explain_storage_calls(headers, &answer.storage_calls);
}

/// What became of the call's storage calls, where it made any.
fn explain_storage_calls(headers: &mut HeaderMap, calls: &StorageCalls) {
    if calls.offloaded + calls.in_place == 0 {
        return;
    }
    let mut values = Values(BytesMut::with_capacity(VALUES_BYTES));
    headers.insert(OFFLOADED, values.value(calls.offloaded));
    headers.insert(IN_PLACE, values.value(calls.in_place));
    headers.insert(NOT_TAKEN, values.value(calls.not_taken));
    headers.insert(DELTA_BYTES, values.value(calls.delta_bytes));
    headers.insert(STORAGE_REASON, values.value(&calls.last_reason));
}

/// The trace that a request belongs to. A header that is no `traceparent`, or two of them, begin no trace (W3C Trace
/// Context, section 3.2).
pub(crate) fn trace_of(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(&TRACEPARENT).iter();
    let only = values.next()?;
    match values.next() {
        Some(_) => None,
        None => only.to_str().ok()?.parse().ok(),
    }
}
