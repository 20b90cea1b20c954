//! A job's outputs, as they come from the nodes.

use bytes::{Bytes, BytesMut};
use ganglion_types::{Batched, Combiner, End, Error, Result, take_together};
use std::collections::BTreeMap;

/// Outputs that will be one.
pub(crate) enum Gathered {
    /// Each part's, by its number: they will stand behind one another in this order.
    InOrder {
        outputs: BTreeMap<u32, Bytes>,
        bytes: u64,
        bytes_max: u64,
    },
    /// Some combined, some not, in no order.
    Combined {
        outputs: Vec<Bytes>,
        combiner: Combiner,
        bytes_max: u64,
    },
}

impl Gathered {
    /// Nothing yet; `bytes_max`: of the result, setting `jobs.result`.
    pub(crate) fn new(combiner: Option<Combiner>, bytes_max: u64) -> Self {
        match combiner {
            None => Self::InOrder {
                outputs: BTreeMap::new(),
                bytes: 0,
                bytes_max,
            },
            Some(combiner) => Self::Combined {
                outputs: Vec::new(),
                combiner,
                bytes_max,
            },
        }
    }

    /// What a batch sent back; `numbers` are those of its parts. Gives the bytes that came.
    ///
    /// # Errors
    /// `Invalid` when the result would be too long.
    pub(crate) fn take(
        &mut self,
        numbers: impl Iterator<Item = u32>,
        batched: &mut Batched,
    ) -> Result<u64> {
        match self {
            Self::InOrder {
                outputs,
                bytes,
                bytes_max,
            } => {
                let before = *bytes;
                for (number, answer) in numbers.zip(&mut batched.parts) {
                    let Ok(answer) = answer else { continue };
                    if answer.end != End::Exited(0) {
                        continue;
                    }
                    let output = answer.output.take().unwrap_or_default();
                    *bytes += output.len() as u64;
                    outputs.insert(number, output);
                }
                check_result(*bytes, *bytes_max)?;
                Ok(*bytes - before)
            }
            Self::Combined { outputs, .. } => {
                let came = batched.combined.iter().map(|output| output.len() as u64);
                let came = came.sum();
                outputs.append(&mut batched.combined);
                Ok(came)
            }
        }
    }

    /// Outputs that have to be combined now, so that what is kept stays within bounds.
    ///
    /// # Errors
    /// `Invalid` when no two fit the combiner's input, and all of them are beyond the limit of the result.
    pub(crate) fn too_many(&mut self) -> Result<Option<Vec<Bytes>>> {
        let Self::Combined {
            outputs,
            combiner,
            bytes_max,
        } = self
        else {
            return Ok(None);
        };
        let kept = bytes_of(outputs);
        if kept < combiner.input_bytes_max {
            return Ok(None);
        }
        match take_together(outputs, combiner.input_bytes_max) {
            None if kept > *bytes_max => Err(combiner.no_two(outputs.len(), *bytes_max)),
            group => Ok(group),
        }
    }

    /// Whether as much waits to be combined as fits the combiner's input twice.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::InOrder { .. } => false,
            Self::Combined {
                outputs, combiner, ..
            } => bytes_of(outputs) >= combiner.input_bytes_max.saturating_mul(2),
        }
    }

    /// The next outputs to be combined once all are here; `None` when there is only one left.
    ///
    /// # Errors
    /// `Invalid` when no two fit the combiner's input.
    pub(crate) fn next_group(&mut self) -> Result<Option<Vec<Bytes>>> {
        let Self::Combined {
            outputs, combiner, ..
        } = self
        else {
            return Ok(None);
        };
        if outputs.len() < 2 {
            return Ok(None);
        }
        let bytes_max = combiner.input_bytes_max;
        match take_together(outputs, bytes_max) {
            Some(group) => Ok(Some(group)),
            None => Err(Error::invalid(format!(
                "{} outputs are left to be combined, and no two have less than {bytes_max} bytes together (setting limits.input)",
                outputs.len()
            ))),
        }
    }

    /// An output that was made of several.
    pub(crate) fn put_back(&mut self, output: Bytes) {
        if let Self::Combined { outputs, .. } = self {
            outputs.push(output);
        }
    }

    /// The one output; empty when there was none.
    pub(crate) fn into_result(self) -> Bytes {
        match self {
            Self::InOrder { outputs, bytes, .. } => {
                let mut whole = BytesMut::with_capacity(usize::try_from(bytes).unwrap_or(0));
                for output in outputs.into_values() {
                    whole.extend_from_slice(&output);
                }
                whole.freeze()
            }
            Self::Combined { outputs, .. } => outputs.into_iter().next().unwrap_or_default(),
        }
    }
}

