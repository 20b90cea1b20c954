//! Calls of one function over many objects, bound for one node: one message there, one answer back.
//!
//! ```text
//!   gateway                                       a node
//!   Batch: what is common, keys, combiner  ─────>  key ─ call ─ output ┐
//!                                                  key ─ call ─ output ├ combiner ─ output
//!                                                  key ─ call ─ output ┘
//!   Batched: an end for each key, and what  <────
//!   is left of the outputs
//! ```

use crate::{
    Answer, Call, CallId, CallLimits, ContentHash, Deadline, End, Entry, Error, FunctionRef, Key,
    Load, ObjectKey, Result,
};
use bytes::{Bytes, BytesMut};

/// Parts of a job that one node runs.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What the parts have in common. Its id is the job's, its object is none, and its input stands behind the key in each part's.
    /// Its deadline is that of the batch; each part has `limits.wall` for itself.
    pub common: Call,
    /// The parts.
    pub parts: Vec<Part>,
    /// What makes one output of several; without one, each part's comes back.
    pub combiner: Option<Combiner>,
    /// Most that the outputs that come back may have together, in bytes. Setting `jobs.result`.
    pub outputs_bytes_max: u64,
}

/// One object's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place in the job, which names its call ([`CallId::part`]) however often it is sent.
    pub number: u32,
    /// The object, in the bucket of the function's tenant.
    pub key: Key,
}

/// Makes one output of several: its input is outputs one behind the other, in any order and any grouping, and its output has the
/// same form. A single output may be left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combiner {
    /// The function.
    pub function: FunctionRef,
    /// Its content.
    pub module: ContentHash,
    /// The function's own second entry, or another function's first.
    pub entry: Entry,
    /// Most that is given to it at once, in bytes. Setting `limits.input`.
    pub input_bytes_max: u64,
    /// What one call of it may use.
    pub limits: CallLimits,
}

/// What came of a batch.
#[derive(Clone, Debug)]
pub struct Batched {
    /// Of each part, in the batch's order, what [`crate::Executor::execute`] would have said of it. Of a part whose output is
    /// combined the answer has no output.
    pub parts: Vec<Result<Answer>>,
    /// What is left of the outputs of the parts that succeeded: one, or several that could not be combined here; none where there is
    /// no combiner.
    pub combined: Vec<Bytes>,
    /// That node's load as the batch left it.
    pub load: Load,
}

impl Batch {
    /// The call of one of its parts, when it begins now. Its input is the key and, behind a space, the common input, if there is any.
    pub fn call(&self, part: &Part, now_ns: u64) -> Call {
        let common = &self.common;
        let mut input = BytesMut::from(part.key.as_str());
        if !common.input.is_empty() {
            input.extend_from_slice(b" ");
            input.extend_from_slice(&common.input);
        }
        Call {
            id: common.id.part(part.number),
            input: input.freeze(),
            object: Some(ObjectKey {
                bucket: common.function.tenant.bucket(),
                key: part.key.clone(),
            }),
            deadline: common.deadline_of(&common.limits, now_ns),
            ..common.clone()
        }
    }
}

impl Call {
    /// The end of what belongs to this job and may take so long, when it begins now.
    fn deadline_of(&self, limits: &CallLimits, now_ns: u64) -> Deadline {
        self.deadline.min(Deadline::after(now_ns, limits.wall))
    }
}

impl Combiner {
    /// The call that combines these outputs of a job, when it begins now; `id` is not one of its parts.
    pub fn call(&self, job: &Call, id: CallId, outputs: &[Bytes], now_ns: u64) -> Call {
        Call {
            id,
            function: self.function.clone(),
            module: self.module,
            entry: self.entry,
            input: outputs.concat().into(),
            args: Vec::new(),
            object: None,
            deadline: job.deadline_of(&self.limits, now_ns),
            limits: self.limits,
            ..job.clone()
        }
    }

    /// So many outputs are left of which no two fit its input, with more than `bytes_max` bytes together; names the limits.
    pub fn no_two(&self, outputs: usize, bytes_max: u64) -> Error {
        Error::invalid(format!(
            "{outputs} outputs are to be combined: no two have less than {} bytes together (setting limits.input), and all of them \
             more than {bytes_max} (setting jobs.result)",
            self.input_bytes_max
        ))
    }

