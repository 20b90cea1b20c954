//! What a guest has changed, taken out of one slot and put into another.
//!
//! ```text
//!   here                                       there
//!   image + windows ──guest──► memory
//!                      delta ─────────apply──► image + windows + delta = memory
//!                                                                           │ guest
//!                    memory ◄──apply_changes── changes_since(delta) ◄───────┘
//! ```
//!
//! Nobody compares whole memories: the kernel tells which pages are a mapping's own (`pagemap.rs`), and of those
//! the ones that differ from what was there before are the delta. Windows are compared with nothing: a page of a mapped object
//! that is the mapping's own has been written, and of a window that the host filled the kernel tells who wrote after it, where
//! that was asked for in time ([`Slot::expect_delta`]).
//!
//! Both nodes have the same windows with the same objects in them before pages are put in ([`Slot::arrange_windows`]): the delta
//! has only what the guest wrote there. All of it is for a guest that stands inside a host call.

#[cfg(test)]
mod tests;

use crate::image::is_zero;
use crate::runs::{PageRuns, byte_range};
use crate::window::{Content, Window};
use crate::{Image, MapError, PAGE_BYTES, SLOT_BYTES, Slot};
use bytes::BytesMut;
use ganglion_types::{ContentHash, Delta, Error, GlobalValue, MEMORY_UNIT_BYTES, PageRun};
use rustix::mm::{Advice, madvise};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// From this many pages on the kernel is asked for all of a run at once, in place of one fault for each.
const POPULATE_PAGES_MIN: usize = 16;

/// Why a delta cannot be taken or applied.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// No image was ever mapped in the slot.
    #[error("the slot holds no image")]
    NoImage,
    /// The delta is of a guest of another image.
    #[error("the delta is against image {theirs}, and the slot has image {ours}")]
    OtherImage {
        /// The delta's.
        theirs: ContentHash,
        /// The slot's.
        ours: ContentHash,
    },
    /// Their number or their types are not the image's.
    #[error("the delta's globals are not those of its image")]
    OtherGlobals,
    /// It says what no guest could be.
    #[error(transparent)]
    Malformed(Error),
    /// The guest has changed more than somebody wants to take.
    #[error("the guest has changed {bytes} bytes, limit {limit} (setting limits.delta)")]
    TooLarge {
        /// Bytes of changed pages.
        bytes: usize,
        /// The caller's limit.
        limit: usize,
    },
    /// The kernel's answer.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// A part of memory whose pages were alike before the guest wrote any of them.
struct Part<'a> {
    range: Range<usize>,
    was: Was<'a>,
    /// Whether that is not what it was when a delta was applied.
    replaced: bool,
}

/// What the pages were.
enum Was<'a> {
    /// The image's, and zeros behind it.
    Image,
    /// A file's; the last page, where the host wrote that.
    Mapped(Option<&'a [u8]>),
    /// Written by the host; whether the kernel tells who wrote since.
    Filled { watched: bool },
}

impl Slot {
    /// Says that a delta may be asked of the guest that is about to begin: from here on windows remember what the host did to
    /// them, which costs the guest a page fault for each page that it writes of a filled one. Holds until the reset. Without it
    /// deltas are right as well, but have all pages of filled windows.
    pub fn expect_delta(&self) {
        self.delta_expected.store(true, Ordering::Relaxed);
    }

    pub(crate) fn expects_delta(&self) -> bool {
        self.delta_expected.load(Ordering::Relaxed)
    }

    /// What the guest has changed since it began from its image. `globals` are its mutable globals now. Takes the time of a scan
    /// of the present pages and a copy of the changed ones.
    ///
    /// # Errors
    /// [`DeltaError::TooLarge`] when the pages have more than `pages_bytes_max` bytes; nothing was copied then.
    /// [`DeltaError::OtherGlobals`].
    pub fn delta(
        &self,
        globals: Vec<GlobalValue>,
        pages_bytes_max: usize,
    ) -> Result<Delta, DeltaError> {
        self.delta_of(globals, pages_bytes_max, |image, parts| {
            let mut changed = PageRuns::default();
            for part in parts {
                self.written(image, part, |number| changed.push(number));
            }
            changed
        })
    }

