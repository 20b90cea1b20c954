//! Addresses that are ours before anything is mapped there.

use crate::{MapError, WINDOW_ALIGN_BYTES};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ptr::NonNull;

/// A range of addresses that begins at a multiple of [`WINDOW_ALIGN_BYTES`]: inaccessible until something is mapped over a
/// part of it. Dropping it takes all of that away.
#[derive(Debug)]
pub(crate) struct Reservation {
    start: NonNull<u8>,
    base: NonNull<u8>,
    len_bytes: usize,
}

impl Reservation {
    /// `what` stands in the error.
    pub(crate) fn of(len_bytes: usize, what: &'static str) -> Result<Self, MapError> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        let (protection, mapped_bytes) = (ProtFlags::empty(), len_bytes + WINDOW_ALIGN_BYTES);
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let mapped =
            unsafe { mmap_anonymous(std::ptr::null_mut(), mapped_bytes, protection, flags) };
        let mapped = mapped.map_err(MapError::of(what))?.cast::<u8>();
        let start = NonNull::new(mapped).expect("mmap gives no null address");
        let skip = start.addr().get().next_multiple_of(WINDOW_ALIGN_BYTES) - start.addr().get();
        // SAFETY: `skip` is below the alignment, and so much more than `len_bytes` was mapped.
        let base = unsafe { start.add(skip) };
        Ok(Self {
            start,
            base,
            len_bytes,
        })
    }

    /// The first address.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// The address `offset` bytes from the first.
    ///
    /// # Panics
    /// When `len_bytes` from there on leave the reservation.
    pub(crate) fn at(&self, offset: usize, len_bytes: usize) -> *mut u8 {
        assert!(offset + len_bytes <= self.len_bytes);
        // SAFETY: within the reservation (asserted), which is one mapping for the language.
        unsafe { self.base.as_ptr().add(offset) }
    }

    /// Fresh zeros in place of what is mapped there, or nothing accessible.
    pub(crate) fn map_anonymous(
        &self,
        offset: usize,
        len_bytes: usize,
        protection: ProtFlags,
    ) -> Result<(), MapError> {
        if len_bytes == 0 {
            return Ok(());
        }
        let at = self.at(offset, len_bytes).cast();
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the range lies in this reservation, whose mappings are its owner's alone to replace.
        let mapped = unsafe { mmap_anonymous(at, len_bytes, protection, flags) };
        mapped.map(|_| ()).map_err(MapError::of("mapping memory"))
    }

    /// Makes addresses accessible that are not: nothing was mapped there, or `map_anonymous` without any access. Half the work of
    /// mapping zeros over them.
    pub(crate) fn make_accessible(&self, offset: usize, len_bytes: usize) -> Result<(), MapError> {
        if len_bytes == 0 {
            return Ok(());
        }
        let at = self.at(offset, len_bytes).cast();
        // SAFETY: the range lies in this reservation, whose mappings are its owner's alone to change.
        let changed =
            unsafe { mprotect(at, len_bytes, MprotectFlags::READ | MprotectFlags::WRITE) };
        changed.map_err(MapError::of("making memory accessible"))
    }
}

// SAFETY: the pointers are addresses of a mapping that only `Drop` takes away; who may touch the bytes behind them is decided
// by the owner.
unsafe impl Send for Reservation {}
// SAFETY: as above; the fields never change.
unsafe impl Sync for Reservation {}

impl Drop for Reservation {
    fn drop(&mut self) {
        let len_bytes = self.len_bytes + WINDOW_ALIGN_BYTES;
        // SAFETY: the whole mapping made in `of`; its owner is gone, so nobody uses an address of it.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), len_bytes) };
        unmapped.expect("unmapping a range that we mapped");
    }
}
