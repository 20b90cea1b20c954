//! Slots that wait for their next guest, preferably one of the same image.

use crate::shared::Shared;
use crate::{Image, MapError, Slot};
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::Arc;

/// The free slots, least recently used first, and how many there are in all.
#[derive(Debug, Default)]
struct Slots {
    free: Vec<Arc<Slot>>,
    made: usize,
}

/// The slots of a process or a worker.
#[derive(Debug)]
pub struct SlotPool {
    slots: Mutex<Slots>,
    slots_max: usize,
    pub(crate) shared: Arc<Shared>,
}

impl SlotPool {
    /// A pool of at most `slots_max` slots (setting `worker.instances`); each reserves 4 GiB of addresses, not memory,
    /// when it is first needed. Pages of filled windows it keeps for the next ones, up to [`crate::KEPT_BYTES_MAX`].
    pub fn new(slots_max: usize) -> Arc<Self> {
        Self::with(slots_max, Shared::open())
    }

    pub(crate) fn with(slots_max: usize, shared: Shared) -> Arc<Self> {
        Arc::new(Self {
            slots: Mutex::default(),
            slots_max,
            shared: Arc::new(shared),
        })
    }

    /// Whether resets find dirtied pages by `PAGEMAP_SCAN`; without it they drop all pages, which is slower for the
    /// next guest and otherwise the same.
    pub fn scans_pages(&self) -> bool {
        self.shared.pagemap.is_some()
    }

    /// A slot in which `image` is mapped and untouched; `None` when all are in use.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take(self: &Arc<Self>, image: &Arc<Image>) -> Result<Option<Lease>, MapError> {
        let Some(slot) = self.find(image)? else {
            return Ok(None);
        };
        let lease = Lease {
            slot,
            pool: self.clone(),
        };
        if !lease.slot.holds(image) {
            lease.slot.load(image)?;
        }
        Ok(Some(lease))
    }

    /// The most recent one with this image; else a new one while there may be more; else the least recent one.
    fn find(&self, image: &Arc<Image>) -> Result<Option<Arc<Slot>>, MapError> {
        let mut slots = self.slots.lock();
        if let Some(index) = slots.free.iter().rposition(|slot| slot.holds(image)) {
            return Ok(Some(slots.free.remove(index)));
        }
        if slots.made < self.slots_max
            && let Some(slot) = Slot::reserve(self.shared.clone())?
        {
            slots.made += 1;
            return Ok(Some(Arc::new(slot)));
        }
        Ok(if slots.free.is_empty() {
            None
        } else {
            Some(slots.free.remove(0))
        })
    }
}

/// A slot in use. Dropping it puts the memory back to its image and the slot back into the pool.
#[derive(Debug)]
pub struct Lease {
    slot: Arc<Slot>,
    pool: Arc<SlotPool>,
}

impl Lease {
    /// The slot, for the host functions of the guest that runs in it. It is not to be used once the lease is dropped.
    pub fn slot(&self) -> Arc<Slot> {
        self.slot.clone()
    }
}

