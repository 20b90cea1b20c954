//! Conversions of parts of a job, and of what comes back.

use crate::call::{ExecutedParts, entry, executed_parts, hash_from_words, hash_words, nanoseconds};
use crate::message::{self, batched_part};
use crate::node::corrupt;
use crate::offload::{length, split};
use bytes::Bytes;
use ganglion_types::{
    Answer, Batch, Batched, CallLimits, Combiner, Deadline, Entry, Error, FunctionRef, Key, Load,
    Part, Result,
};
use std::time::Duration;

/// A batch for the wire: all but the common input, which is the payload, and the deadline, which is in the request.
pub fn batch_message(batch: &Batch) -> message::Batch {
    let part = |part: &Part| message::BatchPart {
        number: part.number,
        key: part.key.as_str().to_owned(),
    };
    message::Batch {
        common: Some(message::Execute::from(&batch.common)),
        parts: batch.parts.iter().map(part).collect(),
        combiner: batch.combiner.as_ref().map(Into::into),
        outputs_bytes_max: batch.outputs_bytes_max,
    }
}

impl message::Batch {
    /// The batch, with the input and the deadline that came beside it.
    ///
    /// # Errors
    /// `Corrupt` when a name is none, or a part is missing.
    pub fn into_batch(self, input: Bytes, deadline: Deadline) -> Result<Batch> {
        let part = |part: message::BatchPart| {
            Ok(Part {
                number: part.number,
                key: Key::new(part.key).map_err(corrupt)?,
            })
        };
        let common = self.common.ok_or_else(|| missing("what its parts share"))?;
        Ok(Batch {
            common: common.into_call(input, deadline)?,
            parts: self.parts.into_iter().map(part).collect::<Result<_>>()?,
            combiner: self.combiner.map(TryInto::try_into).transpose()?,
            outputs_bytes_max: self.outputs_bytes_max,
        })
    }
}

impl From<&Combiner> for message::Combiner {
    fn from(combiner: &Combiner) -> Self {
        let [module_0, module_1, module_2, module_3] = hash_words(combiner.module);
        Self {
            tenant: combiner.function.tenant.as_str().to_owned(),
            function: combiner.function.name.as_str().to_owned(),
            module_0,
            module_1,
            module_2,
            module_3,
            own: combiner.entry == Entry::Combine,
            input_bytes_max: combiner.input_bytes_max,
            wall_ns: nanoseconds(combiner.limits.wall),
            memory_bytes: combiner.limits.memory_bytes,
            output_bytes: combiner.limits.output_bytes,
            log_bytes: combiner.limits.log_bytes,
        }
    }
}

impl TryFrom<message::Combiner> for Combiner {
    type Error = Error;
    fn try_from(combiner: message::Combiner) -> Result<Self> {
        let message::Combiner {
            module_0,
            module_1,
            module_2,
            module_3,
            ..
        } = combiner;
        Ok(Self {
            function: FunctionRef::new(combiner.tenant, combiner.function).map_err(corrupt)?,
            module: hash_from_words([module_0, module_1, module_2, module_3]),
            entry: entry(combiner.own),
            input_bytes_max: combiner.input_bytes_max,
            limits: CallLimits {
                wall: Duration::from_nanos(combiner.wall_ns),
                memory_bytes: combiner.memory_bytes,
                output_bytes: combiner.output_bytes,
                log_bytes: combiner.log_bytes,
            },
        })
    }
}

/// What came of a batch, taken apart for the wire.
pub struct BatchedParts {
    /// All but the bytes and the load.
    pub batched: message::Batched,
    /// The payload, piece by piece.
    pub payload: Vec<Bytes>,
    /// The load, which every answer of a node carries in the same place.
    pub load: Load,
}

/// Takes what came of a batch apart; no byte of the payload is copied.
pub fn batched_parts(batched: Batched) -> BatchedParts {
    let mut payload = Vec::new();
    let mut part = |answer: Result<Answer>| {
        let outcome = match answer {
            Ok(answer) => {
                let ExecutedParts {
                    executed,
                    payload: bytes,
                    ..
                } = executed_parts(answer);
                payload.extend(bytes.into_iter().filter(|bytes| !bytes.is_empty()));
                batched_part::Outcome::Executed(executed)
            }
            Err(error) => batched_part::Outcome::Error((&error).into()),
        };
        message::BatchedPart {
            outcome: Some(outcome),
        }
    };
    let parts = batched.parts.into_iter().map(&mut part).collect();
    let combined = batched.combined.iter().map(length).collect();
    payload.extend(batched.combined);
    BatchedParts {
        batched: message::Batched { parts, combined },
        payload,
        load: batched.load,
    }
}

impl message::Batched {
    /// What came of a batch, put together again; its bytes are slices of the payload.
    ///
    /// # Errors
    /// `Corrupt` when the lengths are not the payload's, or something is missing.
    pub fn into_batched(self, mut payload: Bytes, load: Load) -> Result<Batched> {
        let mut part = |part: message::BatchedPart| {
            let outcome = part.outcome.ok_or_else(|| missing("a part's end"))?;
            Ok(match outcome {
                batched_part::Outcome::Error(error) => Err(error.into()),
                batched_part::Outcome::Executed(executed) => {
                    let bytes = executed.payload_bytes().unwrap_or(u64::MAX);
                    let [bytes] = split(&mut payload, [bytes])?;
                    Ok(executed.into_answer(bytes, load)?)
                }
            })
        };
        let parts = self
            .parts
            .into_iter()
            .map(&mut part)
            .collect::<Result<_>>()?;
        let output = |bytes: u64| split(&mut payload, [bytes]).map(|[output]| output);
        let combined = self
            .combined
            .into_iter()
            .map(output)
            .collect::<Result<_>>()?;
        match payload.is_empty() {
            true => Ok(Batched {
                parts,
                combined,
                load,
            }),
            false => Err(missing("the lengths of its payload")),
        }
    }
}

fn missing(what: &str) -> Error {
    corrupt(Error::invalid(format!("a batch without {what}")))
}
