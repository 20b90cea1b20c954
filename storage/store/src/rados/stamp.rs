//! What a write leaves beside an object's bytes, in the attribute `ganglion`.
//!
//! ```text
//! 0 "GST1"   4 time, ms since 1970, u64   12 names of writes, 0 to 64 of 20 bytes (module `names`)   crc32c of all before, u32
//! ```
//!
//! All numbers are little endian. The first name is that of the write which made this content; every write has one, a random
//! one where it is not the effect of a call. Those behind it are of writes before: a write that reads before it writes carries
//! them on, one that does not cannot.
//!
//! Builds that kept up to 16 names wrote the same format. They take a stamp with more of them for a spoilt one.

use crate::names::Names;
use bytes::Bytes;
use std::ffi::CStr;

/// The attribute.
pub(super) const ATTRIBUTE: &CStr = c"ganglion";
/// What the largest stamp and the name of its attribute take, in bytes: 1304. An OSD takes attributes of any size, unless
/// `osd_max_attr_size` says otherwise.
pub(super) const BYTES_MAX: u64 =
    (HEAD_BYTES + Names::BYTES_MAX + CHECKSUM_BYTES + ATTRIBUTE.count_bytes()) as u64;

const MAGIC: &[u8; 4] = b"GST1";
const HEAD_BYTES: usize = MAGIC.len() + 8;
const CHECKSUM_BYTES: usize = 4;

/// Time and names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// When the content was written, by the writer's clock, in milliseconds since 1970-01-01 UTC.
    pub(super) modified_ms: u64,
    pub(super) names: Names,
}

impl Stamp {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.modified_ms.to_le_bytes());
        bytes.extend_from_slice(self.names.as_bytes());
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
        Ok(Self {
            modified_ms: u64::from_le_bytes(*modified_ms),
            names: Names::parse(names).ok_or("its stamp has another length")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommitId, NAMES_MAX};
    use ganglion_types::CallId;
    use proptest::prelude::*;

    fn name(number: usize) -> CommitId {
        CommitId {
            call: CallId(u128::MAX - number as u128),
            sequence: u32::try_from(number).unwrap(),
        }
    }

    fn stamp(names: usize) -> Stamp {
        let names = (0..names).map(name);
        Stamp {
            modified_ms: 1_700_000_000_000,
            names: names.fold(Names::default(), |names, name| names.followed_by(name)),
        }
    }

    #[test]
    fn a_stamp_takes_room_for_the_names_that_there_are() {
        let bytes_without = stamp(0).encode().len();
        assert_eq!(bytes_without, 16);
        for names in [1, 2, NAMES_MAX] {
            let bytes = stamp(names).encode().len();
            assert_eq!(bytes, bytes_without + 20 * names);
        }
        let room = stamp(NAMES_MAX).encode().len() + ATTRIBUTE.count_bytes();
        assert_eq!(room as u64, BYTES_MAX);
    }

    #[test]
    fn a_stamp_of_a_build_that_kept_sixteen_names_is_read() {
        let mut bytes = b"GST1\x00\x68\xe5\xcf\x8b\x01\0\0".to_vec();
        for number in (0..16).rev() {
            bytes.extend_from_slice(&[0xff - number]);
            bytes.extend_from_slice(&[0xff; 15]);
            bytes.extend_from_slice(&[number, 0, 0, 0]);
        }
        bytes.extend_from_slice(&[0x42, 0x24, 0x77, 0xb3]);
        assert_eq!(Stamp::decode(&bytes), Ok(stamp(16)));
    }

    #[test]
    fn a_stamp_with_any_bit_turned_is_refused() {
        let bytes = stamp(2).encode();
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
        fn a_stamp_reads_back_as_it_was_written(modified_ms: u64, names in 0..=NAMES_MAX) {
            let stamp = Stamp { modified_ms, ..stamp(names) };
            prop_assert_eq!(Stamp::decode(&stamp.encode()), Ok(stamp));
        }

        #[test]
        fn foreign_bytes_are_no_stamp_and_no_panic(bytes: Vec<u8>) {
            prop_assert!(Stamp::decode(&bytes).is_err());
        }
    }
}
