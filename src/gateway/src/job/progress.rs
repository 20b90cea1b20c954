//! How far a job has come.

use ganglion_types::{Answer, Error, Key, Site};

/// Failed objects that are told by name; of more, the number is told.
pub(crate) const FAILURES_MAX: usize = 100;

/// An object whose part failed for good.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) key: Key,
    pub(crate) error: Error,
}

/// Counts of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Objects, and their bytes, in all; `None` until they are counted.
    pub(crate) total: Option<(u64, u64)>,
    /// Objects whose part succeeded, on compute and on storage.
    pub(crate) done: [u64; 2],
    /// Bytes of the objects that are done or failed.
    pub(crate) bytes: u64,
    pub(crate) failed: u64,
    /// The first of them.
    pub(crate) failures: Vec<Failed>,
    /// Times that a part was placed again, because it was refused, lost, overtaken, or failed by the store.
    pub(crate) repeated: u64,
    /// Object bytes that crossed a link.
    pub(crate) moved_bytes: u64,
    /// Bytes of outputs that came from the nodes.
    pub(crate) outputs_bytes: u64,
}

impl Progress {
    /// A part succeeded.
    pub(crate) fn part_done(&mut self, answer: &Answer, object_bytes: u64) {
        self.done[usize::from(answer.site == Site::Storage)] += 1;
        self.bytes += object_bytes;
        self.moved_bytes += answer.usage.moved_bytes;
    }

    /// A part failed, and is not run again.
    pub(crate) fn part_failed(&mut self, key: &Key, error: &Error, object_bytes: u64) {
        self.failed += 1;
        self.bytes += object_bytes;
        if self.failures.len() < FAILURES_MAX {
            self.failures.push(Failed {
                key: key.clone(),
                error: error.clone(),
            });
        }
    }

    /// Objects that are over, one way or the other.
    pub(crate) fn over(&self) -> u64 {
        self.done.iter().sum::<u64>() + self.failed
    }

    /// What is left, at the rate so far, when `elapsed_ns` have passed; `None` before there is one, or a total. By bytes, or by objects
    /// where these have none.
    pub(crate) fn left_ns(&self, elapsed_ns: u64) -> Option<u64> {
        let (objects, bytes) = self.total?;
        let (all, over) = match bytes {
            0 => (objects, self.over()),
            bytes => (bytes, self.bytes),
        };
        let left = u128::from(all.saturating_sub(over)) * u128::from(elapsed_ns);
        u64::try_from(left.checked_div(over.into())?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_by_the_rate_so_far() {
        let mut progress = Progress::default();
        assert_eq!(progress.left_ns(5), None);
        progress.total = Some((10, 1_000));
        assert_eq!(progress.left_ns(5), None);
        progress.bytes = 250;
        assert_eq!(progress.left_ns(1_000), Some(3_000));
        progress.bytes = 1_200;
        assert_eq!(
            progress.left_ns(1_000),
            Some(0),
            "objects came to it meanwhile"
        );
        let empty = Progress {
            total: Some((10, 0)),
            done: [3, 2],
            ..Progress::default()
        };
        assert_eq!(empty.left_ns(1_000), Some(1_000));
    }

    #[test]
    fn failures_are_counted_and_the_first_are_named() {
        let mut progress = Progress::default();
        for number in 0..200 {
            let key = Key::new(format!("k{number}")).unwrap();
            progress.part_failed(&key, &Error::guest("it trapped"), 1);
        }
        assert_eq!(
            (progress.failed, progress.failures.len()),
            (200, FAILURES_MAX)
        );
        assert_eq!(progress.failures[0].key.as_str(), "k0");
    }
}
