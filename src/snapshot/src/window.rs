//! Object windows: ranges of linear memory, above the heap, over which objects are mapped.

use crate::{MapError, PAGE_BYTES, Slot};
use std::fs::File;

/// Windows begin at multiples of this, in the guest's addresses and the host's, so that the page cache's 2 MiB pages can
/// be mapped as such.
pub const WINDOW_ALIGN_BYTES: usize = 2 << 20;

/// Where a slot's windows are.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    used: Vec<Window>,
    free: Vec<Window>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    offset: usize,
    len: usize,
    content: Content,
}

/// What the host put into a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing yet.
    Zeros,
    /// A file's pages, mapped.
    Mapped,
    /// Bytes that were written, or are being written, into so many bytes of pages from its beginning on.
    Filled(usize),
}

impl Windows {
    /// Forgets all windows, and tells where those in use were and what they held.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = (usize, Content)> {
        self.free.clear();
        self.used
            .drain(..)
            .map(|window| (window.offset, window.content))
    }

    /// The empty window at `offset` is to hold this, in its first `len` bytes.
    ///
    /// # Panics
    /// When there is none of that length.
    pub(crate) fn hold(&mut self, offset: usize, len: usize, content: Content) {
        let mut windows = self.used.iter_mut();
        let window = windows.find(|window| window.offset == offset);
        let window = window.expect("a window begins there");
        assert!(len <= window.len && window.content == Content::Zeros);
        window.content = content;
    }
}

impl Slot {
    /// A free range for `len_bytes` of an object among those that were given back: the smallest that is large enough.
    /// `None`: grow the memory to the end of [`Slot::window_at_the_end`] and take that.
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
        windows.used.push(found);
        Some(found.offset)
    }

    /// Where a new window for `len_bytes` would be: `(offset, size)`, the memory's size once it is there.
    pub fn window_at_the_end(&self, len_bytes: usize) -> (usize, usize) {
        let offset = self.size_bytes().next_multiple_of(WINDOW_ALIGN_BYTES);
        (offset, offset + window_len(len_bytes))
    }

    /// Enters the window at `offset`, after the memory has grown over it.
    ///
    /// # Panics
    /// When the memory has not.
    pub fn enter_window(&self, offset: usize, len_bytes: usize) {
        let len = window_len(len_bytes);
        assert!(offset + len <= self.size_bytes());
        self.windows.lock().used.push(Window {
            offset,
            len,
            content: Content::Zeros,
        });
    }

    /// Maps `len_bytes` of a file from `file_offset` (a multiple of the page size) over the empty window at `offset`, privately. What
    /// the file holds behind them in its last page is made zeros: it is not the object's.
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
        if len_bytes == 0 {
            return Ok(());
        }
        let mapped = len_bytes.next_multiple_of(PAGE_BYTES);
        self.windows.lock().hold(offset, mapped, Content::Mapped);
        self.map_file(offset, mapped, file, file_offset)?;
        // SAFETY: the range was just mapped writable, and the guest is inside a host call, so nothing else uses it.
        unsafe {
            self.at(offset + len_bytes, mapped - len_bytes)
                .write_bytes(0, mapped - len_bytes)
        };
        Ok(())
    }

    /// Gives the window that begins at `offset` back: zeros in its place, and a later window may use it. `false` when no
    /// window begins there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn unmap_window(&self, offset: usize) -> Result<bool, MapError> {
        let mut windows = self.windows.lock();
        let Some(index) = windows
            .used
            .iter()
            .position(|window| window.offset == offset)
        else {
            return Ok(false);
        };
        let window = windows.used.swap_remove(index);
        self.keep_pages(window.offset, window.content);
        self.map_zeros(window.offset, window.len)?;
        windows.free.push(Window {
            content: Content::Zeros,
            ..window
        });
        Ok(true)
    }
}

/// A window's length: at least a WebAssembly page, so that an empty object has an address of its own.
fn window_len(len_bytes: usize) -> usize {
    len_bytes.max(1).next_multiple_of(65_536)
}
