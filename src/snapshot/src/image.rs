//! An image: what a function's memory and globals are before each call.

use crate::{MapError, PAGE_BYTES};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

/// The value of a mutable global; floats as their bits, so that a NaN stays the one it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalValue {
    /// `i32`.
    I32(i32),
    /// `i64`.
    I64(i64),
    /// The bits of an `f32`.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
}

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
        let len_bytes = used.next_multiple_of(PAGE_BYTES);
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = memfd_create("ganglion-image", flags).map_err(MapError::of("memfd_create"))?;
        ftruncate(&fd, len_bytes as u64).map_err(MapError::of("ftruncate of an image"))?;
        let file = File::from(fd);
        write_pages(&file, &memory[..used])?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(MapError::of("sealing an image"))?;
        let view = map_view(&file, len_bytes)?;
        Ok(Self {
            file,
            view,
            len_bytes,
            memory_bytes,
            globals,
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

/// Writes what is not zero; holes read as zeros.
fn write_pages(file: &File, memory: &[u8]) -> Result<(), MapError> {
    for (index, page) in memory.chunks(PAGE_BYTES).enumerate() {
        if page.iter().any(|byte| *byte != 0) {
            file.write_all_at(page, (index * PAGE_BYTES) as u64)
                .map_err(|error| {
                    let errno = rustix::io::Errno::from_io_error(&error);
                    MapError {
                        what: "writing an image",
                        errno: errno.unwrap_or(rustix::io::Errno::IO),
                    }
                })?;
        }
    }
    Ok(())
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
    fn nobody_can_change_an_image() {
        let image = Image::new(&[1; PAGE_BYTES], PAGE_BYTES, vec![]).unwrap();
        assert!(image.file.write_at(&[2], 0).is_err());
        assert!(image.file.set_len(0).is_err());
    }
}