fn bytes_of(outputs: &[Bytes]) -> u64 {
    outputs.iter().map(|output| output.len() as u64).sum()
}

/// # Errors
/// `Invalid` beyond the limit.
pub(crate) fn check_result(bytes: u64, bytes_max: u64) -> Result<()> {
    match bytes > bytes_max {
        false => Ok(()),
        true => Err(Error::invalid(format!(
            "the job's result has more than {bytes_max} bytes (setting jobs.result)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::{CallLimits, ContentHash, Entry, ErrorKind, FunctionRef, Load};

    fn combining(input_bytes_max: u64) -> Gathered {
        let combiner = Combiner {
            function: FunctionRef::new("ndp", "sum").unwrap(),
            module: ContentHash([1; 32]),
            entry: Entry::Main,
            input_bytes_max,
            limits: CallLimits::default(),
        };
        Gathered::new(Some(combiner), 1_000)
    }

    fn batched(lengths: &[usize]) -> Batched {
        Batched {
            parts: Vec::new(),
            combined: lengths
                .iter()
                .map(|length| vec![7; *length].into())
                .collect(),
            load: Load::default(),
        }
    }

    #[test]
    fn what_is_kept_for_a_combiner_stays_within_its_input() {
        let mut gathered = combining(100);
        assert_eq!(
            gathered
                .take([].into_iter(), &mut batched(&[60, 30]))
                .unwrap(),
            90
        );
        assert_eq!(gathered.too_many().unwrap(), None);
        gathered.take([].into_iter(), &mut batched(&[20])).unwrap();
        let group = gathered.too_many().unwrap().unwrap();
        assert_eq!(group.iter().map(Bytes::len).collect::<Vec<_>>(), [20, 30]);
        gathered.put_back(vec![7; 5].into());
        let last = gathered.next_group().unwrap().unwrap();
        assert_eq!(last.iter().map(Bytes::len).sum::<usize>(), 65);
        gathered.put_back(Bytes::from_static(b"result"));
        assert!(gathered.next_group().unwrap().is_none());
        assert_eq!(gathered.into_result(), "result");
    }

    #[test]
    fn outputs_that_cannot_be_combined_name_the_limit() {
        let mut gathered = combining(100);
        gathered
            .take([].into_iter(), &mut batched(&[60, 60]))
            .unwrap();
        assert_eq!(gathered.too_many().unwrap(), None);
        let error = gathered.next_group().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("limits.input"), "{error}");
    }

    #[test]
    fn outputs_that_cannot_be_combined_pile_up_to_the_limit_of_the_result() {
        let mut gathered = combining(100);
        for kept in (60..=960).step_by(60) {
            gathered.take([].into_iter(), &mut batched(&[60])).unwrap();
            assert_eq!(gathered.too_many().unwrap(), None);
            assert_eq!(gathered.is_full(), kept >= 200);
        }
        gathered.take([].into_iter(), &mut batched(&[60])).unwrap();
        let error = gathered.too_many().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        for setting in ["limits.input", "jobs.result"] {
            assert!(error.message().contains(setting), "{error}");
        }
    }
}