impl Deref for Lease {
    type Target = Slot;
    fn deref(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let reset = self.slot.reset();
        let mut slots = self.pool.slots.lock();
        match reset {
            Ok(()) => slots.free.push(self.slot.clone()),
            // A slot that cannot be put back is never used again: no guest may see another's memory.
            Err(_) => slots.made -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PAGE_BYTES;
    use crate::testing::{MEMORY, expected, image, memory, new_window, object};

    /// With the kernel's page scan where it has one, and without.
    fn pools() -> Vec<Arc<SlotPool>> {
        vec![SlotPool::new(2), SlotPool::with(2, Shared::nothing())]
    }

    #[test]
    fn every_guest_sees_the_image_and_nothing_of_the_one_before() {
        for pool in pools() {
            let image = image(7);
            for round in 0..50_usize {
                let lease = pool.take(&image).unwrap().unwrap();
                assert_eq!(memory(&lease), expected(7), "round {round}");
                memory(&lease)[round * 1000 % MEMORY] = 99;
                lease.grow_to(MEMORY + 64 * PAGE_BYTES).unwrap();
                assert!(memory(&lease)[MEMORY..].iter().all(|byte| *byte == 0));
                memory(&lease)[MEMORY..].fill(5);
            }
            assert_eq!(pool.slots.lock().made, 1, "one slot served all");
        }
    }

    #[test]
    fn more_dirtied_pages_than_are_kept_are_put_back_as_well() {
        let bytes = 2000 * PAGE_BYTES;
        let large = Arc::new(Image::new(&vec![3; bytes], bytes, vec![]).unwrap());
        for pool in pools() {
            let lease = pool.take(&large).unwrap().unwrap();
            memory(&lease).fill(9);
            drop(lease);
            let lease = pool.take(&large).unwrap().unwrap();
            assert!(memory(&lease).iter().all(|byte| *byte == 3));
        }
    }

    #[test]
    fn a_slot_of_another_image_is_mapped_anew() {
        let pool = SlotPool::new(1);
        let (first, second) = (image(1), image(2));
        memory(&pool.take(&first).unwrap().unwrap()).fill(77);
        assert_eq!(memory(&pool.take(&second).unwrap().unwrap()), expected(2));
        let lease = pool.take(&first).unwrap().unwrap();
        assert_eq!(memory(&lease), expected(1));
        assert!(
            pool.take(&second).unwrap().is_none(),
            "the only slot is in use"
        );
    }

    #[test]
    fn a_window_shows_the_object_and_keeps_what_is_written_to_itself() {
        let pool = SlotPool::new(1);
        let image = image(1);
        let bytes: Vec<u8> = (0..3 * PAGE_BYTES + 100)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        let mut stored = bytes.clone();
        stored.extend_from_slice(b"what the store keeps behind the object");
        let file = object(&stored);
        let lease = pool.take(&image).unwrap().unwrap();
        assert_eq!(lease.free_window(bytes.len()), None);
        let offset = new_window(&lease, bytes.len());
        assert_eq!(
            memory(&lease)[offset..].as_ptr().addr() % crate::WINDOW_ALIGN_BYTES,
            0
        );
        lease.map_object(offset, &file, 0, bytes.len()).unwrap();
        let window = &mut memory(&lease)[offset..];
        assert_eq!(&window[..bytes.len()], bytes);
        assert!(
            window[bytes.len()..].iter().all(|byte| *byte == 0),
            "nothing behind the object"
        );
        window[0] = 200;
        let mut first = [0];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut first, 0).unwrap();
        assert_eq!(first, [0], "the file is as it was");
        assert!(lease.unmap_window(offset).unwrap());
        assert!(!lease.unmap_window(offset).unwrap());
        assert!(memory(&lease)[offset..].iter().all(|byte| *byte == 0));
        assert_eq!(
            lease.free_window(PAGE_BYTES),
            Some(offset),
            "the range is used again"
        );
        drop(lease);
        assert_eq!(memory(&pool.take(&image).unwrap().unwrap()), expected(1));
    }

    #[test]
    fn an_object_cut_short_reads_as_zeros_and_marks_the_slot() {
        let pool = SlotPool::new(1);
        let image = image(1);
        let file = object(&[8; 4 * PAGE_BYTES]);
        let lease = pool.take(&image).unwrap().unwrap();
        let offset = new_window(&lease, 4 * PAGE_BYTES);
        lease.map_object(offset, &file, 0, 4 * PAGE_BYTES).unwrap();
        assert!(!lease.take_torn());
        file.set_len(PAGE_BYTES as u64).unwrap();
        assert_eq!(memory(&lease)[offset], 8);
        assert_eq!(memory(&lease)[offset + 2 * PAGE_BYTES], 0);
        assert!(lease.take_torn());
        assert!(!lease.take_torn(), "asked once");
    }
}
