//! The names of an object's last writes, by which a repeat finds out that it is done already.
//!
//! ```text
//! 0            16              20                 40
//! +------------+---------------+------------------+----     20 bytes a name, the newest first, little endian;
//! | call, u128 | sequence, u32 | the one before   | ...     0 to 64 names: what is not there takes no room
//! +------------+---------------+------------------+----
//! ```
//!
//! So they stand in a file's trailer and in the stamp of a RADOS object, whose formats say how many there are and have the
//! checksum; and so they are in memory, where an index of many objects has them all.

use crate::CommitId;
use ganglion_types::CallId;
use std::fmt;

/// Most names that an object carries: those of its last writes. A repeat is recognised behind one write less than this.
pub const NAMES_MAX: usize = 64;

const NAME_BYTES: usize = 20;

/// Names of writes, the newest first.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Names(Vec<[u8; NAME_BYTES]>);

impl Names {
    /// Bytes that the most names take.
    pub(crate) const BYTES_MAX: usize = NAMES_MAX * NAME_BYTES;

    /// These and one more, which is the newest; the oldest goes where there is no room.
    pub(crate) fn followed_by(&self, name: CommitId) -> Self {
        let before = &self.0[..self.0.len().min(NAMES_MAX - 1)];
        let mut names = Vec::with_capacity(before.len() + 1);
        names.push(encode(name));
        names.extend_from_slice(before);
        Self(names)
    }

    pub(crate) fn contains(&self, name: CommitId) -> bool {
        self.0.contains(&encode(name))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = CommitId> {
        self.0.iter().map(decode)
    }

    /// As the drawing has them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_flattened()
    }

    /// Bytes that `count` names take.
    pub(crate) fn bytes_of(count: usize) -> usize {
        count.saturating_mul(NAME_BYTES)
    }

    /// Reads [`Names::as_bytes`]; `None` where there is a part of a name, or more names than there can be.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (names, rest) = bytes.as_chunks();
        (rest.is_empty() && names.len() <= NAMES_MAX).then(|| Self(names.to_vec()))
    }
}

impl From<Option<CommitId>> for Names {
    fn from(name: Option<CommitId>) -> Self {
        Self(name.map(encode).into_iter().collect())
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn encode(name: CommitId) -> [u8; NAME_BYTES] {
    let mut bytes = [0; NAME_BYTES];
    bytes[..16].copy_from_slice(&name.call.0.to_le_bytes());
    bytes[16..].copy_from_slice(&name.sequence.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; NAME_BYTES]) -> CommitId {
    let (mut call, mut sequence) = ([0; 16], [0; 4]);
    call.copy_from_slice(&bytes[..16]);
    sequence.copy_from_slice(&bytes[16..]);
    CommitId {
        call: CallId(u128::from_le_bytes(call)),
        sequence: u32::from_le_bytes(sequence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(number: u32) -> CommitId {
        CommitId {
            call: CallId(u128::MAX - u128::from(number)),
            sequence: number,
        }
    }

    #[test]
    fn the_names_of_the_last_writes_are_kept_and_the_newest_is_first() {
        let most = u32::try_from(NAMES_MAX).unwrap();
        let mut names = Names::default();
        for number in 0..most * 2 {
            names = names.followed_by(named(number));
            let kept = (0..=number).rev().take(NAMES_MAX).map(named);
            assert!(names.iter().eq(kept), "{names:?}");
            assert_eq!(names.contains(named(0)), number < most);
        }
        assert_eq!(names.as_bytes().len(), Names::BYTES_MAX);
    }

    #[test]
    fn a_part_of_a_name_and_one_name_too_many_are_refused() {
        let bytes = vec![7; Names::bytes_of(NAMES_MAX + 1)];
        for length in 0..=bytes.len() {
            let whole = length % NAME_BYTES == 0 && length <= Names::BYTES_MAX;
            assert_eq!(Names::parse(&bytes[..length]).is_some(), whole, "{length}");
        }
    }

    proptest! {
        #[test]
        fn names_read_back_as_they_were_written(
            written in prop::collection::vec(any::<(u128, u32)>(), 0..=NAMES_MAX),
        ) {
            let mut names = Names::default();
            for (call, sequence) in written {
                names = names.followed_by(CommitId { call: CallId(call), sequence });
            }
            prop_assert_eq!(Names::parse(names.as_bytes()), Some(names));
        }
    }
}
