//! Object windows: ranges of linear memory, above the heap, over which objects are mapped.

use crate::{MapError, PAGE_BYTES, Slot};
use ganglion_types::MEMORY_UNIT_BYTES;
use std::fs::File;
use std::ops::Range;

/// Windows begin at multiples of this, in the guest's addresses and the host's, so that the page cache's 2 MiB pages can
/// be mapped as such.
pub const WINDOW_ALIGN_BYTES: usize = 2 << 20;

/// Where a slot's windows are.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    pub(crate) used: Vec<Window>,
    pub(crate) free: Vec<Window>,
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

    /// As [`Windows::at`], of a window with nothing in it: it is to hold this.
    pub(crate) fn hold(&mut self, offset: usize, len: usize, content: Content) {
        let window = self.at(offset, len);
        assert!(matches!(window.content, Content::Zeros));
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
        windows.used.push(Window::empty(found.offset, found.len));
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
        self.windows.lock().used.push(Window::empty(offset, len));
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
        if len_bytes == 0 {
            return Ok(());
        }
        let len = len_bytes.next_multiple_of(PAGE_BYTES);
        let content = Content::Mapped {
            len,
            last_page: None,
        };
        self.windows.lock().hold(offset, len, content);
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
