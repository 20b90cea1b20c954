//! An image: what a function's memory and globals are before each call.

use crate::delta::copied;
use crate::runs::{PageRuns, byte_range};
use crate::{DeltaError, MapError, PAGE_BYTES};
use ganglion_types::{ContentHash, Delta, Error, GlobalValue, PageRun};
use rustix::fs::{
    MemfdFlags, SealFlags, SeekFrom, fcntl_add_seals, fstat, ftruncate, memfd_create, seek,
};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// A memory after start-up, and the mutable globals that belong to it.
///
/// The bytes are a sealed memfd: no one can change or shorten it, so a slot may map it for as long as it likes.
#[derive(Debug)]
pub struct Image {
    file: File,
    /// Read-only mapping of the whole memfd, for copying pages back.
    view: *const u8,
    len_bytes: usize,
    memory_bytes: usize,
    globals: Vec<GlobalValue>,
    hash: OnceLock<ContentHash>,
}

// SAFETY: `view` points to a mapping of a sealed memfd: nobody writes it, and only `Drop` unmaps it.
unsafe impl Send for Image {}
// SAFETY: as above; all access is reading.
unsafe impl Sync for Image {}

impl Image {
    /// Makes an image of `memory`; zeros at its end and pages of zeros take no space. The image's memory size is
    /// `memory_bytes`, at least `memory.len()`.
    ///
    /// # Errors
    /// The kernel's, when it has no memory left for it.
    ///
    /// # Panics
    /// When `memory_bytes` is smaller than `memory`, or no multiple of the page size.
    pub fn new(
        memory: &[u8],
        memory_bytes: usize,
        globals: Vec<GlobalValue>,
    ) -> Result<Self, MapError> {
        assert!(memory_bytes >= memory.len() && memory_bytes.is_multiple_of(PAGE_BYTES));
        let used = memory
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let file = new_memfd(used.next_multiple_of(PAGE_BYTES))?;
        for (number, page) in memory[..used].chunks(PAGE_BYTES).enumerate() {
            if !is_zero(page) {
                write_at(&file, page, number * PAGE_BYTES)?;
            }
        }
        Self::sealed(file, memory_bytes, globals)
    }

    /// The image that was taken apart by [`Image::to_delta`].
    ///
    /// # Errors
    /// [`DeltaError::Malformed`] when it cannot be one, or is not the image that it is named after. The kernel's, when it has no
    /// memory left for it.
    pub fn from_delta(delta: &Delta) -> Result<Self, DeltaError> {
        delta.check().map_err(DeltaError::Malformed)?;
        let file_bytes = delta.pages.last().map_or(0, PageRun::end_page) * PAGE_BYTES as u64;
        let bytes = |bytes| usize::try_from(bytes).expect("what can be addressed fits a usize");
        let file = new_memfd(bytes(file_bytes))?;
        for run in &delta.pages {
            write_at(&file, &run.bytes, bytes(run.first_byte()))?;
        }
        let image = Self::sealed(file, bytes(delta.memory_bytes), delta.globals.clone())?;
        if image.hash() == delta.image {
            Ok(image)
        } else {
            Err(DeltaError::Malformed(Error::corrupt(format!(
                "the image that is named {} is {}",
                delta.image,
                image.hash()
            ))))
        }
    }

    /// The image as a delta against an empty memory, so that it can be kept or sent: named after itself, with all pages that are
    /// not zero. Copies them.
    pub fn to_delta(&self) -> Delta {
        Delta {
            image: self.hash(),
            memory_bytes: self.memory_bytes as u64,
            globals: self.globals.clone(),
            pages: copied(&self.runs(), |range| &self.bytes()[range]),
        }
    }

    fn sealed(
        file: File,
        memory_bytes: usize,
        globals: Vec<GlobalValue>,
    ) -> Result<Self, MapError> {
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(MapError::of("sealing an image"))?;
        let len_bytes = fstat(&file)
            .map_err(MapError::of("looking at an image"))?
            .st_size;
        let len_bytes = usize::try_from(len_bytes).expect("a length of ours");
        let view = map_view(&file, len_bytes)?;
        Ok(Self {
            file,
            view,
            len_bytes,
            memory_bytes,
            globals,
            hash: OnceLock::new(),
        })
    }

    /// Bytes that the memfd holds, a multiple of the page size; the memory's rest is zeros.
    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Size of the linear memory that it is an image of.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The mutable globals, in the order in which they were given.
    pub fn globals(&self) -> &[GlobalValue] {
        &self.globals
    }

