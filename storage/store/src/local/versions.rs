//! Versions that are never given twice, whatever dies.
//!
//! One counter serves all keys. The file `versions` holds a mark above every version that was ever given; it is moved up,
//! durably, by a batch at a time *before* a version of that batch is given. A start goes on from the mark: what an earlier
//! process did not use up is skipped, and the versions of deleted objects, of which nothing else is left, lie below it.
//!
//! ```text
//! versions:  0 "GANGVER1"   8 mark u64 little endian   16 crc32c u32 of bytes 0..16
//! ```

use super::error::failed;
use super::folder::{Folder, doing};
use crate::Version;
use ganglion_types::{Error, Result};
use parking_lot::Mutex;
use std::io;

const RECORD: &str = "versions";
const MAGIC: &[u8; 8] = b"GANGVER1";
/// Versions reserved by one move of the mark: one durable write in so many.
const BATCH: u64 = 1 << 16;

/// Gives versions.
#[derive(Debug)]
pub(super) struct Versions {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u64,
    /// The mark on disk: the first version that may not be given yet.
    mark: u64,
}

impl Versions {
    /// Goes on from the folder's mark.
    ///
    /// # Errors
    /// `Corrupt` when the mark cannot be read, or is missing although there are objects.
    pub(super) fn open(folder: &Folder, greatest_found: Option<Version>) -> Result<Self> {
        let path = folder.path().join(RECORD);
        let next = match (std::fs::read(&path), greatest_found) {
            (Ok(bytes), found) => {
                let mark = parse(&bytes).ok_or_else(|| {
                    Error::corrupt(format!("{} is not a mark of versions", path.display()))
                })?;
                mark.max(found.map_or(0, |version| version.0 + 1))
            }
            (Err(cause), None) if cause.kind() == io::ErrorKind::NotFound => 1,
            (Err(cause), Some(_)) if cause.kind() == io::ErrorKind::NotFound => {
                return Err(Error::corrupt(format!(
                    "{} is missing, so versions of deleted objects could be given again",
                    path.display()
                )));
            }
            (Err(cause), _) => return Err(failed(doing("reading", &path), cause)),
        };
        let mut state = State { next, mark: next };
        state.reserve(folder)?;
        Ok(Self {
            state: Mutex::new(state),
        })
    }

    /// A version greater than all before. Once in a batch it waits for the disk.
    pub(super) fn allot(&self, folder: &Folder) -> Result<Version> {
        let mut state = self.state.lock();
        if state.next == state.mark {
            state.reserve(folder)?;
        }
        let version = Version(state.next);
        state.next += 1;
        Ok(version)
    }
}

impl State {
    /// Moves the mark up by a batch.
    fn reserve(&mut self, folder: &Folder) -> Result<()> {
        let mark = self.mark + BATCH;
        folder.replace_record(RECORD, &record(mark))?;
        self.mark = mark;
        Ok(())
    }
}

fn record(mark: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&mark.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let mark = u64::from_le_bytes(*bytes.get(MAGIC.len()..)?.first_chunk()?);
    (record(mark) == bytes).then_some(mark)
}
