//! The trailer that files had before, with the name of the last write only: read, and no longer written.
//!
//! ```text
//! 0                size_bytes      align_up(size_bytes, 4096)          end of the file
//! +----------------+---------------+-----------------+---------------------------------+
//! | the object     | zeros         | bucket "/" key  | tail: 72 bytes, little endian   |
//! +----------------+---------------+-----------------+---------------------------------+
//!                                                    |
//!   tail:  0  size_bytes   u64     |  40 sequence       u32   both 0 unless the flag
//!          8  version      u64     |  44 flags          u32   bit 0: written by an effect (call, sequence)
//!         16  modified_ms  u64     |  48 content_crc32c u32   of the object's bytes
//!         24  call         u128    |  52 key_bytes      u32   of bucket "/" key
//!                                  |  56 0              u32
//!                                  |  60 crc32c         u32   of bucket "/" key and tail[0..60]
//!                                  |  64 "GANGOBJ1"     8 B   the format and its version
//! ```

use super::trailer::{Parts, Trailer, check_crc32c, count_at, last, split, u32_at, u64_at};
use crate::names::Names;
use crate::record::Record;
use crate::{CommitId, ObjectMeta, Version};
use ganglion_types::CallId;

pub(super) const MAGIC: &[u8; 8] = b"GANGOBJ1";
const TAIL_BYTES: usize = 72;
const CHECKSUM_AT: usize = 60;
const WRITTEN_BY_EFFECT: u32 = 1;

/// Reads the trailer that `end` ends with.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn parse(end: &[u8]) -> Result<Parts<'_>, &'static str> {
    let (front, tail) = split::<TAIL_BYTES>(end)?;
    let key = last(front, count_at(tail, 52))?;
    check_crc32c(key, tail, CHECKSUM_AT)?;
    Ok(Parts {
        key,
        trailer: Trailer {
            record: record_of(tail),
            content_crc32c: u32_at(tail, 48),
        },
        trailer_bytes: key.len() + TAIL_BYTES,
    })
}

fn record_of(tail: &[u8; TAIL_BYTES]) -> Record {
    let name = CommitId {
        call: CallId(u128::from(u64_at(tail, 32)) << 64 | u128::from(u64_at(tail, 24))),
        sequence: u32_at(tail, 40),
    };
    let by_effect = u32_at(tail, 44) & WRITTEN_BY_EFFECT != 0;
    Record {
        meta: ObjectMeta {
            size_bytes: u64_at(tail, 0),
            version: Version(u64_at(tail, 8)),
            modified_ms: u64_at(tail, 16),
        },
        names: Names::from(by_effect.then_some(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::trailer::refuses_every_damage;

    /// Of the object `books/by-effect`, of 3 bytes, as the last build that wrote this format wrote it.
    const WRITTEN: &[u8; 87] = b"books/by-effect\
        \x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x68\xe5\xcf\x8b\x01\0\0\
        \x10\x32\x54\x76\x98\xba\xdc\xfe\xef\xcd\xab\x89\x67\x45\x23\x01\x07\0\0\0\x01\0\0\0\
        \x04\x01\xba\xff\x0f\0\0\0\0\0\0\0\xd7\x93\x85\x7dGANGOBJ1";

    #[test]
    fn a_former_trailer_is_read() {
        let name = CommitId {
            call: CallId(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210),
            sequence: 7,
        };
        let trailer = Trailer {
            record: Record {
                meta: ObjectMeta {
                    size_bytes: 3,
                    version: Version(1),
                    modified_ms: 1_700_000_000_000,
                },
                names: Names::from(Some(name)),
            },
            content_crc32c: 0xffba_0104,
        };
        let file_bytes = 4096 + WRITTEN.len() as u64;
        let read = Trailer::parse(WRITTEN, file_bytes);
        assert_eq!(read, Ok(("books/by-effect", trailer)));
    }

    #[test]
    fn a_former_trailer_with_any_bit_turned_over_is_refused() {
        refuses_every_damage(WRITTEN, 4096);
    }
}
