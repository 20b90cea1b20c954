//! What stands behind an object's bytes in its file, and tells what the file is.
//!
//! ```text
//! 0            size_bytes   align_up(size_bytes, 4096)                                  end of the file
//! +------------+------------+----------------+------------------+---------------------------------+
//! | the object | zeros      | bucket "/" key | names of effects | tail: 48 bytes, little endian   |
//! +------------+------------+----------------+------------------+---------------------------------+
//!                                            | 0 to 64 of 20 bytes (module `names`)
//!
//!   tail:  0  size_bytes     u64   |  28 key_bytes  u32   of bucket "/" key
//!          8  version        u64   |  32 names      u32   how many
//!         16  modified_ms    u64   |  36 crc32c     u32   of bucket "/" key, the names and tail[0..36]
//!         24  content_crc32c u32   |  40 "GANGOBJ2" 8 B   the format and its version
//! ```
//!
//! The object begins at 0 and its last page is filled with zeros, so that a guest's memory is mapped straight over the
//! file and sees nothing behind the object but what fresh memory would show. Bytes and trailer are one file, made
//! visible by one rename: no crash can part them.
//!
//! Files of the format before (module `former`) are read as they are, and go when their objects are written anew. A build that
//! knows only that one takes files of this for unreadable.

use super::former;
use crate::names::Names;
use crate::record::Record;
use crate::{ObjectMeta, Version};
use ganglion_types::ObjectKey;

/// Bytes of the tail.
const TAIL_BYTES: usize = 48;
/// Where the tail's own checksum stands, and so what of the tail it covers.
const CHECKSUM_AT: usize = 36;
const MAGIC: &[u8; 8] = b"GANGOBJ2";
/// Objects are padded to this many bytes: a page of memory.
const PAGE_BYTES: u64 = 4096;

/// Longest bucket "/" key.
const KEY_BYTES_MAX: usize = ganglion_types::Bucket::BYTES_MAX + 1 + ganglion_types::Key::BYTES_MAX;
/// Longest trailer, of this format and the former: the last bytes of a file that are worth reading to know what it is.
pub(super) const TRAILER_BYTES_MAX: usize = KEY_BYTES_MAX + Names::BYTES_MAX + TAIL_BYTES;

/// What a trailer says beside the object's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) record: Record,
    pub(super) content_crc32c: u32,
}

/// A trailer whose checksum is right.
pub(super) struct Parts<'a> {
    /// Bucket "/" key.
    pub(super) key: &'a [u8],
    pub(super) trailer: Trailer,
    /// What it takes of the file.
    pub(super) trailer_bytes: usize,
}

/// Where the trailer of an object of `size_bytes` begins.
pub(super) fn offset(size_bytes: u64) -> u64 {
    size_bytes.next_multiple_of(PAGE_BYTES)
}

impl Trailer {
    /// The zeros that fill the last page of the object `key`, and the trailer.
    pub(super) fn padded(&self, key: &ObjectKey) -> Vec<u8> {
        let Record { meta, names } = &self.record;
        let padding = usize::try_from(offset(meta.size_bytes) - meta.size_bytes)
            .expect("padding is less than a page");
        let key = format!("{}/{}", key.bucket, key.key);
        let trailer_bytes = key.len() + names.as_bytes().len() + TAIL_BYTES;
        let mut bytes = Vec::with_capacity(padding + trailer_bytes);
        bytes.resize(padding, 0);
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(names.as_bytes());
        bytes.extend_from_slice(&meta.size_bytes.to_le_bytes());
        bytes.extend_from_slice(&meta.version.0.to_le_bytes());
        bytes.extend_from_slice(&meta.modified_ms.to_le_bytes());
        bytes.extend_from_slice(&self.content_crc32c.to_le_bytes());
        for count in [key.len(), names.count()] {
            let count =
                u32::try_from(count).expect("a key has at most 1089 bytes, a list 64 names");
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[padding..]);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(MAGIC);
        bytes
    }

    /// Reads the trailer that `end`, the last bytes of a file of `file_bytes`, ends with; with the key, `bucket/key`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) fn parse(end: &[u8], file_bytes: u64) -> Result<(&str, Self), &'static str> {
        let parts = match end.last_chunk() {
            Some(MAGIC) => current(end)?,
            Some(former::MAGIC) => former::parse(end)?,
            _ => return Err("it does not end with a trailer"),
        };
        let start = offset(parts.trailer.record.meta.size_bytes);
        if start + parts.trailer_bytes as u64 != file_bytes {
            return Err("its length is not what its trailer gives");
        }
        let key = std::str::from_utf8(parts.key).map_err(|_| "its trailer names no object")?;
        Ok((key, parts.trailer))
    }
}

