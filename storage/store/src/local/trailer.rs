//! What stands behind an object's bytes in its file, and tells what the file is.
//!
//! ```text
//! 0                size_bytes      align_up(size_bytes, 4096)                          end of the file
//! +----------------+---------------+-----------------+---------------------------------+
//! | the object     | zeros         | bucket "/" key  | tail: 72 bytes, little endian   |
//! +----------------+---------------+-----------------+---------------------------------+
//!                                                    |
//!   tail:  0  size_bytes   u64     |  40 sequence       u32   both 0 unless the flag
//!          8  version      u64     |  44 flags          u32   bit 0: written by an effect (call, sequence)
//!         16  modified_ms  u64     |  48 content_crc32c u32   of the object's bytes
//!         24  call         u128    |  52 name_bytes     u32   of bucket "/" key
//!                                  |  56 0              u32
//!                                  |  60 crc32c         u32   of bucket "/" key and tail[0..60]
//!                                  |  64 "GANGOBJ1"     8 B   the format and its version
//! ```
//!
//! The object begins at 0 and its last page is filled with zeros, so that a guest's memory is mapped straight over the
//! file and sees nothing behind the object but what fresh memory would show. Bytes and trailer are one file, made
//! visible by one rename: no crash can part them.

use crate::record::Record;
use crate::{CommitId, ObjectMeta, Version};
use ganglion_types::{CallId, ObjectKey};

/// Bytes of the tail.
const TAIL_BYTES: usize = 72;
/// Where the tail's own checksum stands, and so what of the tail it covers.
const CHECKSUM_AT: usize = 60;
const MAGIC: &[u8; 8] = b"GANGOBJ1";
/// Objects are padded to this many bytes: a page of memory.
const PAGE_BYTES: u64 = 4096;
const WRITTEN_BY_EFFECT: u32 = 1;

/// Longest trailer: the last bytes of a file that are worth reading to know what it is.
pub(super) const TRAILER_BYTES_MAX: usize =
    ganglion_types::Bucket::BYTES_MAX + 1 + ganglion_types::Key::BYTES_MAX + TAIL_BYTES;

/// What a trailer says beside the object's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) record: Record,
    pub(super) content_crc32c: u32,
}

/// Where the trailer of an object of `size_bytes` begins.
pub(super) fn offset(size_bytes: u64) -> u64 {
    size_bytes.next_multiple_of(PAGE_BYTES)
}

/// Length of the trailer of an object of that key.
pub(super) fn length(key: &ObjectKey) -> usize {
    key.bucket.as_str().len() + 1 + key.key.as_str().len() + TAIL_BYTES
}

impl Trailer {
    /// The zeros that fill the last page of the object `key`, and the trailer.
    pub(super) fn padded(&self, key: &ObjectKey) -> Vec<u8> {
        let Record { meta, commit } = &self.record;
        let padding = usize::try_from(offset(meta.size_bytes) - meta.size_bytes)
            .expect("padding is less than a page");
        let mut bytes = Vec::with_capacity(padding + length(key));
        bytes.resize(padding, 0);
        bytes.extend_from_slice(key.bucket.as_str().as_bytes());
        bytes.push(b'/');
        bytes.extend_from_slice(key.key.as_str().as_bytes());
        let name_bytes = bytes.len() - padding;
        let (call, sequence, flags) = match commit {
            Some(commit) => (commit.call.0, commit.sequence, WRITTEN_BY_EFFECT),
            None => (0, 0, 0),
        };
        bytes.extend_from_slice(&meta.size_bytes.to_le_bytes());
        bytes.extend_from_slice(&meta.version.0.to_le_bytes());
        bytes.extend_from_slice(&meta.modified_ms.to_le_bytes());
        bytes.extend_from_slice(&call.to_le_bytes());
        bytes.extend_from_slice(&sequence.to_le_bytes());
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&self.content_crc32c.to_le_bytes());
        let name_bytes = u32::try_from(name_bytes).expect("a name has at most 1089 bytes");
        bytes.extend_from_slice(&name_bytes.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let checksum = crc32c::crc32c(&bytes[padding..]);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(MAGIC);
        bytes
    }

