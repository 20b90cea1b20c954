//! Reading, beside writers, without a lock between them.
//!
//! A reader asks the index which version there is, opens the file, and reads its trailer. When both agree, the open file
//! is that version and stays it: files are replaced, never changed. When they do not, a writer stood between its rename
//! and its note in the index; the reader then takes the writers' lock of that key, once, after which a difference can only
//! mean that something other than this store changed the folder.
//!
//! A short read first tries with what memory holds (`RESOLVE_CACHED`, `RWF_NOWAIT`), which needs no other thread; whatever
//! the kernel will not do at once goes to a thread that may wait.

use super::Shared;
use super::error::{corrupt, failed};
use super::folder::{Access, doing};
use super::trailer::{self, TRAILER_BYTES_MAX, Trailer};
use crate::blocking::blocking;
use crate::record::check_version;
use crate::{ByteRange, ObjectMeta, ObjectRead, Version};
use bytes::Bytes;
use ganglion_types::{Error, ObjectKey, Result};
use rustix::io::{Errno, ReadWriteFlags};
use std::fs::File;
use std::io::IoSliceMut;
use std::sync::Arc;

/// Longest read that is tried on the caller's thread, in bytes: copying that much takes about as long as handing it to
/// another thread.
const INLINE_BYTES_MAX: u64 = 64 << 10;
/// Bytes that [`Shared::verify`] reads at a time.
const VERIFY_BYTES: u64 = 2 << 20;

/// Why a read came to nothing.
pub(super) enum Miss {
    /// It would have had to wait for the disk.
    WouldWait,
    /// The file is not, or not yet, what the index says.
    Differs(&'static str),
    /// It failed.
    Failed(Error),
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// An object's file, and what it is.
pub(super) struct Opened {
    pub(super) meta: ObjectMeta,
    pub(super) file: Arc<File>,
    content_crc32c: u32,
}

impl Shared {
    /// Opens the current version.
    pub(super) fn open_current(
        &self,
        key: &ObjectKey,
        access: Access,
    ) -> Result<Arc<Opened>, Miss> {
        let meta = self.index.read().get(key)?.meta.clone();
        self.open_version(key, meta, access)
    }

    /// Opens the version that the index had, unless it is open already.
    fn open_version(
        &self,
        key: &ObjectKey,
        meta: ObjectMeta,
        access: Access,
    ) -> Result<Arc<Opened>, Miss> {
        if let Some(opened) = self.open_files.find(key, meta.version) {
            return Ok(opened);
        }
        let opened = Arc::new(self.open_anew(key, meta, access)?);
        self.open_files.keep(key, &opened, &self.index);
        Ok(opened)
    }

    fn open_anew(&self, key: &ObjectKey, meta: ObjectMeta, access: Access) -> Result<Opened, Miss> {
        let file = match self.folder.open_object(key, access) {
            Ok(file) => file,
            Err(_) if access == Access::Cached => return Err(Miss::WouldWait),
            Err(Errno::NOENT) => return Err(Miss::Differs("its file is missing")),
            Err(cause) => {
                let path = self.folder.object_path(key);
                return Err(failed(doing("opening", &path), cause).into());
            }
        };
        let offset = trailer::offset(meta.size_bytes);
        // All there is to the file's end. A part of it, where memory has no more, is no trailer.
        let end = self.read_some(key, &file, offset, TRAILER_BYTES_MAX, access)?;
        let file_bytes = offset + end.len() as u64;
        let (named, trailer) = Trailer::parse(&end, file_bytes).map_err(Miss::Differs)?;
        let named = named.split_once('/');
        if named != Some((key.bucket.as_str(), key.key.as_str())) || trailer.record.meta != meta {
            return Err(Miss::Differs("its file is of another version"));
        }
        Ok(Opened {
            meta,
            file: Arc::new(file),
            content_crc32c: trailer.content_crc32c,
        })
    }

    /// Reads a range of the current version; of a whole object the checksum is compared too.
    pub(super) fn read(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        if_version: Option<Version>,
        access: Access,
    ) -> Result<ObjectRead, Miss> {
        let meta = self.index.read().get(key)?.meta.clone();
        check_version(key, &meta, if_version)?;
        let size_bytes = meta.size_bytes;
        let range = range.within(size_bytes);
        if access == Access::Cached && range.length > INLINE_BYTES_MAX {
            return Err(Miss::WouldWait);
        }
        let opened = self.open_version(key, meta, access)?;
        let length = usize::try_from(range.length).expect("an object fits the address space");
        let bytes = self.read_at(key, &opened.file, range.offset, length, access)?;
        if range.length == size_bytes && crc32c::crc32c(&bytes) != opened.content_crc32c {
            return Err(wrong_checksum(key).into());
        }
        Ok(ObjectRead {
            meta: opened.meta.clone(),
            bytes: Bytes::from(bytes),
        })
    }

    /// Compares the whole object with its checksum.
    pub(super) fn verify(&self, key: &ObjectKey) -> Result<ObjectMeta, Miss> {
        let opened = self.open_current(key, Access::Blocking)?;
        let (mut offset, mut crc32c) = (0, 0);
        while offset < opened.meta.size_bytes {
            let length = VERIFY_BYTES.min(opened.meta.size_bytes - offset);
            let bytes = usize::try_from(length).expect("2 MiB fit the address space");
            let piece = self.read_at(key, &opened.file, offset, bytes, Access::Blocking)?;
            crc32c = crc32c::crc32c_append(crc32c, &piece);
            offset += length;
        }
        if crc32c != opened.content_crc32c {
            return Err(wrong_checksum(key).into());
        }
        Ok(opened.meta.clone())
    }

    /// `length` bytes of a file, or none.
    fn read_at(
        &self,
        key: &ObjectKey,
        file: &File,
        offset: u64,
        length: usize,
        access: Access,
    ) -> Result<Vec<u8>, Miss> {
        let read = self.read_some(key, file, offset, length, access)?;
        if read.len() == length {
            return Ok(read);
        }
        Err(match access {
            Access::Cached => Miss::WouldWait,
            Access::Blocking => Miss::Differs("its file is too short"),
        })
    }

    /// Up to `length` bytes of a file: as far as it, or with [`Access::Cached`] as far as memory, has them.
    fn read_some(
        &self,
        key: &ObjectKey,
        file: &File,
        offset: u64,
        length: usize,
        access: Access,
    ) -> Result<Vec<u8>, Miss> {
        match access {
            Access::Cached => read_cached(file, offset, length).map_err(|_| Miss::WouldWait),
            Access::Blocking => read_blocking(file, offset, length).map_err(|cause| {
                failed(doing("reading", &self.folder.object_path(key)), cause).into()
            }),
        }
    }
}

/// Runs `read` with what memory holds, and where that is not enough, on a thread that may wait.
pub(super) async fn read_cached_first<T: Send + 'static>(
    shared: &Arc<Shared>,
    key: &ObjectKey,
    read: impl Fn(&Shared, &ObjectKey, Access) -> Result<T, Miss> + Clone + Send + 'static,
) -> Result<T> {
    match read(shared, key, Access::Cached) {
        Ok(found) => Ok(found),
        Err(Miss::Failed(error)) => Err(error),
        Err(Miss::WouldWait | Miss::Differs(_)) => {
            let blocking =
                move |shared: &Shared, key: &ObjectKey| read(shared, key, Access::Blocking);
            read_settled(shared, key, blocking).await
        }
    }
}

/// Runs `read` on a thread that may wait, and once more under the key's lock when a writer was met.
pub(super) async fn read_settled<T: Send + 'static>(
    shared: &Arc<Shared>,
    key: &ObjectKey,
    read: impl Fn(&Shared, &ObjectKey) -> Result<T, Miss> + Clone + Send + 'static,
) -> Result<T> {
    let again = read.clone();
    match in_background(shared, key, read).await {
        Err(Miss::Differs(_)) => {}
        outcome => return settled(key, outcome),
    }
    let _no_writer = shared.writers.lock(key).await;
    settled(key, in_background(shared, key, again).await)
}

