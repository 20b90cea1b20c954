//! One linear memory's address space.

use crate::pagemap::Pagemap;
use crate::poll::PollPage;
use crate::reservation::Reservation;
use crate::shared::Shared;
use crate::window::{Window, Windows};
use crate::{Image, MapError, PAGE_BYTES, WINDOW_ALIGN_BYTES, sigbus};
use parking_lot::Mutex;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Addresses of one linear memory: all that 32 bits can reach.
pub const SLOT_BYTES: usize = 4 << 30;
/// Protected addresses behind it, for the constant offsets of loads and stores.
pub const GUARD_BYTES: usize = 32 << 20;
/// Addresses that are a slot's: its memory begins at one of the first [`WINDOW_ALIGN_BYTES`].
const RESERVED_BYTES: usize = WINDOW_ALIGN_BYTES + SLOT_BYTES + GUARD_BYTES;

/// Up to this many dirtied pages are copied back and stay resident; more are given back to the kernel. Measured: a fault
/// costs ten times a copy, but resident pages are memory that an idle function holds.
const KEEP_PAGES_MAX: usize = 512;

/// The address space of one linear memory, over which images and objects are mapped.
///
/// One guest at a time uses it; the mutexes are never contended.
#[derive(Debug)]
pub struct Slot {
    reservation: Reservation,
    /// Bytes from the reservation's base to the memory's first, below [`WINDOW_ALIGN_BYTES`]: so many that the memory of the image ends
    /// where a window may begin.
    skipped_bytes: AtomicUsize,
    /// The guest's memory size.
    size_bytes: AtomicUsize,
    /// No byte from here on is accessible. Beyond the size only after a growth that failed.
    reach_bytes: AtomicUsize,
    image: Mutex<Option<Arc<Image>>>,
    pub(crate) windows: Mutex<Windows>,
    pub(crate) delta_expected: AtomicBool,
    pub(crate) shared: Arc<Shared>,
    pub(crate) poll: PollPage,
    index: usize,
}

impl Slot {
    /// Reserves the addresses of a slot; nothing of it is memory yet. `None` when the process has as many slots as it
    /// can ([`crate::SlotPool`] names the setting).
    pub(crate) fn reserve(shared: Arc<Shared>) -> Result<Option<Self>, MapError> {
        let reservation = Reservation::of(RESERVED_BYTES, "reserving a slot")?;
        let Some(index) = sigbus::enter(reservation.base().addr().get()) else {
            return Ok(None);
        };
        let slot = Self {
            reservation,
            skipped_bytes: AtomicUsize::new(0),
            size_bytes: AtomicUsize::new(0),
            reach_bytes: AtomicUsize::new(0),
            image: Mutex::new(None),
            windows: Mutex::default(),
            delta_expected: AtomicBool::new(false),
            shared,
            poll: PollPage::default(),
            index,
        };
        slot.map_poll_page(0)?;
        Ok(Some(slot))
    }

    /// The address of the memory's first byte; another after an image of another size is mapped.
    pub fn base(&self) -> *mut u8 {
        self.at(0, 0)
    }

