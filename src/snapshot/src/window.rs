//! Object windows: ranges of linear memory, above the heap, over which objects are mapped.

use crate::{MapError, PAGE_BYTES, Slot};
use ganglion_types::MEMORY_UNIT_BYTES;
use std::fs::File;
use std::ops::Range;

/// Windows begin at multiples of this in the host's addresses, so that the page cache's 2 MiB pages can be mapped as such. In the
/// guest's they begin at multiples of it behind its image's memory, which are the same for all slots with that image.
pub const WINDOW_ALIGN_BYTES: usize = 2 << 20;

/// Where a slot's windows are.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    pub(crate) used: Vec<Window>,
    pub(crate) free: Vec<Window>,
    /// The window that the growth which is under way makes room for.
    pub(crate) coming: Option<Window>,
}

#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) content: Content,
    /// Whether it was opened, or given back, since a delta was applied.
    pub(crate) replaced: bool,
}

/// What the host put into a window.
#[derive(Debug)]
pub(crate) enum Content {
    /// Not even memory: addresses, until something is mapped there. The guest is inside of the host call that opens the window.
    Nowhere,
    /// Nothing.
    Zeros,
    /// Pages of a file, from the window's beginning on.
    Mapped {
        len: usize,
        /// The last of these pages, where the host has written it and somebody is going to ask who has.
        last_page: Option<Box<[u8]>>,
    },
    /// Bytes that were written, or are being written, into pages from the window's beginning on.
    Filled {
        len: usize,
        /// Whether the kernel tells since then who writes them.
        watched: bool,
    },
}

impl Window {
    /// A window with nothing in it.
    pub(crate) fn empty(offset: usize, len: usize) -> Self {
        Self {
            offset,
            len,
            content: Content::Zeros,
            replaced: true,
        }
    }

    /// A window that is not memory yet.
    fn nowhere(offset: usize, len: usize) -> Self {
        Self {
            content: Content::Nowhere,
            ..Self::empty(offset, len)
        }
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.len
    }
}

impl Windows {
    /// The window in use that begins at `offset`, `len` bytes of which are to hold something.
    ///
    /// # Panics
    /// When there is none of that length.
    pub(crate) fn at(&mut self, offset: usize, len: usize) -> &mut Window {
        let mut windows = self.used.iter_mut();
        let window = windows.find(|window| window.offset == offset && len <= window.len);
        window.expect("a window of that length begins there")
    }

    /// As [`Windows::at`], of a window with nothing in it: it is to hold this. Where it is not memory yet, its length is returned.
    pub(crate) fn hold(&mut self, offset: usize, len: usize, content: Content) -> Option<usize> {
        let window = self.at(offset, len);
        match std::mem::replace(&mut window.content, content) {
            Content::Nowhere => Some(window.len),
            Content::Zeros => None,
            Content::Mapped { .. } | Content::Filled { .. } => {
                panic!("a window with nothing in it")
            }
        }
    }
}

impl Slot {
    /// A free range for `len_bytes` of an object among those that were given back: the smallest that is large enough.
    /// `None`: [`Slot::new_window`] makes one.
    pub fn free_window(&self, len_bytes: usize) -> Option<usize> {
        let len = window_len(len_bytes);
        let mut windows = self.windows.lock();
        let fits = windows
            .free
            .iter()
            .enumerate()
            .filter(|(_, window)| window.len >= len);
        let (index, _) = fits.min_by_key(|(_, window)| window.len)?;
        let found = windows.free.swap_remove(index);
        windows.used.push(Window::empty(found.offset, found.len));
        Some(found.offset)
    }

    /// A window for `len_bytes` at the memory's end, and its offset. `grow` has the memory grow, by [`Slot::grow_to`], to the size
    /// that it is given. The window's addresses are left out of that, and are memory once an object is mapped there or filled in,
    /// or the window given back: only then may the guest go on. So what is going to be mapped over is not mapped first.
    ///
    /// # Errors
    /// As `grow`: there is no window then.
    ///
    /// # Panics
    /// When `grow` gives no error, and the memory has not grown.
    pub fn new_window<E>(
        &self,
        len_bytes: usize,
        grow: impl FnOnce(usize) -> Result<(), E>,
    ) -> Result<usize, E> {
        let skipped = self.skipped_bytes();
        let offset = (skipped + self.size_bytes()).next_multiple_of(WINDOW_ALIGN_BYTES) - skipped;
        let window = Window::nowhere(offset, window_len(len_bytes));
        let end = window.range().end;
        self.windows.lock().coming = Some(window);
        let grown = grow(end);
        let left_behind = self.windows.lock().coming.take();
        grown?;
        assert!(left_behind.is_none(), "the memory has grown");
        Ok(offset)
    }