    /// What the guest has changed since `received` was applied here: as [`Slot::delta`], but of what the node that sent it does
    /// not have. It may apply it with [`Slot::apply_changes`].
    ///
    /// # Errors
    /// As [`Slot::delta`], and [`DeltaError::Malformed`] when `received` cannot have been applied here.
    pub fn changes_since(
        &self,
        received: &Delta,
        globals: Vec<GlobalValue>,
        pages_bytes_max: usize,
    ) -> Result<Delta, DeltaError> {
        received.check().map_err(DeltaError::Malformed)?;
        if received.memory_bytes > self.size_bytes() as u64 {
            return Err(DeltaError::Malformed(Error::invalid(
                "a delta of a larger memory was not applied here",
            )));
        }
        self.delta_of(globals, pages_bytes_max, |image, parts| {
            let mut changed = Vec::new();
            for part in parts {
                self.written(image, part, |number| {
                    let was_received =
                        u32::try_from(number).is_ok_and(|n| received.page(n).is_some());
                    if part.replaced || !was_received {
                        changed.push(number);
                    }
                });
            }
            for (number, page) in received.pages.iter().flat_map(PageRun::pages) {
                let start = number as usize * PAGE_BYTES;
                if !is_replaced(parts, start) && self.bytes(start..start + PAGE_BYTES) != page {
                    changed.push(number as usize);
                }
            }
            changed.sort_unstable();
            changed.into_iter().collect()
        })
    }

    /// Makes a freshly restored slot what another one was when `delta` was taken from it. Windows come before it: see
    /// [`Slot::arrange_windows`]. The memory grows; the globals are the caller's to set.
    ///
    /// # Errors
    /// [`DeltaError::OtherImage`], [`DeltaError::OtherGlobals`], [`DeltaError::Malformed`]: nothing has changed. The kernel's: the
    /// slot is to be given back. How much memory a guest may have is not looked at: only that it can be addressed.
    pub fn apply(&self, delta: &Delta) -> Result<(), DeltaError> {
        self.put_in(delta)?;
        let mut windows = self.windows.lock();
        let windows = &mut *windows;
        for window in windows.used.iter_mut().chain(&mut windows.free) {
            window.replaced = false;
        }
        Ok(())
    }

    /// Puts in what a guest has changed elsewhere since it left from here ([`Slot::changes_since`]). A memory of wasmtime's that
    /// is smaller has to be grown by wasmtime before.
    ///
    /// # Errors
    /// As [`Slot::apply`].
    pub fn apply_changes(&self, changes: &Delta) -> Result<(), DeltaError> {
        self.put_in(changes)
    }

    fn put_in(&self, delta: &Delta) -> Result<(), DeltaError> {
        let image = self.image().ok_or(DeltaError::NoImage)?;
        let (theirs, ours) = (delta.image, image.hash());
        if theirs != ours {
            return Err(DeltaError::OtherImage { theirs, ours });
        }
        check_globals(&image, &delta.globals)?;
        delta.check().map_err(DeltaError::Malformed)?;
        self.check_size(delta.memory_bytes)?;
        self.grow_up_to(delta.memory_bytes)?;
        for run in &delta.pages {
            let start = run.first_page as usize * PAGE_BYTES;
            let at = self.at(start, run.bytes.len());
            if run.bytes.len() >= POPULATE_PAGES_MIN * PAGE_BYTES {
                // SAFETY: the run lies in the memory (checked above), and populating changes no content. Where the kernel cannot,
                // pages come one by one.
                let _ = unsafe { madvise(at.cast(), run.bytes.len(), Advice::LinuxPopulateWrite) };
            }
            // SAFETY: as above: the run lies in the memory, which is mapped writable; no guest runs in it.
            unsafe { std::ptr::copy_nonoverlapping(run.bytes.as_ptr(), at, run.bytes.len()) };
        }
        Ok(())
    }

    /// A memory of that size is this one, now or when it has grown.
    pub(crate) fn check_size(&self, memory_bytes: u64) -> Result<(), DeltaError> {
        let sizes = self.size_bytes() as u64..=SLOT_BYTES as u64;
        if sizes.contains(&memory_bytes) && memory_bytes.is_multiple_of(MEMORY_UNIT_BYTES) {
            return Ok(());
        }
        Err(DeltaError::Malformed(Error::invalid(format!(
            "a memory of {memory_bytes} bytes cannot come of one of {} bytes, limit {SLOT_BYTES}",
            sizes.start()
        ))))
    }

    /// To a size that was checked.
    pub(crate) fn grow_up_to(&self, memory_bytes: u64) -> Result<(), MapError> {
        let size_bytes = usize::try_from(memory_bytes).expect("at most the slot's size");
        self.grow_to(size_bytes)
    }