fn current(end: &[u8]) -> Result<Parts<'_>, &'static str> {
    let (front, tail) = split::<TAIL_BYTES>(end)?;
    let names_bytes = Names::bytes_of(count_at(tail, 32));
    let key_bytes = count_at(tail, 28);
    let behind_object = last(front, key_bytes.saturating_add(names_bytes))?;
    check_crc32c(behind_object, tail, CHECKSUM_AT)?;
    let (key, names) = behind_object.split_at(key_bytes);
    let meta = ObjectMeta {
        size_bytes: u64_at(tail, 0),
        version: Version(u64_at(tail, 8)),
        modified_ms: u64_at(tail, 16),
    };
    let names = Names::parse(names).ok_or("its trailer has more names than there can be")?;
    Ok(Parts {
        key,
        trailer: Trailer {
            record: Record { meta, names },
            content_crc32c: u32_at(tail, 24),
        },
        trailer_bytes: behind_object.len() + TAIL_BYTES,
    })
}

/// A file's end: what is before the tail, and the tail.
pub(super) fn split<const N: usize>(end: &[u8]) -> Result<(&[u8], &[u8; N]), &'static str> {
    end.split_last_chunk()
        .ok_or("it is too short to have a trailer")
}

/// The last bytes of what is before the tail, which gives their number.
pub(super) fn last(front: &[u8], length: usize) -> Result<&[u8], &'static str> {
    let start = front.len().checked_sub(length);
    start
        .map(|start| &front[start..])
        .ok_or("its trailer gives a length that cannot be")
}

/// Whether the checksum that stands there in the tail is that of all before it.
pub(super) fn check_crc32c(before: &[u8], tail: &[u8], at: usize) -> Result<(), &'static str> {
    let crc32c = crc32c::crc32c_append(crc32c::crc32c(before), &tail[..at]);
    if crc32c == u32_at(tail, at) {
        Ok(())
    } else {
        Err("its trailer's checksum is wrong")
    }
}

pub(super) fn count_at(tail: &[u8], at: usize) -> usize {
    usize::try_from(u32_at(tail, at)).unwrap_or(usize::MAX)
}

pub(super) fn u32_at(tail: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*tail[at..].first_chunk().expect("the field is in the tail"))
}

pub(super) fn u64_at(tail: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*tail[at..].first_chunk().expect("the field is in the tail"))
}

/// Any bit turned over, any beginning cut off, and a file of another length.
#[cfg(test)]
pub(super) fn refuses_every_damage(bytes: &[u8], size_bytes: u64) {
    let file_bytes = size_bytes + bytes.len() as u64;
    assert!(Trailer::parse(bytes, file_bytes).is_ok());
    for bit in 0..bytes.len() * 8 {
        let mut broken = bytes.to_vec();
        broken[bit / 8] ^= 1 << (bit % 8);
        assert!(Trailer::parse(&broken, file_bytes).is_err(), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        assert!(Trailer::parse(&bytes[..cut], file_bytes - 1).is_err());
    }
    assert!(Trailer::parse(bytes, file_bytes + 1).is_err());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommitId, NAMES_MAX};
    use ganglion_types::CallId;

    fn key() -> ObjectKey {
        ObjectKey::new("books", "a/ü").unwrap()
    }

    fn trailer(size_bytes: u64, names: usize) -> Trailer {
        let name = |number| CommitId {
            call: CallId(u128::MAX - u128::from(number)),
            sequence: number,
        };
        let names = (0..u32::try_from(names).unwrap()).map(name);
        Trailer {
            record: Record {
                meta: ObjectMeta {
                    size_bytes,
                    version: Version(7),
                    modified_ms: 1_700_000_000_000,
                },
                names: names.fold(Names::default(), |names, name| names.followed_by(name)),
            },
            content_crc32c: 0xdead_beef,
        }
    }

    #[test]
    fn a_trailer_reads_back_as_it_was_written() {
        for size_bytes in [0, 1, 4095, 4096, 4097] {
            for names in [0, 1, 2, NAMES_MAX] {
                let written = trailer(size_bytes, names);
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
    fn the_longest_trailer_is_no_longer_than_what_is_read_of_a_file() {
        let bucket = "b".repeat(ganglion_types::Bucket::BYTES_MAX);
        let key = "k".repeat(ganglion_types::Key::BYTES_MAX);
        let key = ObjectKey::new(&bucket, &key).unwrap();
        let bytes = trailer(0, NAMES_MAX).padded(&key);
        assert_eq!(bytes.len(), TRAILER_BYTES_MAX);
    }

    #[test]
    fn a_trailer_with_any_bit_turned_over_is_refused() {
        let size_bytes = 4096 * 3;
        for names in [0, 3] {
            let bytes = trailer(size_bytes, names).padded(&key());
            refuses_every_damage(&bytes, size_bytes);
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let good = trailer(0, 1).padded(&key());
        let tail = good.len() - TAIL_BYTES;
        for at in [tail + 28, tail + 32] {
            for count in [0, 65, u32::MAX / 20, u32::MAX] {
                let mut bytes = good.clone();
                bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
                assert!(Trailer::parse(&bytes, good.len() as u64).is_err());
            }
        }
    }
}
