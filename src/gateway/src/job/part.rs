//! One part of a job until it has ended: what has become of it so far, and what that means for it.

use crate::dispatch::{OVERTAKEN_MAX, not_run_again};
use ganglion_types::{Answer, End, Error, ErrorKind, NodeId, Part};
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes of the keys of one batch: with them it fits a message of a quarter of `link.message`.
const BATCH_KEYS_BYTES_MAX: usize = 256 << 10;
/// How long a part rests that was tried elsewhere at once and not taken there either; doubled each further time.
pub(super) const REST: Duration = Duration::from_secs(1);
/// How long one rests that was refused for lack of room only.
const REST_BUSY: Duration = Duration::from_millis(200);
/// What is told of a failed function's own words, in characters.
const WORDS_CHARS_MAX: usize = 300;

/// A part that has not ended.
pub(super) struct Waiting {
    pub(super) part: Part,
    pub(super) size_bytes: u64,
    /// The last node that has not brought it to its end.
    pub(super) refused_by: Option<NodeId>,
    pub(super) past: Past,
}

/// What has become so far of a call of a job.
#[derive(Default)]
pub(super) struct Past {
    /// An answer of it was lost: it may have run.
    pub(super) lost: Option<Error>,
    /// How often a node refused it, its answer was lost, or the store failed it.
    attempts: u32,
    /// How often others wrote what it worked on.
    overtaken: u32,
}

impl Waiting {
    pub(super) fn new(part: Part, size_bytes: u64) -> Self {
        Self {
            part,
            size_bytes,
            refused_by: None,
            past: Past::default(),
        }
    }
}

impl Past {
    /// A node has not brought it to its end: how long it rests before it is placed again; `None` when that was all. Nodes that have no
    /// room are asked again as long as the job may run: what is spent comes back.
    pub(super) fn rest_after(&mut self, error: &Error, attempts_max: u32) -> Option<Duration> {
        if error.kind() == ErrorKind::Indeterminate {
            self.lost = Some(error.clone());
        }
        match error.kind() {
            ErrorKind::Busy => Some(REST_BUSY),
            ErrorKind::Conflict if self.overtaken + 1 < OVERTAKEN_MAX => {
                self.overtaken += 1;
                Some(Duration::ZERO)
            }
            kind if is_repeatable(kind) => self.rest_of_attempt(attempts_max),
            _ => None,
        }
    }

    /// One more attempt: how long it rests before the next; `None` when that was the last.
    pub(super) fn rest_of_attempt(&mut self, attempts_max: u32) -> Option<Duration> {
        self.attempts += 1;
        (self.attempts < attempts_max).then(|| match self.attempts {
            1 => Duration::ZERO,
            attempts => REST * (1 << (attempts - 2).min(6)),
        })
    }

    /// What is told at the end. That nobody takes it now does not undo that it may have run.
    pub(super) fn final_error(&self, error: Error) -> Error {
        match &self.lost {
            Some(lost) if error.kind().nothing_ran() => not_run_again(lost, &error),
            _ => error,
        }
    }
}

/// How long it rests that no node could be sent: time that all are away is the job's; `None` for what is no absence.
pub(super) fn rest_unplaced(kind: ErrorKind) -> Option<Duration> {
    match kind {
        ErrorKind::Busy => Some(REST_BUSY),
        ErrorKind::Unavailable => Some(REST),
        _ => None,
    }
}

/// Whether it may be tried again, elsewhere, as the same call.
pub(super) fn is_repeatable(kind: ErrorKind) -> bool {
    kind.nothing_ran() || kind == ErrorKind::Indeterminate
}

/// The next parts in line: so many, with objects of so many bytes together, and keys that fit a message. At least one.
pub(super) fn next_batch(
    placed: &mut VecDeque<Waiting>,
    (parts_max, bytes_max): (usize, u64),
) -> Vec<Waiting> {
    let (mut bytes, mut keys_bytes) = (0_u64, 0);
    let fitting = placed.iter().enumerate().take_while(|(index, waiting)| {
        bytes = bytes.saturating_add(waiting.size_bytes);
        keys_bytes += waiting.part.key.as_str().len();
        let fits = *index < parts_max && bytes <= bytes_max && keys_bytes <= BATCH_KEYS_BYTES_MAX;
        *index == 0 || fits
    });
    let count = fitting.count();
    placed.drain(..count).collect()
}

/// Why a guest that ran has not succeeded; `None` when it has.
pub(super) fn failure(answer: &Answer) -> Option<Error> {
    match &answer.end {
        End::Exited(0) => None,
        End::Failed(error) => Some(error.clone()),
        End::Exited(code) => {
            let said = [answer.output.as_ref(), Some(&answer.stderr)];
            let said = said.into_iter().flatten().find(|said| !said.is_empty());
            let said = said.map(|said| {
                let text = String::from_utf8_lossy(said);
                let words: String = text.trim().chars().take(WORDS_CHARS_MAX).collect();
                format!(": {words}")
            });
            let said = said.unwrap_or_default();
            Some(Error::guest(format!("the function returned {code}{said}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::Key;

    fn waiting(number: u32, key_bytes: usize, size_bytes: u64) -> Waiting {
        let key = Key::new("k".repeat(key_bytes)).unwrap();
        Waiting::new(Part { number, key }, size_bytes)
    }

    #[test]
    fn a_batch_is_bounded_by_count_by_bytes_and_by_keys_and_never_empty() {
        for (parts, key_bytes, size_bytes, expected) in [
            (100, 8, 1, vec![64, 36]),
            (5, 8, 40, vec![2, 2, 1]),
            (3, 8, 101, vec![1, 1, 1]),
            (3, 8, u64::MAX, vec![1, 1, 1]),
            (300, 1_024, 0, vec![64, 64, 64, 64, 44]),
        ] {
            let of = |number| waiting(number, key_bytes, size_bytes);
            let mut placed: VecDeque<_> = (0..parts).map(of).collect();
            let mut batches = Vec::new();
            while !placed.is_empty() {
                batches.push(next_batch(&mut placed, (64, 100)).len());
            }
            assert_eq!(batches, expected);
        }
        let mut placed: VecDeque<_> = (0..300).map(|number| waiting(number, 1_024, 0)).collect();
        let keys = next_batch(&mut placed, (512, 100)).len() * 1_024;
        assert_eq!(keys, BATCH_KEYS_BYTES_MAX);
    }

    #[test]
    fn what_is_lost_or_refused_is_tried_so_often_and_what_is_busy_as_long_as_it_takes() {
        let rests = |kinds: &[ErrorKind]| {
            let mut past = Past::default();
            let mut rest = |kind: &ErrorKind| {
                let rest = past.rest_after(&Error::new(*kind, "no"), 4);
                rest.map(|rest| rest.as_millis())
            };
            let rests: Vec<_> = kinds.iter().map(&mut rest).collect();
            (rests, past.lost.is_some())
        };
        use ErrorKind::{Busy, Conflict, Guest, Indeterminate, Unavailable};
        let lost = rests(&[Unavailable, Indeterminate, Unavailable, Unavailable]);
        assert_eq!(lost, (vec![Some(0), Some(1_000), Some(2_000), None], true));
        assert_eq!(rests(&[Busy; 30]), (vec![Some(200); 30], false));
        assert_eq!(rests(&[Guest]), (vec![None], false));
        let (overtaken, _) = rests(&[Conflict; 16]);
        assert_eq!((overtaken[14], overtaken[15]), (Some(0), None));
    }
}