    /// The address of the memory's byte at `offset`.
    ///
    /// # Panics
    /// When `len` bytes from there on leave the slot.
    pub(crate) fn at(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset + len <= SLOT_BYTES);
        self.reservation.at(self.skipped_bytes() + offset, len)
    }

    pub(crate) fn skipped_bytes(&self) -> usize {
        self.skipped_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn reservation(&self) -> &Reservation {
        &self.reservation
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

    pub(crate) fn image(&self) -> Option<Arc<Image>> {
        self.image.lock().clone()
    }

    /// What the memory holds; for as long as the guest stands inside a host call.
    ///
    /// # Panics
    /// When the range leaves the memory.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.size_bytes());
        // SAFETY: the memory is mapped up to its size (asserted); the guest, the only one to write it, is inside a host call.
        unsafe { std::slice::from_raw_parts(self.at(range.start, range.len()), range.len()) }
    }

    /// Writes zeros.
    ///
    /// # Panics
    /// When the range leaves the memory.
    pub(crate) fn put_zeros(&self, offset: usize, len: usize) {
        assert!(offset + len <= self.size_bytes());
        // SAFETY: the memory is mapped writable up to its size (asserted), and the guest is inside a host call.
        unsafe { self.at(offset, len).write_bytes(0, len) };
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
        self.end_at_a_window(image.memory_bytes())?;
        self.reach_bytes
            .store(image.memory_bytes(), Ordering::Relaxed);
        self.map_zeros(0, image.memory_bytes())?;
        if image.len_bytes() > 0 {
            self.map_file(0, image.len_bytes(), image.fd(), 0)?;
        }
        self.size_bytes
            .store(image.memory_bytes(), Ordering::Relaxed);
        *self.image.lock() = Some(image.clone());
        Ok(())
    }

    /// Has the memory, of which nothing is mapped, begin where its first `memory_bytes` end at a window's address: the first window
    /// then takes one mapping, with no gap before it to be filled with zeros.
    fn end_at_a_window(&self, memory_bytes: usize) -> Result<(), MapError> {
        let before = self.skipped_bytes();
        let skipped_bytes = memory_bytes.next_multiple_of(WINDOW_ALIGN_BYTES) - memory_bytes;
        if skipped_bytes != before {
            self.map_poll_page(skipped_bytes)?;
            self.skipped_bytes.store(skipped_bytes, Ordering::Relaxed);
            self.unmap_poll_page(before)?;
        }
        Ok(())
    }

    /// Makes the memory larger: zeros up to `size_bytes`, a multiple of the page size, but for a [new window](Slot::new_window).
    ///
    /// # Errors
    /// The kernel's.
    ///
    /// # Panics
    /// When it would shrink, or leave the slot.
    pub fn grow_to(&self, size_bytes: usize) -> Result<(), MapError> {
        let old = self.size_bytes();
        assert!((old..=SLOT_BYTES).contains(&size_bytes));
        let coming = self.windows.lock().coming.take();
        let left_out = coming
            .as_ref()
            .map_or(size_bytes..size_bytes, Window::range);
        assert!(old <= left_out.start && left_out.end <= size_bytes);
        self.reach_bytes.store(size_bytes, Ordering::Relaxed);
        self.make_accessible(old..left_out.start)?;
        self.make_accessible(left_out.end..size_bytes)?;
        self.size_bytes.store(size_bytes, Ordering::Relaxed);
        self.windows.lock().used.extend(coming);
        Ok(())
    }

    /// Puts the memory back to its image: windows and growth are unmapped, dirtied pages copied back.
    pub(crate) fn reset(&self) -> Result<(), MapError> {
        self.rearm()?;
        let held = self.image.lock();
        let Some(image) = held.as_ref() else {
            return Ok(());
        };
        self.delta_expected.store(false, Ordering::Relaxed);
        for window in std::mem::take(&mut *self.windows.lock()).used {
            self.keep_pages(&window);
        }
        if self.reach_bytes.load(Ordering::Relaxed) > image.memory_bytes() {
            self.protect_from(image.memory_bytes())?;
        }
        let pagemap = self.shared.pagemap.as_ref();
        if !pagemap.is_some_and(|pagemap| self.copy_back(image, pagemap)) {
            self.drop_pages(image.memory_bytes())?;
        }
        Ok(())
    }

    /// Copies dirtied pages back; `false` when there are too many for that, or the kernel would not tell.
    fn copy_back(&self, image: &Image, pagemap: &Pagemap) -> bool {
        let base = self.base().addr();
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
            let at = self.at(offset, len);
            std::ptr::copy_nonoverlapping(kept.as_ptr(), at, kept.len());
            std::ptr::write_bytes(at.add(kept.len()), 0, len - kept.len());
        }
    }

    fn drop_pages(&self, len: usize) -> Result<(), MapError> {
        if len == 0 {
            return Ok(());
        }
        // SAFETY: the range is this slot's own private mapping, with no guest left in it.
        unsafe { madvise(self.base().cast(), len, Advice::LinuxDontNeed) }
            .map_err(MapError::of("dropping dirtied pages"))
    }

    /// Takes all memory from `offset` on away: back to reserved addresses.
    fn protect_from(&self, offset: usize) -> Result<(), MapError> {
        let reach = self.reach_bytes.load(Ordering::Relaxed);
        self.map_anonymous(offset, reach.saturating_sub(offset), ProtFlags::empty())?;
        self.reach_bytes.fetch_min(offset, Ordering::Relaxed);
        self.size_bytes.fetch_min(offset, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn map_zeros(&self, offset: usize, len: usize) -> Result<(), MapError> {
        self.map_anonymous(offset, len, ProtFlags::READ | ProtFlags::WRITE)
    }

    /// Zeros where nothing was accessible since the image was mapped.
    pub(crate) fn make_accessible(&self, range: Range<usize>) -> Result<(), MapError> {
        assert!(range.end <= SLOT_BYTES);
        let start = self.skipped_bytes() + range.start;
        self.reservation.make_accessible(start, range.len())
    }

    fn map_anonymous(&self, offset: usize, len: usize, prot: ProtFlags) -> Result<(), MapError> {
        assert!(offset + len <= SLOT_BYTES);
        let start = self.skipped_bytes() + offset;
        self.reservation.map_anonymous(start, len, prot)
    }

    pub(crate) fn map_file(
        &self,
        offset: usize,
        len: usize,
        file: impl AsFd,
        file_offset: u64,
    ) -> Result<(), MapError> {
        let at = self.at(offset, len).cast();
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the range lies in this slot's reservation, whose mappings are the slot's alone to replace. The mapping is
        // private: what is written through it never reaches the file.
        let mapped = unsafe { mmap(at, len, prot, flags, file, file_offset) };
        mapped.map(|_| ()).map_err(MapError::of("mapping a file"))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Before the reservation is dropped: from here on the signal handler does not know it.
        sigbus::leave(self.index);
    }
}