    fn delta_of(
        &self,
        globals: Vec<GlobalValue>,
        pages_bytes_max: usize,
        changed: impl FnOnce(&Image, &[Part<'_>]) -> PageRuns,
    ) -> Result<Delta, DeltaError> {
        let image = self.image().ok_or(DeltaError::NoImage)?;
        check_globals(&image, &globals)?;
        let windows = self.windows.lock();
        let parts = parts(self.size_bytes(), &windows.used, &windows.free);
        let changed = changed(&image, &parts);
        let bytes = changed.bytes();
        if bytes > pages_bytes_max {
            let limit = pages_bytes_max;
            return Err(DeltaError::TooLarge { bytes, limit });
        }
        Ok(Delta {
            image: image.hash(),
            memory_bytes: self.size_bytes() as u64,
            globals,
            pages: copied(&changed, |range| self.bytes(range)),
        })
    }

    /// The pages of a part that are not what they were, ascending.
    fn written(&self, image: &Image, part: &Part<'_>, mut found: impl FnMut(usize)) {
        for range in self.perhaps_written(part) {
            for start in range.step_by(PAGE_BYTES) {
                let page = self.bytes(start..start + PAGE_BYTES);
                let is_as_it_was = match part.was {
                    Was::Image => image
                        .page_at(start)
                        .map_or_else(|| is_zero(page), |was| page == was),
                    Was::Mapped(Some(last)) => start + PAGE_BYTES == part.range.end && page == last,
                    Was::Mapped(None) | Was::Filled { .. } => false,
                };
                if !is_as_it_was {
                    found(start / PAGE_BYTES);
                }
            }
        }
    }

    /// Where the kernel says that pages were written; everywhere, when it does not say.
    fn perhaps_written(&self, part: &Part<'_>) -> Vec<Range<usize>> {
        let base = self.base().addr();
        let range = base + part.range.start..base + part.range.end;
        let mut ranges = Vec::new();
        let found = |found: Range<usize>| ranges.push(found.start - base..found.end - base);
        let told = match (&self.shared.pagemap, &part.was) {
            (Some(pagemap), Was::Filled { watched: true }) => pagemap.written(range, found).is_ok(),
            (Some(pagemap), Was::Image | Was::Mapped(_)) => pagemap.dirty(range, found).is_ok(),
            _ => false,
        };
        if told {
            ranges
        } else {
            vec![part.range.clone()]
        }
    }
}

fn check_globals(image: &Image, globals: &[GlobalValue]) -> Result<(), DeltaError> {
    let ours = image.globals();
    let mut pairs = ours.iter().zip(globals);
    if ours.len() == globals.len() && pairs.all(|(ours, theirs)| ours.is_of_same_type(*theirs)) {
        Ok(())
    } else {
        Err(DeltaError::OtherGlobals)
    }
}

/// The whole memory, ascending.
fn parts<'a>(size_bytes: usize, used: &'a [Window], free: &'a [Window]) -> Vec<Part<'a>> {
    let mut windows: Vec<&Window> = used.iter().chain(free).collect();
    windows.sort_unstable_by_key(|window| window.offset);
    let mut parts = Vec::with_capacity(2 * windows.len() + 1);
    let mut push = |range: Range<usize>, was, replaced| {
        if !range.is_empty() {
            parts.push(Part {
                range,
                was,
                replaced,
            });
        }
    };
    let mut end = 0;
    for window in windows {
        push(end..window.offset, Was::Image, false);
        let (len, was) = match &window.content {
            Content::Nowhere | Content::Zeros => (0, Was::Image),
            Content::Mapped { len, last_page } => (*len, Was::Mapped(last_page.as_deref())),
            Content::Filled { len, watched } => (*len, Was::Filled { watched: *watched }),
        };
        end = window.range().end;
        push(window.offset..window.offset + len, was, window.replaced);
        push(window.offset + len..end, Was::Image, window.replaced);
    }
    push(end..size_bytes, Was::Image, false);
    parts
}

fn is_replaced(parts: &[Part<'_>], start: usize) -> bool {
    let index = parts.partition_point(|part| part.range.end <= start);
    parts[index].replaced
}

/// The pages, in one piece of memory of which each run is a part.
pub(crate) fn copied<'a>(
    runs: &PageRuns,
    bytes: impl Fn(Range<usize>) -> &'a [u8],
) -> Vec<PageRun> {
    let mut all = BytesMut::with_capacity(runs.bytes());
    for run in runs.iter() {
        all.extend_from_slice(bytes(byte_range(run)));
    }
    let mut all = all.freeze();
    let runs = runs.iter().map(|run| PageRun {
        first_page: run.start,
        bytes: all.split_to(byte_range(run).len()),
    });
    runs.collect()
}
