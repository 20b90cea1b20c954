//! Filling a window from somewhere else, over pages that may hold an earlier guest's bytes.

use crate::kept::PIECE_BYTES;
use crate::shared::Shared;
use crate::window::{Content, Window};
use crate::{MapError, PAGE_BYTES, Slot, WINDOW_ALIGN_BYTES};
use rustix::io::Errno;
use rustix::mm::{Advice, madvise};

/// A window that is being filled. While there is one its bytes are *unspecified*, and the guest must not run: it is inside of
/// the host call that fills.
///
/// The one way to make the window the guest's is [`Filling::finish`]. Any other end, an error or a panic, gives the window
/// back: zeros in its place, and a later window may use it.
#[derive(Debug)]
#[must_use = "dropping it gives the window back"]
pub struct Filling<'a> {
    slot: &'a Slot,
    offset: usize,
    len_bytes: usize,
}

impl Slot {
    /// Begins to fill the first `len_bytes` of the empty window at `offset`, which are in the slot's memory, for whoever brings
    /// the bytes to write. Pages that earlier windows left are used again and hold what they held, so the second filling of a
    /// place takes neither a page fault nor the kernel's zeroing; where there are none a window of 2 MiB and more asks for
    /// large pages: one fault in place of 512.
    ///
    /// # Errors
    /// The kernel's; the window is then given back.
    ///
    /// # Panics
    /// When there is no empty window of that length.
    pub fn begin_filling(&self, offset: usize, len_bytes: usize) -> Result<Filling<'_>, MapError> {
        let len = len_bytes.next_multiple_of(PAGE_BYTES);
        let content = Content::Filled {
            len,
            watched: false,
        };
        let nowhere = self.windows.lock().hold(offset, len, content);
        // From here on the window is given back on every path that does not finish.
        let filling = Filling {
            slot: self,
            offset,
            len_bytes,
        };
        if let Some(window_len) = nowhere {
            self.make_accessible(offset..offset + window_len)?;
        }
        self.ask_for_large_pages(offset, len)?;
        self.take_kept_pages(offset, len)?;
        Ok(filling)
    }

    fn ask_for_large_pages(&self, offset: usize, len: usize) -> Result<(), MapError> {
        if len < WINDOW_ALIGN_BYTES {
            return Ok(());
        }
        let at = self.at(offset, len).cast();
        // SAFETY: the range lies in this slot's memory, and advice on page sizes changes no contents.
        match unsafe { madvise(at, len, Advice::LinuxHugepage) } {
            // A kernel that is built without them.
            Err(Errno::INVAL) => Ok(()),
            advised => advised.map_err(MapError::of("asking for large pages")),
        }
    }

    fn take_kept_pages(&self, offset: usize, len: usize) -> Result<(), MapError> {
        let Some(kept) = &self.shared.kept else {
            return Ok(());
        };
        for (at, len) in pieces(offset, len) {
            // SAFETY: the range lies in this slot's memory, in a window that is being filled: the guest is inside a host call.
            unsafe { kept.take(self.at(at, len), len) }?;
        }
        Ok(())
    }

    /// Moves the pages of a filled window to where they wait for the next; zeros stay in their place, or what was there.
    pub(crate) fn keep_pages(&self, window: &Window) {
        let (Some(kept), Content::Filled { len, watched }) = (&self.shared.kept, &window.content)
        else {
            return;
        };
        if *watched && !self.watch_no_more(window.offset, *len) {
            return;
        }
        for (at, len) in pieces(window.offset, *len) {
            // SAFETY: the range lies in this slot, is anonymous memory of a filled window, and the window is being given back.
            unsafe { kept.put(self.at(at, len), len) };
        }
    }

    /// Has the kernel remember from now on who writes a window's pages; `false` where it cannot.
    fn watch(&self, offset: usize, len: usize) -> bool {
        let at = self.at(offset, len).addr();
        let Shared {
            pagemap: Some(_),
            tracker: Some(tracker),
            ..
        } = &*self.shared
        else {
            return false;
        };
        len > 0 && tracker.watch(&(at..at + len)).is_ok()
    }

    fn watch_no_more(&self, offset: usize, len: usize) -> bool {
        let at = self.at(offset, len).addr();
        let tracker = self.shared.tracker.as_ref();
        tracker.is_some_and(|tracker| tracker.forget(&(at..at + len)).is_ok())
    }
}

