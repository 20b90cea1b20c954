//! Where the windows are, told to another node and arranged there.

use crate::window::{Window, Windows};
use crate::{DeltaError, MapError, Slot, WINDOW_ALIGN_BYTES};
use ganglion_types::{Error, MEMORY_UNIT_BYTES, WindowLayout, WindowRange};

impl Slot {
    /// Where the windows are.
    pub fn windows(&self) -> WindowLayout {
        let windows = self.windows.lock();
        let ranges = |list: &[Window]| list.iter().map(told).collect();
        WindowLayout {
            used: ranges(&windows.used),
            free: ranges(&windows.free),
        }
    }

    /// Makes the windows those of another node's `layout`, where the memory has `memory_bytes` bytes (it grows to that). Those
    /// that were not replaced there stay as they are, with what the guest has written into them. The others are zeros, and the
    /// offsets of those in use are returned: their objects are to be mapped or filled in, *then* a delta may be applied.
    ///
    /// # Errors
    /// [`DeltaError::Malformed`] when the windows are none that a slot with this image could have, or the memory is smaller than
    /// it is here: nothing has changed then. The kernel's: the guest must not run on.
    pub fn arrange_windows(
        &self,
        layout: &WindowLayout,
        memory_bytes: u64,
    ) -> Result<Vec<usize>, DeltaError> {
        let heap_bytes = self.image().ok_or(DeltaError::NoImage)?.memory_bytes();
        self.check_size(memory_bytes)?;
        let used = check(&layout.used, heap_bytes as u64, memory_bytes)?;
        let free = check(&layout.free, heap_bytes as u64, memory_bytes)?;
        disjoint([&layout.used[..], &layout.free].concat())?;
        self.grow_up_to(memory_bytes)?;
        let mut windows = self.windows.lock();
        self.arrange(&mut windows, used, free)
            .map_err(DeltaError::Map)
    }

    fn arrange(
        &self,
        windows: &mut Windows,
        used: Vec<Window>,
        free: Vec<Window>,
    ) -> Result<Vec<usize>, MapError> {
        let Windows {
            used: mut here,
            free: mut free_here,
            ..
        } = std::mem::take(windows);
        let mut new = Vec::new();
        for window in used {
            match take(&mut here, &window) {
                Some(same) => windows.used.push(same),
                None => new.push(window),
            }
        }
        for gone in here {
            self.put_back(&gone)?;
        }
        for window in free {
            match take(&mut free_here, &window) {
                Some(same) => windows.free.push(same),
                None => {
                    self.map_zeros(window.offset, window.len)?;
                    windows.free.push(Window::empty(window.offset, window.len));
                }
            }
        }
        let mut offsets = Vec::new();
        for window in new {
            self.map_zeros(window.offset, window.len)?;
            offsets.push(window.offset);
            windows.used.push(Window::empty(window.offset, window.len));
        }
        Ok(offsets)
    }
}

fn told(window: &Window) -> WindowRange {
    WindowRange {
        offset: window.offset as u64,
        len_bytes: window.len as u64,
        replaced: window.replaced,
    }
}

/// The window here that is the one there, where that is still what it was.
fn take(here: &mut Vec<Window>, there: &Window) -> Option<Window> {
    let mut windows = here.iter();
    let index = windows.position(|window| !there.replaced && window.range() == there.range())?;
    Some(here.remove(index))
}

/// Whether each could be a window above the heap.
fn check(
    ranges: &[WindowRange],
    heap_bytes: u64,
    memory_bytes: u64,
) -> Result<Vec<Window>, DeltaError> {
    let windows = ranges.iter().map(|range| {
        let end = range.offset.checked_add(range.len_bytes);
        let is_within = end.is_some_and(|end| end <= memory_bytes);
        let behind_heap = range.offset.checked_sub(heap_bytes);
        let is_aligned = behind_heap.is_some_and(|at| at.is_multiple_of(WINDOW_ALIGN_BYTES as u64))
            && range.len_bytes.is_multiple_of(MEMORY_UNIT_BYTES);
        match (usize::try_from(range.offset), usize::try_from(range.len_bytes)) {
            (Ok(offset), Ok(len @ 1..)) if is_within && is_aligned => Ok(Window {
                replaced: range.replaced,
                ..Window::empty(offset, len)
            }),
            _ => Err(DeltaError::Malformed(Error::invalid(format!(
                "a window of {} bytes at {} cannot be in a memory of {memory_bytes} bytes whose first {heap_bytes} are the image's",
                range.len_bytes, range.offset
            )))),
        }
    });
    windows.collect()
}

fn disjoint(mut ranges: Vec<WindowRange>) -> Result<(), DeltaError> {
    ranges.sort_unstable_by_key(|range| range.offset);
    let overlap = |pair: &[WindowRange]| pair[0].offset + pair[0].len_bytes > pair[1].offset;
    if ranges.windows(2).any(overlap) {
        return Err(DeltaError::Malformed(Error::invalid(
            "two windows have bytes in common",
        )));
    }
    Ok(())
}