    /// Maps `len_bytes` of a file from `file_offset` (a multiple of the page size) over the empty window at `offset`, privately.
    /// What the file holds behind them in its last page is made zeros: it is not the object's.
    ///
    /// # Errors
    /// The kernel's.
    ///
    /// # Panics
    /// When there is no empty window of that length.
    pub fn map_object(
        &self,
        offset: usize,
        file: &File,
        file_offset: u64,
        len_bytes: usize,
    ) -> Result<(), MapError> {
        let len = len_bytes.next_multiple_of(PAGE_BYTES);
        let content = if len == 0 {
            Content::Zeros
        } else {
            Content::Mapped {
                len,
                last_page: None,
            }
        };
        let nowhere = self.windows.lock().hold(offset, len, content);
        if let Some(window_len) = nowhere {
            self.make_accessible(offset + len..offset + window_len)?;
        }
        if len == 0 {
            return Ok(());
        }
        self.map_file(offset, len, file, file_offset)?;
        self.put_zeros(offset + len_bytes, len - len_bytes);
        if len > len_bytes && self.expects_delta() {
            let last = self.bytes(offset + len - PAGE_BYTES..offset + len);
            let last_page = Some(last.into());
            self.windows.lock().at(offset, len).content = Content::Mapped { len, last_page };
        }
        Ok(())
    }

    /// Gives the window that begins at `offset` back: zeros in its place, and a later window may use it. `false` when no
    /// window begins there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn unmap_window(&self, offset: usize) -> Result<bool, MapError> {
        let mut windows = self.windows.lock();
        let mut used = windows.used.iter();
        let Some(index) = used.position(|window| window.offset == offset) else {
            return Ok(false);
        };
        let window = windows.used.swap_remove(index);
        self.put_back(&window)?;
        windows.free.push(Window::empty(window.offset, window.len));
        Ok(true)
    }

    /// Zeros in a window's place; pages that can be of use to another are kept for it.
    pub(crate) fn put_back(&self, window: &Window) -> Result<(), MapError> {
        self.keep_pages(window);
        self.map_zeros(window.offset, window.len)
    }
}

/// A window's length: at least a WebAssembly page, so that an empty object has an address of its own.
fn window_len(len_bytes: usize) -> usize {
    let unit = usize::try_from(MEMORY_UNIT_BYTES).expect("64 KiB");
    len_bytes.max(1).next_multiple_of(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MEMORY, expected, image, memory, new_window, object, rights};
    use crate::{Lease, SlotPool};
    use std::sync::Arc;

    const LEN: usize = 5 * 65_536;

    fn lease(pool: &Arc<SlotPool>) -> Lease {
        pool.take(&image(7)).unwrap().unwrap()
    }

    /// Nothing but the image is there, and nothing behind it.
    fn assert_fresh(lease: &Lease) {
        assert_eq!(memory(lease), expected(7));
        for offset in [MEMORY, MEMORY + LEN, WINDOW_ALIGN_BYTES, 1 << 30] {
            assert_eq!(rights(lease.base().addr() + offset), "---p", "{offset:#x}");
        }
    }

    #[test]
    fn the_first_window_is_right_behind_the_image_and_is_memory_as_soon_as_it_holds_an_object() {
        let pool = SlotPool::new(1);
        for len in [0, 1, PAGE_BYTES, 65_536, LEN - 1, LEN] {
            let lease = lease(&pool);
            assert_fresh(&lease);
            let bytes = vec![3; len];
            let offset = new_window(&lease, len);
            assert_eq!(offset, MEMORY);
            assert_eq!(rights(lease.base().addr() + offset), "---p", "nothing yet");
            lease.map_object(offset, &object(&bytes), 0, len).unwrap();
            let (mapped, behind) = memory(&lease)[offset..].split_at(len);
            assert_eq!(mapped, bytes);
            assert!(behind.iter().all(|byte| *byte == 0), "{len}");
            let second = new_window(&lease, LEN);
            assert_eq!((second - MEMORY) % WINDOW_ALIGN_BYTES, 0);
            lease.begin_filling(second, 10).unwrap().finish(0);
            assert!(memory(&lease)[offset + len..].iter().all(|byte| *byte == 0));
            memory(&lease)[offset + len..].fill(8);
        }
    }

    #[test]
    fn a_window_that_never_held_an_object_is_zeros_or_gone_with_its_guest() {
        let pool = SlotPool::new(1);
        let given_back = lease(&pool);
        let offset = new_window(&given_back, LEN);
        assert!(given_back.unmap_window(offset).unwrap());
        assert!(memory(&given_back)[offset..].iter().all(|byte| *byte == 0));
        memory(&given_back)[offset..].fill(9);
        assert_eq!(given_back.free_window(LEN), Some(offset));
        drop(given_back);
        let stopped = lease(&pool);
        assert_fresh(&stopped);
        new_window(&stopped, LEN);
        drop(stopped);
        assert_fresh(&lease(&pool));
    }

    #[test]
    fn a_growth_that_is_refused_leaves_no_window_and_the_next_growth_is_all_memory() {
        let pool = SlotPool::new(1);
        let refused = lease(&pool);
        assert_eq!(refused.new_window(LEN, |_| Err("no")), Err("no"));
        assert_fresh(&refused);
        assert!(refused.windows().used.is_empty());
        refused.grow_to(MEMORY + LEN).unwrap();
        memory(&refused)[MEMORY..].fill(1);
        drop(refused);
        assert_fresh(&lease(&pool));
    }
}