    /// The bytes of the memfd.
    pub fn bytes(&self) -> &[u8] {
        if self.len_bytes == 0 {
            return &[];
        }
        // SAFETY: the view maps exactly `len_bytes` readable bytes of a sealed file until `self` is dropped.
        unsafe { std::slice::from_raw_parts(self.view, self.len_bytes) }
    }

    /// What the image is, wherever and whenever it was made: of its memory's size, its pages that are not zero, and its
    /// globals. Computed at the first question, which reads the whole image (a millisecond for some mebibytes).
    pub fn hash(&self) -> ContentHash {
        *self.hash.get_or_init(|| {
            let runs = self.runs();
            let mut hasher = blake3::Hasher::new_derive_key(HASH_CONTEXT);
            // Pages first, in long pieces: that is how BLAKE3 is fast. Behind them all has a fixed length, read from the end.
            for run in runs.iter() {
                hasher.update(&self.bytes()[byte_range(run)]);
            }
            for run in runs.iter() {
                hasher.update(&run.start.to_le_bytes());
                hasher.update(&run.end.to_le_bytes());
            }
            for global in &self.globals {
                hasher.update(&global_bytes(*global));
            }
            for number in [runs.iter().len(), self.globals.len(), self.memory_bytes] {
                hasher.update(&(number as u64).to_le_bytes());
            }
            ContentHash(*hasher.finalize().as_bytes())
        })
    }

    /// The pages that are not zero.
    pub(crate) fn runs(&self) -> PageRuns {
        let written =
            std::iter::successors(self.written_from(0), |range| self.written_from(range.end));
        let numbers = written.flat_map(|range| range.start / PAGE_BYTES..range.end / PAGE_BYTES);
        numbers
            .filter(|number| !is_zero(&self.bytes()[number * PAGE_BYTES..][..PAGE_BYTES]))
            .collect()
    }

    /// The next bytes of the memfd, from `start` on, that are not a hole: reading one would make it pages of zeros.
    fn written_from(&self, start: usize) -> Option<Range<usize>> {
        let at = |from| {
            seek(&self.file, from)
                .ok()
                .and_then(|at| usize::try_from(at).ok())
        };
        let first = at(SeekFrom::Data(start as u64))?;
        let end = at(SeekFrom::Hole(first as u64))?;
        Some(first..end.next_multiple_of(PAGE_BYTES).min(self.len_bytes))
    }

    /// What a slot's page at `offset` is before a guest has written it; `None` for a page of zeros behind the memfd's end.
    pub(crate) fn page_at(&self, offset: usize) -> Option<&[u8]> {
        self.bytes().get(offset..offset + PAGE_BYTES)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.len_bytes > 0 {
            // SAFETY: this is the mapping made in `new`, and no slice of it outlives `self`.
            let unmapped = unsafe { munmap(self.view.cast_mut().cast(), self.len_bytes) };
            unmapped.expect("unmapping a range that we mapped");
        }
    }
}

/// Tells this hash from any other of the same bytes.
const HASH_CONTEXT: &str = "ganglion 2026 content of a memory image, format 1";

/// A global's type and bits.
fn global_bytes(global: GlobalValue) -> [u8; 9] {
    let (kind, bits) = match global {
        GlobalValue::I32(value) => (0, u64::from(value.cast_unsigned())),
        GlobalValue::I64(value) => (1, value.cast_unsigned()),
        GlobalValue::F32(bits) => (2, u64::from(bits)),
        GlobalValue::F64(bits) => (3, bits),
    };
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&bits.to_le_bytes());
    bytes
}

pub(crate) fn is_zero(page: &[u8]) -> bool {
    // Wide compares: some ten times the speed of a loop over bytes that may end early.
    page.chunks(64)
        .all(|chunk| chunk.iter().fold(0, |any, byte| any | byte) == 0)
}

fn new_memfd(len_bytes: usize) -> Result<File, MapError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = memfd_create("ganglion-image", flags).map_err(MapError::of("memfd_create"))?;
    ftruncate(&fd, len_bytes as u64).map_err(MapError::of("ftruncate of an image"))?;
    Ok(fd.into())
}

/// What is not written is a hole, which reads as zeros.
fn write_at(file: &File, pages: &[u8], offset: usize) -> Result<(), MapError> {
    let written = file.write_all_at(pages, offset as u64);
    written.map_err(|error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        MapError::of("writing an image")(errno)
    })
}