/// The parts of a window that are moved at once; it begins at a multiple of their size.
fn pieces(offset: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..len)
        .step_by(PIECE_BYTES)
        .map(move |start| (offset + start, PIECE_BYTES.min(len - start)))
}

impl Filling<'_> {
    /// The window is the guest's: `bytes_written` bytes from its beginning on, every one of which was written, and zeros behind
    /// them in the pages that were to be filled.
    ///
    /// # Panics
    /// When that is more than was to be filled.
    pub fn finish(self, bytes_written: usize) {
        assert!(bytes_written <= self.len_bytes);
        let (slot, offset) = (self.slot, self.offset);
        let len = self.len_bytes.next_multiple_of(PAGE_BYTES);
        slot.put_zeros(offset + bytes_written, len - bytes_written);
        if slot.expects_delta() && slot.watch(offset, len) {
            let watched = true;
            slot.windows.lock().at(offset, len).content = Content::Filled { len, watched };
        }
        std::mem::forget(self);
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        if self.slot.unmap_window(self.offset).is_err() {
            // The guest may run on. Should nothing be mapped there at all, the process ends here, which is the lesser evil.
            let len = self.len_bytes.next_multiple_of(PAGE_BYTES);
            self.slot.put_zeros(self.offset, len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        MEMORY, expected, faults, image, large_pages_are_given, memory, new_window, object,
    };
    use crate::{KEPT_BYTES_MAX, Lease, SlotPool};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    const WINDOW: usize = WINDOW_ALIGN_BYTES;

    /// A window of `len` bytes that the guest sees filled with `byte`.
    fn fill(slot: &Slot, len: usize, byte: u8) -> usize {
        let offset = slot
            .free_window(len)
            .unwrap_or_else(|| new_window(slot, len));
        let filling = slot.begin_filling(offset, len).unwrap();
        memory(slot)[offset..offset + len].fill(byte);
        filling.finish(len);
        offset
    }

    #[test]
    fn the_first_filling_takes_a_fault_for_each_large_page_and_the_next_ones_none() {
        let pool = SlotPool::new(1);
        let mut taken = Vec::new();
        for (guest, byte) in [(1, 11), (1, 12), (2, 13)] {
            let lease = pool.take(&image(guest)).unwrap().unwrap();
            let offset = new_window(&lease, 4 * WINDOW);
            let filling = lease.begin_filling(offset, 4 * WINDOW).unwrap();
            let before = faults();
            memory(&lease)[offset..].fill(byte);
            taken.push(faults() - before);
            filling.finish(4 * WINDOW);
        }
        assert!(taken[0] < 100 || !large_pages_are_given(), "{taken:?}");
        assert!(taken[1..].iter().all(|faults| *faults < 5), "{taken:?}");
    }

    #[test]
    fn a_window_below_a_large_page_is_filled_without_faults_as_well() {
        let pool = SlotPool::new(1);
        let len = 300_000;
        let mut taken = Vec::new();
        for byte in 1..4 {
            let lease = pool.take(&image(7)).unwrap().unwrap();
            let before = faults();
            let offset = fill(&lease, len, byte);
            taken.push(faults() - before);
            assert!(lease.unmap_window(offset).unwrap());
            let before = faults();
            assert_eq!(fill(&lease, len - 100, byte), offset);
            taken.push(faults() - before);
            let window = &memory(&lease)[offset..];
            assert!(window[..len - 100].iter().all(|seen| *seen == byte));
            assert!(window[len - 100..].iter().all(|seen| *seen == 0));
        }
        assert!(taken[1..].iter().all(|faults| *faults < 10), "{taken:?}");
    }

    #[test]
    fn a_filling_that_is_not_finished_leaves_zeros_and_a_free_window() {
        let pool = SlotPool::new(1);
        let image = image(7);
        fill(&pool.take(&image).unwrap().unwrap(), 2 * WINDOW, 66);
        let lease = pool.take(&image).unwrap().unwrap();
        let offset = new_window(&lease, 2 * WINDOW);
        let filling = lease.begin_filling(offset, 2 * WINDOW).unwrap();
        assert_eq!(
            memory(&lease)[offset],
            66,
            "pages were kept, or this shows nothing"
        );
        drop(filling);
        assert!(memory(&lease)[offset..].iter().all(|byte| *byte == 0));
        assert_eq!(lease.free_window(2 * WINDOW), Some(offset));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _filling = lease.begin_filling(offset, 2 * WINDOW).unwrap();
            panic!("the store's defect");
        }));
        assert!(panicked.is_err());
        assert!(memory(&lease)[offset..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_filling_that_its_host_forgot_ends_with_its_guest() {
        let pool = SlotPool::new(1);
        let image = image(7);
        let lease = pool.take(&image).unwrap().unwrap();
        let offset = new_window(&lease, WINDOW);
        std::mem::forget(lease.begin_filling(offset, WINDOW).unwrap());
        drop(lease);
        let lease = pool.take(&image).unwrap().unwrap();
        assert_eq!(memory(&lease), expected(7));
        lease.grow_to(offset + WINDOW).unwrap();
        assert!(memory(&lease)[MEMORY..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_latest() {
        let pool = SlotPool::new(1);
        let kept = pool.shared.kept.as_ref().unwrap();
        for len in [KEPT_BYTES_MAX, 3 * WINDOW + 5000, KEPT_BYTES_MAX + WINDOW] {
            fill(&lease_of(&pool), len, 9);
            assert!(kept.kept_bytes() <= KEPT_BYTES_MAX, "{len}");
            assert!(kept.kept_bytes() >= len.min(KEPT_BYTES_MAX - WINDOW));
        }
    }

    fn lease_of(pool: &Arc<SlotPool>) -> Lease {
        pool.take(&image(7)).unwrap().unwrap()
    }

    #[test]
    fn guests_that_run_at_once_share_kept_pages_and_no_bytes() {
        let pool = SlotPool::new(4);
        std::thread::scope(|scope| {
            for mark in 1..5 {
                let pool = &pool;
                scope.spawn(move || {
                    for round in 0..50 {
                        let lease = lease_of(pool);
                        assert_eq!(memory(&lease), expected(7));
                        let len = WINDOW + round * 10_000;
                        let offset = fill(&lease, len, mark);
                        let window = &memory(&lease)[offset..];
                        assert!(window[..len].iter().all(|byte| *byte == mark));
                        assert!(window[len..].iter().all(|byte| *byte == 0));
                    }
                });
            }
        });
    }

    /// What one guest, or its host, does with its memory. Places are fractions of what is there.
    #[derive(Clone, Debug)]
    enum Step {
        Grow(usize),
        Write(prop::sample::Index),
        /// Fills a window of that length, of which only so much is written at the end: whole, cut short, or given up.
        Fill(usize, prop::sample::Index, End),
        Map(usize),
        Unmap(prop::sample::Index),
    }

    #[derive(Clone, Copy, Debug)]
    enum End {
        Whole,
        CutShort,
        GivenUp,
        /// By the whole guest, in the middle of a filling.
        Stopped,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let len = prop_oneof![
            1..200_000_usize,
            WINDOW - 70_000..WINDOW + 70_000,
            Just(2 * WINDOW)
        ];
        let end = prop_oneof![
            4 => Just(End::Whole), 1 => Just(End::CutShort), 1 => Just(End::GivenUp), 1 => Just(End::Stopped)
        ];
        let index = any::<prop::sample::Index>;
        let step = prop_oneof![
            1 => (1..40_usize).prop_map(|pages| Step::Grow(pages * PAGE_BYTES)),
            2 => index().prop_map(Step::Write),
            4 => (len.clone(), index(), end).prop_map(|(len, part, end)| Step::Fill(len, part, end)),
            1 => len.prop_map(Step::Map),
            2 => index().prop_map(Step::Unmap),
        ];
        prop::collection::vec(step, 0..6)
    }

    /// A guest, and what it must see: its image, zeros, and what was written for it.
    struct Guest<'a> {
        slot: &'a Slot,
        mark: u8,
        sees: Vec<u8>,
        windows: Vec<usize>,
        /// The lengths of all windows that there ever were.
        lens: BTreeMap<usize, usize>,
    }

    impl Guest<'_> {
        fn window(&mut self, len: usize) -> usize {
            let found = self.slot.free_window(len);
            let offset = found.unwrap_or_else(|| new_window(self.slot, len));
            if found.is_none() {
                self.lens.insert(offset, len.next_multiple_of(65_536));
            }
            self.sees.resize(self.slot.size_bytes(), 0);
            offset
        }

        /// So many bytes of an object of `len` bytes, and zeros behind them in its pages.
        fn gets(&mut self, offset: usize, len: usize, bytes: usize) {
            self.sees[offset..offset + len.next_multiple_of(PAGE_BYTES)].fill(0);
            self.sees[offset..offset + bytes].fill(self.mark);
            self.windows.push(offset);
        }

        /// A window, whole, is about to become zeros.
        fn loses(&mut self, offset: usize) {
            self.sees[offset..offset + self.lens[&offset]].fill(0);
        }

        /// `false` when the guest does not go on.
        fn goes_on(&mut self, step: &Step) -> bool {
            match step {
                Step::Grow(bytes) => {
                    self.slot.grow_to(self.slot.size_bytes() + bytes).unwrap();
                    self.sees.resize(self.slot.size_bytes(), 0);
                }
                Step::Write(place) => {
                    let at = place.index(self.sees.len());
                    (memory(self.slot)[at], self.sees[at]) = (self.mark, self.mark);
                }
                Step::Fill(len, part, end) => return self.fill(*len, part.index(*len), *end),
                Step::Map(len) => {
                    let offset = self.window(*len);
                    let file = object(&vec![self.mark; *len]);
                    self.slot.map_object(offset, &file, 0, *len).unwrap();
                    self.gets(offset, *len, *len);
                }
                Step::Unmap(which) if !self.windows.is_empty() => {
                    let offset = self.windows.remove(which.index(self.windows.len()));
                    self.loses(offset);
                    assert!(self.slot.unmap_window(offset).unwrap());
                }
                Step::Unmap(_) => {}
            }
            true
        }

        fn fill(&mut self, len: usize, part: usize, end: End) -> bool {
            let offset = self.window(len);
            let filling = self.slot.begin_filling(offset, len).unwrap();
            let written = if matches!(end, End::Whole) { len } else { part };
            memory(self.slot)[offset..offset + written].fill(self.mark);
            match end {
                End::Whole | End::CutShort => {
                    filling.finish(written);
                    self.gets(offset, len, written);
                }
                End::GivenUp => {
                    self.loses(offset);
                    drop(filling);
                }
                End::Stopped => std::mem::forget(filling),
            }
            !matches!(end, End::Stopped)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn a_guest_sees_its_image_zeros_and_its_own_bytes_only(
            guests in prop::collection::vec((0..3_u8, steps()), 1..7),
        ) {
            let pool = SlotPool::new(2);
            let images = [image(201), image(202), image(203)];
            for (mark, (which, steps)) in (1..).zip(guests) {
                let lease = pool.take(&images[usize::from(which)]).unwrap().unwrap();
                let sees = expected(201 + which);
                let mut guest = Guest { slot: &lease, mark, sees, windows: Vec::new(), lens: BTreeMap::new() };
                prop_assert!(memory(&lease) == guest.sees, "guest {mark} before it begins");
                for step in steps {
                    if !guest.goes_on(&step) {
                        break;
                    }
                    prop_assert!(memory(&lease) == guest.sees, "guest {mark} after {step:?}");
                }
            }
        }
    }
}