    /// What came of its call.
    ///
    /// # Errors
    /// `Guest`, or `Deadline`, when it failed.
    pub fn output(&self, answer: Answer) -> Result<Bytes> {
        let name = &self.function;
        match answer.end {
            End::Exited(0) => Ok(answer.output.unwrap_or(answer.stdout)),
            End::Exited(code) => Err(Error::guest(format!(
                "the combiner ({name}) returned {code}"
            ))),
            End::Failed(error) => Err(error.within(format!("the combiner ({name})"))),
        }
    }
}

/// Takes as many outputs, the smallest first, as are together not longer than `bytes_max`. `None`, and nothing is taken, when no two
/// are.
pub fn take_together(outputs: &mut Vec<Bytes>, bytes_max: u64) -> Option<Vec<Bytes>> {
    outputs.sort_by_key(Bytes::len);
    let mut left = bytes_max;
    let fitting = outputs.iter().take_while(|output| {
        let fits = output.len() as u64 <= left;
        left = left.saturating_sub(output.len() as u64);
        fits
    });
    match fitting.count() {
        0 | 1 => None,
        count => Some(outputs.drain(..count).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ndp;
    use std::time::Duration;

    fn batch(input: &'static str) -> Batch {
        Batch {
            common: Call {
                id: CallId(5),
                function: FunctionRef::new("books", "count").unwrap(),
                module: ContentHash([7; 32]),
                entry: Entry::Main,
                input: Bytes::from_static(input.as_bytes()),
                args: vec!["-v".to_owned()],
                object: None,
                ndp: Ndp::Forbidden,
                deadline: Deadline::after(0, Duration::from_secs(100)),
                limits: CallLimits::default(),
                trace: None,
            },
            parts: Vec::new(),
            combiner: None,
            outputs_bytes_max: 1,
        }
    }

    #[test]
    fn a_parts_call_is_about_its_object_and_inherits_the_rest() {
        let part = Part {
            number: 3,
            key: Key::new("a/b").unwrap(),
        };
        let call = batch("").call(&part, 1);
        assert_eq!((&call.input[..], call.id), (&b"a/b"[..], CallId(5).part(3)));
        assert_eq!(call.object.unwrap().to_string(), "books/a/b");
        assert_eq!(
            (call.ndp, call.args),
            (Ndp::Forbidden, vec!["-v".to_owned()])
        );
        assert_eq!(call.deadline, Deadline::after(1, Duration::from_secs(60)));
        let late = Duration::from_secs(99).as_nanos();
        let call = batch("x y").call(&part, u64::try_from(late).unwrap());
        assert_eq!(call.input, "a/b x y");
        assert_eq!(call.deadline, Deadline::after(0, Duration::from_secs(100)));
    }

    #[test]
    fn a_combiner_has_its_own_limits_and_not_the_parts() {
        let mut job = batch("").common;
        job.limits.wall = Duration::from_millis(1);
        let limits = CallLimits {
            wall: Duration::from_secs(2),
            memory_bytes: 5,
            ..CallLimits::default()
        };
        let combiner = Combiner {
            function: FunctionRef::new("books", "sum").unwrap(),
            module: ContentHash([8; 32]),
            entry: Entry::Main,
            input_bytes_max: 10,
            limits,
        };
        let call = combiner.call(&job, CallId(6), &[Bytes::from_static(b"1")], 1);
        assert_eq!(call.limits, limits);
        assert_eq!(call.deadline, Deadline::after(1, Duration::from_secs(2)));
    }

    #[test]
    fn outputs_are_taken_together_while_they_fit_and_never_alone() {
        let of = |lengths: &[usize]| -> Vec<Bytes> {
            lengths
                .iter()
                .map(|length| vec![0; *length].into())
                .collect()
        };
        for (lengths, bytes_max, taken) in [
            (&[][..], 10, None),
            (&[3], 10, None),
            (&[9, 9], 10, None),
            (&[9, 1, 9], 10, Some(10)),
            (&[1, 2, 3, 4], 10, Some(10)),
            (&[0, 0], 0, Some(0)),
        ] {
            let mut outputs = of(lengths);
            let group = take_together(&mut outputs, bytes_max);
            let bytes = group
                .as_ref()
                .map(|group| group.iter().map(Bytes::len).sum::<usize>());
            assert_eq!(bytes, taken, "{lengths:?}");
            let group = group.map_or(0, |group| group.len());
            assert_eq!(outputs.len() + group, lengths.len());
        }
    }
}