    /// Reads the trailer that `end`, the last bytes of a file of `file_bytes`, ends with; with the name, `bucket/key`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) fn parse(end: &[u8], file_bytes: u64) -> Result<(&str, Self), &'static str> {
        let (front, tail) = end
            .split_last_chunk::<TAIL_BYTES>()
            .ok_or("it is too short to have a trailer")?;
        if &tail[64..] != MAGIC {
            return Err("it does not end with a trailer");
        }
        let name_bytes = usize::try_from(u32_at(tail, 52)).unwrap_or(usize::MAX);
        let name = front
            .len()
            .checked_sub(name_bytes)
            .map(|start| &front[start..])
            .ok_or("its trailer gives a length that cannot be")?;
        let checksum = crc32c::crc32c_append(crc32c::crc32c(name), &tail[..CHECKSUM_AT]);
        if checksum != u32_at(tail, CHECKSUM_AT) {
            return Err("its trailer's checksum is wrong");
        }
        let trailer = Self {
            record: record_of(tail),
            content_crc32c: u32_at(tail, 48),
        };
        let trailer_bytes = (name_bytes + TAIL_BYTES) as u64;
        if offset(trailer.record.meta.size_bytes) + trailer_bytes != file_bytes {
            return Err("its length is not what its trailer gives");
        }
        let name = std::str::from_utf8(name).map_err(|_| "its trailer names no object")?;
        Ok((name, trailer))
    }
}

fn record_of(tail: &[u8; TAIL_BYTES]) -> Record {
    let commit = CommitId {
        call: CallId(u128::from(u64_at(tail, 32)) << 64 | u128::from(u64_at(tail, 24))),
        sequence: u32_at(tail, 40),
    };
    Record {
        meta: ObjectMeta {
            size_bytes: u64_at(tail, 0),
            version: Version(u64_at(tail, 8)),
            modified_ms: u64_at(tail, 16),
        },
        commit: (u32_at(tail, 44) & WRITTEN_BY_EFFECT != 0).then_some(commit),
    }
}

fn u32_at(tail: &[u8; TAIL_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(*tail[at..].first_chunk().expect("the field is in the tail"))
}

fn u64_at(tail: &[u8; TAIL_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(*tail[at..].first_chunk().expect("the field is in the tail"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::new("books", "a/ü").unwrap()
    }

    fn trailer(size_bytes: u64, commit: Option<CommitId>) -> Trailer {
        Trailer {
            record: Record {
                meta: ObjectMeta {
                    size_bytes,
                    version: Version(7),
                    modified_ms: 1_700_000_000_000,
                },
                commit,
            },
            content_crc32c: 0xdead_beef,
        }
    }

    fn effect() -> Option<CommitId> {
        Some(CommitId {
            call: CallId(u128::MAX - 5),
            sequence: 3,
        })
    }

    #[test]
    fn a_trailer_reads_back_as_it_was_written() {
        for size_bytes in [0, 1, 4095, 4096, 4097] {
            for commit in [None, effect()] {
                let written = trailer(size_bytes, commit);
                let bytes = written.padded(&key());
                let file_bytes = size_bytes + bytes.len() as u64;
                assert_eq!(
                    Trailer::parse(&bytes, file_bytes),
                    Ok(("books/a/ü", written))
                );
            }
        }
    }

    #[test]
    fn a_trailer_with_any_bit_turned_over_is_refused() {
        let size_bytes = 4096 * 3;
        let bytes = trailer(size_bytes, effect()).padded(&key());
        let file_bytes = size_bytes + bytes.len() as u64;
        for bit in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(Trailer::parse(&broken, file_bytes).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Trailer::parse(&bytes[..cut], file_bytes - 1).is_err());
        }
        assert!(Trailer::parse(&bytes, file_bytes + 1).is_err());
    }
}
