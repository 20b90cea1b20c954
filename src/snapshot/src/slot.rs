//! One linear memory's address space.

use crate::poll::PollPage;
use crate::window::Windows;
use crate::{Image, MapError, PAGE_BYTES, Pagemap, sigbus};
use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Addresses of one linear memory: all that 32 bits can reach.
pub const SLOT_BYTES: usize = 4 << 30;
/// Protected addresses behind it, for the constant offsets of loads and stores.
pub const GUARD_BYTES: usize = 32 << 20;

const ALIGN_BYTES: usize = crate::WINDOW_ALIGN_BYTES;
const RESERVED_BYTES: usize = SLOT_BYTES + GUARD_BYTES + ALIGN_BYTES;

/// Up to this many dirtied pages are copied back and stay resident; more are given back to the kernel. Measured: a fault
/// costs ten times a copy, but resident pages are memory that an idle function holds.
const KEEP_PAGES_MAX: usize = 512;

/// The address space of one linear memory, over which images and objects are mapped.
///
/// One guest at a time uses it; the mutexes are never contended.
#[derive(Debug)]
pub struct Slot {
    reservation: NonNull<u8>,
    base: NonNull<u8>,
    /// Readable and writable bytes from `base` on: the guest's memory size.
    size_bytes: AtomicUsize,
    image: Mutex<Option<Arc<Image>>>,
    pub(crate) windows: Mutex<Windows>,
    pub(crate) poll: PollPage,
    index: usize,
}

// SAFETY: the pointers are addresses of a reservation that only `Drop` unmaps; who may touch the bytes behind them is
// decided by the guest that holds the slot's lease.
unsafe impl Send for Slot {}
// SAFETY: as above; the fields themselves are atomics and mutexes.
unsafe impl Sync for Slot {}

