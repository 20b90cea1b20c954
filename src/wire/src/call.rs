//! Conversions of a call and its answer.

use crate::message::{self, executed};
use crate::node::{corrupt, site};
use bytes::Bytes;
use ganglion_types::{
    Answer, Call, CallId, CallLimits, ContentHash, Deadline, End, Entry, Error, FunctionRef, Load,
    Ndp, NodeId, ObjectKey, Result, Start, StorageCalls, TraceParent, Usage,
};
use std::time::Duration;

/// Both halves of a 128-bit number, upper first.
#[allow(clippy::cast_possible_truncation, reason = "the halves are cut here")]
fn halves(number: u128) -> (u64, u64) {
    ((number >> 64) as u64, number as u64)
}

fn whole(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// A call id as two numbers, upper first.
pub fn call_id_halves(id: CallId) -> (u64, u64) {
    halves(id.0)
}

/// A call id from its [`call_id_halves`].
pub fn call_id_from_halves(high: u64, low: u64) -> CallId {
    CallId(whole(high, low))
}

pub(crate) fn hash_words(hash: ContentHash) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash.0.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

pub(crate) fn hash_from_words(words: [u64; 4]) -> ContentHash {
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    ContentHash(hash)
}

pub(crate) fn entry(combine: bool) -> Entry {
    match combine {
        true => Entry::Combine,
        false => Entry::Main,
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<&ObjectKey> for message::ObjectName {
    fn from(object: &ObjectKey) -> Self {
        Self {
            bucket: object.bucket.as_str().to_owned(),
            key: object.key.as_str().to_owned(),
        }
    }
}

impl TryFrom<message::ObjectName> for ObjectKey {
    type Error = Error;
    fn try_from(object: message::ObjectName) -> Result<Self> {
        Self::new(object.bucket, object.key).map_err(corrupt)
    }
}

impl From<TraceParent> for message::Trace {
    fn from(parent: TraceParent) -> Self {
        let (trace_high, trace_low) = halves(parent.trace);
        Self {
            trace_high,
            trace_low,
            span: parent.span,
            flags: parent.flags.into(),
        }
    }
}

/// `None` for a trace that is none (W3C: ids are never zero): tracing must not make a call fail.
fn trace(trace: &message::Trace) -> Option<TraceParent> {
    let parent = TraceParent {
        trace: whole(trace.trace_high, trace.trace_low),
        span: trace.span,
        flags: u8::try_from(trace.flags).ok()?,
    };
    (parent.trace != 0 && parent.span != 0).then_some(parent)
}

impl From<&Call> for message::Execute {
    /// All but the input, which is the payload, and the deadline, which is in the request.
    fn from(call: &Call) -> Self {
        let (call_high, call_low) = halves(call.id.0);
        let [module_0, module_1, module_2, module_3] = hash_words(call.module);
        Self {
            call_high,
            call_low,
            tenant: call.function.tenant.as_str().to_owned(),
            function: call.function.name.as_str().to_owned(),
            module_0,
            module_1,
            module_2,
            module_3,
            args: call.args.clone(),
            object: call.object.as_ref().map(Into::into),
            ndp_forbidden: call.ndp == Ndp::Forbidden,
            ndp_preferred: call.ndp == Ndp::Preferred,
            combine: call.entry == Entry::Combine,
            wall_ns: nanoseconds(call.limits.wall),
            memory_bytes: call.limits.memory_bytes,
            output_bytes: call.limits.output_bytes,
            log_bytes: call.limits.log_bytes,
            trace: call.trace.map(Into::into),
        }
    }
}

impl message::Execute {
    /// The call, with the input and the deadline that came beside it.
    ///
    /// # Errors
    /// `Corrupt` when a name is none.
    pub fn into_call(self, input: Bytes, deadline: Deadline) -> Result<Call> {
        Ok(Call {
            id: call_id_from_halves(self.call_high, self.call_low),
            function: FunctionRef::new(self.tenant, self.function).map_err(corrupt)?,
            module: hash_from_words([self.module_0, self.module_1, self.module_2, self.module_3]),
            entry: entry(self.combine),
            input,
            args: self.args,
            object: self.object.map(TryInto::try_into).transpose()?,
            ndp: match (self.ndp_forbidden, self.ndp_preferred) {
                (true, _) => Ndp::Forbidden,
                (false, true) => Ndp::Preferred,
                (false, false) => Ndp::Allowed,
            },
            deadline,
            limits: CallLimits {
                wall: Duration::from_nanos(self.wall_ns),
                memory_bytes: self.memory_bytes,
                output_bytes: self.output_bytes,
                log_bytes: self.log_bytes,
            },
            trace: self.trace.as_ref().and_then(trace),
        })
    }
}

impl From<Usage> for message::Usage {
    fn from(usage: Usage) -> Self {
        Self {
            wait_ns: usage.wait_ns,
            run_ns: usage.run_ns,
            cpu_ns: usage.cpu_ns,
            object_bytes: usage.object_bytes,
            moved_bytes: usage.moved_bytes,
            link_ns: usage.link_ns,
            store_failures: usage.store_failures,
            cold: usage.start == Start::Cold,
        }
    }
}

impl From<message::Usage> for Usage {
    fn from(usage: message::Usage) -> Self {
        Self {
            wait_ns: usage.wait_ns,
            run_ns: usage.run_ns,
            cpu_ns: usage.cpu_ns,
            object_bytes: usage.object_bytes,
            moved_bytes: usage.moved_bytes,
            link_ns: usage.link_ns,
            store_failures: usage.store_failures,
            start: match usage.cold {
                true => Start::Cold,
                false => Start::Restored,
            },
        }
    }
}

/// `None` of a call that made none, which is most.
pub(crate) fn storage_calls(calls: StorageCalls) -> Option<message::StorageCalls> {
    let StorageCalls {
        offloaded,
        in_place,
        not_taken,
        delta_bytes,
        last_reason,
    } = calls;
    (offloaded + in_place > 0).then_some(message::StorageCalls {
        offloaded,
        in_place,
        not_taken,
        delta_bytes,
        last_reason,
    })
}

impl From<message::StorageCalls> for StorageCalls {
    fn from(calls: message::StorageCalls) -> Self {
        Self {
            offloaded: calls.offloaded,
            in_place: calls.in_place,
            not_taken: calls.not_taken,
            delta_bytes: calls.delta_bytes,
            last_reason: calls.last_reason,
        }
    }
}

/// An answer, taken apart for the wire.
pub struct ExecutedParts {
    /// All but the bytes and the load.
    pub executed: message::Executed,
    /// Output, stdout and stderr: the payload, in this order.
    pub payload: [Bytes; 3],
    /// The load, which every answer of a node carries in the same place.
    pub load: Load,
}

/// Takes an answer apart; no byte of the payload is copied.
pub fn executed_parts(answer: Answer) -> ExecutedParts {
    let length = |bytes: &Bytes| u64::try_from(bytes.len()).expect("a length fits 64 bits");
    let executed = message::Executed {
        end: Some(match &answer.end {
            End::Exited(code) => executed::End::ExitCode(*code),
            End::Failed(error) => executed::End::Failure(error.into()),
        }),
        output_bytes: answer.output.as_ref().map(length),
        stdout_bytes: length(&answer.stdout),
        stderr_bytes: length(&answer.stderr),
        node: answer.node.as_str().to_owned(),
        site: message::Site::from(answer.site).into(),
        usage: Some(answer.usage.into()),
        storage_calls: storage_calls(answer.storage_calls),
    };
    ExecutedParts {
        executed,
        payload: [
            answer.output.unwrap_or_default(),
            answer.stdout,
            answer.stderr,
        ],
        load: answer.load,
    }
}

impl message::Executed {
    /// The length of its payload; `None` when there is no such length.
    pub(crate) fn payload_bytes(&self) -> Option<u64> {
        let output = self.output_bytes.unwrap_or(0);
        output
            .checked_add(self.stdout_bytes)?
            .checked_add(self.stderr_bytes)
    }

    /// The answer, put together again; its bytes are slices of the payload.
    ///
    /// # Errors
    /// `Corrupt` when the lengths are not the payload's, or a part is missing.
    pub fn into_answer(self, mut payload: Bytes, load: Load) -> Result<Answer> {
        let said = [
            self.output_bytes.unwrap_or(0),
            self.stdout_bytes,
            self.stderr_bytes,
        ];
        let total = self.payload_bytes();
        if total.and_then(|sum| usize::try_from(sum).ok()) != Some(payload.len()) {
            return Err(corrupt(Error::invalid(format!(
                "an answer's parts of {said:?} bytes do not make its payload of {}",
                payload.len()
            ))));
        }
        let [output, stdout, stderr] = said.map(|length| {
            payload.split_to(usize::try_from(length).expect("no longer than the payload"))
        });
        let missing = |part| corrupt(Error::invalid(format!("an answer without {part}")));
        Ok(Answer {
            end: match self.end.ok_or_else(|| missing("end"))? {
                executed::End::ExitCode(code) => End::Exited(code),
                executed::End::Failure(error) => End::Failed(error.into()),
            },
            output: self.output_bytes.map(|_| output),
            stdout,
            stderr,
            node: NodeId::new(self.node).map_err(corrupt)?,
            site: site(self.site)?,
            usage: self.usage.ok_or_else(|| missing("usage"))?.into(),
            storage_calls: self.storage_calls.map(Into::into).unwrap_or_default(),
            load,
        })
    }
}