async fn in_background<T: Send + 'static>(
    shared: &Arc<Shared>,
    key: &ObjectKey,
    read: impl FnOnce(&Shared, &ObjectKey) -> Result<T, Miss> + Send + 'static,
) -> Result<T, Miss> {
    let (shared, key) = (shared.clone(), key.clone());
    blocking(move || Ok(read(&shared, &key))).await?
}

fn settled<T>(key: &ObjectKey, outcome: Result<T, Miss>) -> Result<T> {
    outcome.map_err(|miss| match miss {
        Miss::Failed(error) => error,
        Miss::Differs(what) => corrupt(key, what),
        Miss::WouldWait => Error::internal(format!("reading {key}: a blocking read did not block")),
    })
}

fn wrong_checksum(key: &ObjectKey) -> Error {
    corrupt(
        key,
        "its bytes do not have the checksum they were written with",
    )
}

/// What of the range memory holds, from its beginning.
fn read_cached(file: &File, offset: u64, length: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; length];
    if length > 0 {
        let buffers = &mut [IoSliceMut::new(&mut bytes)];
        let read = rustix::io::preadv2(file, buffers, offset, ReadWriteFlags::NOWAIT)?;
        bytes.truncate(read);
    }
    Ok(bytes)
}

/// The range, as far as the file has it.
fn read_blocking(file: &File, offset: u64, length: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = offset + bytes.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(cause) => return Err(cause),
        }
    }
    // The allocator may have given more room than was asked for.
    bytes.truncate(length);
    Ok(bytes)
}
