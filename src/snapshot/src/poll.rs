//! The poll page: how a guest that runs is told to stop.
//!
//! Every slot has one page of zeros in the guard behind it. Guests are rewritten so that each loop and each function reads
//! it in passing (`registry`); such a read costs next to nothing, since nobody waits for its result. [`Slot::trip`] makes
//! the page inaccessible, and the guest's next read of it is a trap.
//!
//! ```text
//!   base                                        base + 4 GiB        + 60 KiB
//!   | memory, as far as it has grown | protected |    protected    | poll page |   protected   |
//!   |<------------------ slot ------------------>|<----------------- guard ------------------>|
//! ```
//!
//! In the guard it takes nothing of the 4 GiB that memory and windows share. A guest's own loads reach it only by an address
//! that runs over 4 GiB with a constant offset of more than 56 KiB, which is out of bounds: they find zeros there in place
//! of a trap. Stores do trap.

use crate::{MapError, PAGE_BYTES, SLOT_BYTES, Slot};
use rustix::mm::{MprotectFlags, ProtFlags, mprotect};
use std::ffi::c_void;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the poll page is, from a slot's base on.
pub const POLL_PAGE: Range<usize> = POLL_OFFSET..POLL_OFFSET + PAGE_BYTES;

const POLL_OFFSET: usize = SLOT_BYTES + 15 * PAGE_BYTES;

/// Whether a slot's poll page is inaccessible.
#[derive(Debug, Default)]
pub(crate) struct PollPage {
    tripped: AtomicBool,
}

impl Slot {
    /// Makes the poll page inaccessible: the guest in this slot traps where it next polls, from whichever thread this is
    /// called. A guest that only waits, or ends without polling, is not harmed. It lasts until the slot's lease is dropped.
    ///
    /// Whoever calls makes sure that the lease is not dropped meanwhile; otherwise it is the next guest that is stopped.
    ///
    /// # Errors
    /// The kernel's; the guest goes on then.
    pub fn trip(&self) -> Result<(), MapError> {
        // Before the page: a guest that finds it inaccessible finds this set.
        self.poll.tripped.store(true, Ordering::SeqCst);
        self.protect_poll_page(MprotectFlags::empty())
    }

    /// Whether the guest in this slot was told to stop.
    pub fn tripped(&self) -> bool {
        self.poll.tripped.load(Ordering::SeqCst)
    }

    /// Maps the page for a memory that begins `skipped_bytes` behind the reservation's base: private memory that is only read is the
    /// kernel's one page of zeros.
    pub(crate) fn map_poll_page(&self, skipped_bytes: usize) -> Result<(), MapError> {
        let offset = skipped_bytes + POLL_OFFSET;
        self.reservation()
            .map_anonymous(offset, PAGE_BYTES, ProtFlags::READ)
    }

    /// Takes away what [`Slot::map_poll_page`] mapped.
    pub(crate) fn unmap_poll_page(&self, skipped_bytes: usize) -> Result<(), MapError> {
        let offset = skipped_bytes + POLL_OFFSET;
        self.reservation()
            .map_anonymous(offset, PAGE_BYTES, ProtFlags::empty())
    }

    /// Makes the page readable again where it was tripped. Only without a guest.
    pub(crate) fn rearm(&self) -> Result<(), MapError> {
        if !self.tripped() {
            return Ok(());
        }
        self.protect_poll_page(MprotectFlags::READ)?;
        self.poll.tripped.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn protect_poll_page(&self, flags: MprotectFlags) -> Result<(), MapError> {
        // SAFETY: the page is this slot's own, and nothing but guests' polls reads it, for which a fault is a trap.
        unsafe { mprotect(self.poll_page(), PAGE_BYTES, flags) }
            .map_err(MapError::of("protecting a poll page"))
    }

    fn poll_page(&self) -> *mut c_void {
        self.base().wrapping_add(POLL_OFFSET).cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rights;
    use crate::{GUARD_BYTES, Image, SlotPool};
    use std::sync::Arc;

    const _: () = assert!(POLL_PAGE.end <= SLOT_BYTES + GUARD_BYTES);

    /// What a guest's poll finds.
    fn polled(slot: &Slot) -> &[u8] {
        // SAFETY: the caller has not tripped the slot, so the page is readable.
        unsafe { std::slice::from_raw_parts(slot.poll_page().cast::<u8>(), PAGE_BYTES) }
    }

    fn pool() -> (Arc<SlotPool>, Arc<Image>) {
        let image = Image::new(&[1; PAGE_BYTES], 16 * PAGE_BYTES, vec![]).unwrap();
        (SlotPool::new(1), Arc::new(image))
    }

    #[test]
    fn a_tripped_slot_faults_until_its_lease_is_dropped_and_serves_the_next_guest() {
        let (pool, image) = pool();
        for round in 0..20 {
            let lease = pool.take(&image).unwrap().unwrap();
            assert!(!lease.tripped(), "round {round}");
            assert_eq!(mapping(&lease), "r--p", "round {round}");
            assert_eq!(polled(&lease), [0; PAGE_BYTES]);
            if round % 3 == 0 {
                lease.trip().unwrap();
                lease.trip().unwrap();
                assert!(lease.tripped());
                assert_eq!(mapping(&lease), "---p", "round {round}");
            }
        }
    }

    #[test]
    fn memory_that_fills_the_slot_leaves_the_poll_page_alone() {
        let (pool, image) = pool();
        let lease = pool.take(&image).unwrap().unwrap();
        lease.grow_to(SLOT_BYTES).unwrap();
        assert_eq!(polled(&lease), [0; PAGE_BYTES]);
        drop(lease);
        let lease = pool.take(&image).unwrap().unwrap();
        assert_eq!(polled(&lease), [0; PAGE_BYTES]);
    }

    #[test]
    fn the_page_is_where_guests_poll_whatever_image_was_there_before() {
        let pool = SlotPool::new(1);
        let sized = |pages| Arc::new(Image::new(&[1], pages * PAGE_BYTES, vec![]).unwrap());
        let mut before = Vec::new();
        for image in [16, 32, 512, 16, 528].map(sized) {
            let lease = pool.take(&image).unwrap().unwrap();
            assert_eq!(polled(&lease), [0; PAGE_BYTES]);
            let page = lease.poll_page().addr();
            before.retain(|other| *other != page);
            assert!(before.iter().all(|page| rights(*page) == "---p"));
            lease.trip().unwrap();
            assert_eq!(rights(page), "---p");
            before.push(page);
        }
    }

    fn mapping(slot: &Slot) -> String {
        rights(slot.poll_page().addr())
    }
}
