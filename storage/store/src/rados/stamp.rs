//! What a write leaves beside an object's bytes, in the attribute `ganglion`.
//!
//! ```text
//! 0 "GST1"   4 time, ms since 1970, u64   12 names of writes, the newest first, 0 to 16 of 20 bytes   crc32c of all before, u32
//!                                            (call u128, sequence u32)
//! ```
//!
//! All numbers are little endian. The first name is that of the write which made this content; every write has one, a random
//! one where it is not the effect of a call. Those behind it are of writes before: a write that reads before it writes carries
//! them on, one that does not cannot.

use crate::CommitId;
use bytes::Bytes;
use ganglion_types::CallId;
use std::ffi::CStr;

/// The attribute.
pub(super) const ATTRIBUTE: &CStr = c"ganglion";
/// Most names kept.
pub(super) const NAMES_MAX: usize = 16;
/// What the largest stamp and the name of its attribute take, in bytes.
pub(super) const BYTES_MAX: u64 =
    (HEAD_BYTES + NAMES_MAX * NAME_BYTES + CHECKSUM_BYTES + ATTRIBUTE.count_bytes()) as u64;

const MAGIC: &[u8; 4] = b"GST1";
const HEAD_BYTES: usize = MAGIC.len() + 8;
const NAME_BYTES: usize = 20;
const CHECKSUM_BYTES: usize = 4;

/// Time and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When the content was written, by the writer's clock, in milliseconds since 1970-01-01 UTC.
    pub(super) modified_ms: u64,
    /// Names of writes, the newest first.
    pub(super) names: Vec<CommitId>,
}

impl Stamp {
    /// The stamp of a write of that name over an object with these names.
    pub(super) fn following(modified_ms: u64, name: CommitId, before: &[CommitId]) -> Self {
        let before = before.iter().copied().take(NAMES_MAX - 1);
        Self {
            modified_ms,
            names: std::iter::once(name).chain(before).collect(),
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.modified_ms.to_le_bytes());
        for name in &self.names {
            bytes.extend_from_slice(&name.call.0.to_le_bytes());
            bytes.extend_from_slice(&name.sequence.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        Bytes::from(bytes)
    }

    /// Why it cannot be read, otherwise.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let (bytes, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or("its stamp is too short")?;
        let bytes = bytes
            .strip_prefix(MAGIC)
            .ok_or("its stamp is of a format that this build does not know")?;
        let expected = crc32c::crc32c_append(crc32c::crc32c(MAGIC), bytes);
        if expected.to_le_bytes() != *checksum {
            return Err("its stamp has another checksum");
        }
        let (modified_ms, names) = bytes.split_first_chunk().ok_or("its stamp is too short")?;
        let (names, rest) = names.as_chunks::<NAME_BYTES>();
        if !rest.is_empty() || names.len() > NAMES_MAX {
            return Err("its stamp has another length");
        }
        Ok(Self {
            modified_ms: u64::from_le_bytes(*modified_ms),
            names: names.iter().map(name).collect(),
        })
    }
}

fn name(bytes: &[u8; NAME_BYTES]) -> CommitId {
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
    fn a_stamp_keeps_the_names_of_the_last_sixteen_writes() {
        let mut stamp = Stamp::following(5, named(0), &[]);
        for number in 1..40 {
            stamp = Stamp::following(5, named(number), &stamp.names);
        }
        let kept: Vec<CommitId> = (24..40).rev().map(named).collect();
        assert_eq!(stamp.names, kept);
        let room = stamp.encode().len() + ATTRIBUTE.count_bytes();
        assert_eq!(room as u64, BYTES_MAX);
    }

    #[test]
    fn a_stamp_with_any_bit_turned_is_refused() {
        let bytes = Stamp::following(77, named(1), &[named(2)]).encode();
        assert!(Stamp::decode(&bytes).is_ok());
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.to_vec();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(Stamp::decode(&broken).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Stamp::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn a_stamp_reads_back_as_it_was_written(
            modified_ms: u64,
            names in prop::collection::vec(any::<(u128, u32)>(), 0..=NAMES_MAX),
        ) {
            let named = |(call, sequence)| CommitId { call: CallId(call), sequence };
            let stamp = Stamp { modified_ms, names: names.into_iter().map(named).collect() };
            prop_assert_eq!(Stamp::decode(&stamp.encode()), Ok(stamp));
        }

        #[test]
        fn foreign_bytes_are_no_stamp_and_no_panic(bytes: Vec<u8>) {
            prop_assert!(Stamp::decode(&bytes).is_err());
        }
    }
}