impl Slot {
    /// Reserves the addresses of a slot; nothing of it is memory yet. `None` when the process has as many slots as it
    /// can ([`crate::SlotPool`] names the setting).
    pub(crate) fn reserve() -> Result<Option<Self>, MapError> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let mapped = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                RESERVED_BYTES,
                ProtFlags::empty(),
                flags,
            )
        };
        let reserved = mapped
            .map_err(MapError::of("reserving a slot"))?
            .cast::<u8>();
        let reservation = NonNull::new(reserved).expect("mmap gives no null address");
        let skip =
            reservation.addr().get().next_multiple_of(ALIGN_BYTES) - reservation.addr().get();
        // SAFETY: `skip` is below ALIGN_BYTES, and the reservation is that much larger than slot and guard.
        let base = unsafe { reservation.add(skip) };
        let Some(index) = sigbus::enter(base.addr().get()) else {
            // SAFETY: the reservation just made, which nobody has seen.
            unsafe { munmap(reserved.cast(), RESERVED_BYTES) }
                .map_err(MapError::of("giving a reservation back"))?;
            return Ok(None);
        };
        let slot = Self {
            reservation,
            base,
            size_bytes: AtomicUsize::new(0),
            image: Mutex::new(None),
            windows: Mutex::default(),
            poll: PollPage::default(),
            index,
        };
        slot.map_poll_page()?;
        Ok(Some(slot))
    }

    /// The address of the memory's first byte.
    pub fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// A number below [`SLOTS_MAX`](crate::SLOTS_MAX) that no other slot of the process has meanwhile.
    pub fn number(&self) -> usize {
        self.index
    }

    /// The guest's memory size, windows included.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes.load(Ordering::Relaxed)
    }

    /// Whether an object under one of the windows was cut short since the last question.
    pub fn take_torn(&self) -> bool {
        sigbus::take_torn(self.index)
    }

    pub(crate) fn holds(&self, image: &Arc<Image>) -> bool {
        self.image
            .lock()
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(held, image))
    }

    /// Maps an image in place of what was there.
    pub(crate) fn load(&self, image: &Arc<Image>) -> Result<(), MapError> {
        *self.image.lock() = None;
        self.protect_from(0)?;
        self.map_zeros(0, image.memory_bytes())?;
        if image.len_bytes() > 0 {
            self.map_file(0, image.len_bytes(), image.fd(), 0)?;
        }
        self.size_bytes
            .store(image.memory_bytes(), Ordering::Relaxed);
        *self.image.lock() = Some(image.clone());
        Ok(())
    }

    /// Makes the memory larger: zeros up to `size_bytes`, a multiple of the page size.
    ///
    /// # Errors
    /// The kernel's.
    ///
    /// # Panics
    /// When it would shrink, or leave the slot.
    pub fn grow_to(&self, size_bytes: usize) -> Result<(), MapError> {
        let old = self.size_bytes();
        assert!((old..=SLOT_BYTES).contains(&size_bytes));
        self.map_zeros(old, size_bytes - old)?;
        self.size_bytes.store(size_bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Puts the memory back to its image: windows and growth are unmapped, dirtied pages copied back.
    pub(crate) fn reset(&self, pagemap: Option<&Pagemap>) -> Result<(), MapError> {
        self.rearm()?;
        let held = self.image.lock();
        let Some(image) = held.as_ref() else {
            return Ok(());
        };
        self.windows.lock().clear();
        if self.size_bytes() > image.memory_bytes() {
            self.protect_from(image.memory_bytes())?;
        }
        if !pagemap.is_some_and(|pagemap| self.copy_back(image, pagemap)) {
            self.drop_pages(image.memory_bytes())?;
        }
        Ok(())
    }

    /// Copies dirtied pages back; `false` when there are too many for that, or the kernel would not tell.
    fn copy_back(&self, image: &Image, pagemap: &Pagemap) -> bool {
        let base = self.base.addr().get();
        let mut pages = 0;
        let scanned = pagemap.dirty(base..base + image.memory_bytes(), |range| {
            pages += range.len() / PAGE_BYTES;
            if pages <= KEEP_PAGES_MAX {
                self.restore(range.start - base, range.len(), image);
            }
        });
        scanned.is_ok() && pages <= KEEP_PAGES_MAX
    }

    fn restore(&self, offset: usize, len: usize, image: &Image) {
        let kept = image.bytes().get(offset..).unwrap_or(&[]);
        let kept = &kept[..kept.len().min(len)];
        // SAFETY: `offset + len` lies within the image's memory, which is mapped writable in this slot; the lease is
        // given back, so no guest and no reference is left; the image's view is another mapping.
        unsafe {
            let at = self.base.as_ptr().add(offset);
            std::ptr::copy_nonoverlapping(kept.as_ptr(), at, kept.len());
            std::ptr::write_bytes(at.add(kept.len()), 0, len - kept.len());
        }
    }

    fn drop_pages(&self, len: usize) -> Result<(), MapError> {
        if len == 0 {
            return Ok(());
        }
        // SAFETY: the range is this slot's own private mapping, with no guest left in it.
        unsafe { madvise(self.base.as_ptr().cast(), len, Advice::LinuxDontNeed) }
            .map_err(MapError::of("dropping dirtied pages"))
    }

    /// Takes all memory from `offset` on away: back to reserved addresses.
    fn protect_from(&self, offset: usize) -> Result<(), MapError> {
        let len = self.size_bytes() - offset.min(self.size_bytes());
        self.map_anonymous(offset, len, ProtFlags::empty())?;
        self.size_bytes
            .store(offset.min(self.size_bytes()), Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn map_zeros(&self, offset: usize, len: usize) -> Result<(), MapError> {
        self.map_anonymous(offset, len, ProtFlags::READ | ProtFlags::WRITE)
    }

    fn map_anonymous(&self, offset: usize, len: usize, prot: ProtFlags) -> Result<(), MapError> {
        if len == 0 {
            return Ok(());
        }
        assert!(offset + len <= SLOT_BYTES);
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the range lies in this slot's reservation (asserted), whose mappings are the slot's alone to replace.
        let mapped =
            unsafe { mmap_anonymous(self.base.as_ptr().add(offset).cast(), len, prot, flags) };
        mapped.map(|_| ()).map_err(MapError::of("mapping memory"))
    }

    pub(crate) fn map_file(
        &self,
        offset: usize,
        len: usize,
        file: impl AsFd,
        file_offset: u64,
    ) -> Result<(), MapError> {
        assert!(offset + len <= SLOT_BYTES);
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: as in `map_anonymous`. The mapping is private: what is written through it never reaches the file.
        let mapped = unsafe {
            mmap(
                self.base.as_ptr().add(offset).cast(),
                len,
                prot,
                flags,
                file,
                file_offset,
            )
        };
        mapped.map(|_| ()).map_err(MapError::of("mapping a file"))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        sigbus::leave(self.index);
        // SAFETY: the whole reservation made in `reserve`; no lease is left, so nobody uses an address of it, and the
        // signal handler no longer knows it.
        let unmapped = unsafe { munmap(self.reservation.as_ptr().cast(), RESERVED_BYTES) };
        unmapped.expect("unmapping a range that we mapped");
    }
}