fn map_view(file: &File, len_bytes: usize) -> Result<*const u8, MapError> {
    if len_bytes == 0 {
        return Ok(std::ptr::null());
    }
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let mapped = unsafe {
        mmap(
            std::ptr::null_mut(),
            len_bytes,
            ProtFlags::READ,
            MapFlags::SHARED,
            file,
            0,
        )
    };
    Ok(mapped
        .map_err(MapError::of("mapping an image"))?
        .cast_const()
        .cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_bytes_and_drops_the_zeros_behind_them() {
        let mut memory = vec![0; 16 * PAGE_BYTES];
        memory[5 * PAGE_BYTES + 7] = 42;
        let image = Image::new(&memory, memory.len(), vec![GlobalValue::I64(-1)]).unwrap();
        assert_eq!(image.len_bytes(), 6 * PAGE_BYTES);
        assert_eq!(image.bytes(), &memory[..6 * PAGE_BYTES]);
        assert_eq!(image.globals(), [GlobalValue::I64(-1)]);
        assert!(Image::new(&[], 0, vec![]).unwrap().bytes().is_empty());
    }

    #[test]
    fn an_image_is_named_after_what_it_is() {
        let image = |pages: &[(usize, u8)], memory_pages: usize, globals: &[GlobalValue]| {
            let mut memory = vec![0; memory_pages * PAGE_BYTES];
            for (number, fill) in pages {
                memory[number * PAGE_BYTES..][..PAGE_BYTES].fill(*fill);
            }
            Image::new(&memory, memory.len(), globals.to_vec()).unwrap()
        };
        let one = image(&[(0, 1), (5, 2)], 16, &[GlobalValue::I32(3)]);
        let hash = one.hash();
        assert_eq!(hash, one.hash());
        assert_eq!(
            hash,
            image(&[(5, 2), (0, 1)], 16, &[GlobalValue::I32(3)]).hash()
        );
        for other in [
            image(&[(0, 1), (6, 2)], 16, &[GlobalValue::I32(3)]),
            image(&[(0, 1), (5, 3)], 16, &[GlobalValue::I32(3)]),
            image(&[(0, 1), (5, 2)], 17, &[GlobalValue::I32(3)]),
            image(&[(0, 1), (5, 2)], 16, &[GlobalValue::F32(3)]),
            image(&[(0, 1), (5, 2)], 16, &[]),
            image(&[], 0, &[]),
        ] {
            assert_ne!(hash, other.hash(), "{other:?}");
        }
        // A page of zeros that was written is the same as one that never was.
        let mut delta = one.to_delta();
        let zeros = PageRun {
            first_page: 9,
            bytes: vec![0; PAGE_BYTES].into(),
        };
        delta.pages.push(zeros);
        assert_eq!(Image::from_delta(&delta).unwrap().hash(), hash);
    }

    #[test]
    fn an_image_comes_out_of_a_delta_as_it_went_in_or_not_at_all() {
        let mut memory = vec![0; 64 * PAGE_BYTES];
        memory[3 * PAGE_BYTES..9 * PAGE_BYTES].fill(4);
        memory[40 * PAGE_BYTES + 5] = 1;
        let image = Image::new(&memory, 80 * PAGE_BYTES, vec![GlobalValue::F64(9)]).unwrap();
        let mut delta = image.to_delta();
        assert_eq!(delta.pages.len(), 2);
        let again = Image::from_delta(&delta).unwrap();
        assert_eq!(again.bytes(), image.bytes());
        assert_eq!(again.memory_bytes(), image.memory_bytes());
        assert_eq!(again.globals(), image.globals());
        delta.memory_bytes += 16 * PAGE_BYTES as u64;
        let error = Image::from_delta(&delta).unwrap_err();
        assert!(
            error.to_string().contains(&delta.image.to_string()),
            "{error}"
        );
        delta.memory_bytes = 16 * PAGE_BYTES as u64;
        assert!(Image::from_delta(&delta).is_err());
    }

    #[test]
    fn nobody_can_change_an_image() {
        let image = Image::new(&[1; PAGE_BYTES], PAGE_BYTES, vec![]).unwrap();
        assert!(image.file.write_at(&[2], 0).is_err());
        assert!(image.file.set_len(0).is_err());
    }
}
