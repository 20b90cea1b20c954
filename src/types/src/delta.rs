//! What a guest has changed: the nouns of memory that travels between nodes.

use crate::{ContentHash, Error, Result};
use bytes::Bytes;

/// The unit of a [`Delta`], in bytes: the smallest that the kernel maps on x86-64 and the usual arm64 kernels.
pub const PAGE_BYTES: usize = 4096;

/// A memory's size is a multiple of this: WebAssembly's own page, in bytes.
pub const MEMORY_UNIT_BYTES: u64 = 65_536;

/// Most memory that a guest can address, in bytes.
pub const ADDRESSABLE_BYTES: u64 = 4 << 30;

/// The value of a mutable global; floats as their bits, so that a NaN stays the one it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalValue {
    /// `i32`.
    I32(i32),
    /// `i64`.
    I64(i64),
    /// The bits of an `f32`.
    F32(u32),
    /// The bits of an `f64`.
    F64(u64),
}

impl GlobalValue {
    /// Whether a global that holds the one could hold the other.
    pub fn is_of_same_type(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// Pages that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRun {
    /// Number of the first: its address in the guest's memory, divided by [`PAGE_BYTES`].
    pub first_page: u32,
    /// Their content: whole pages, at least one.
    pub bytes: Bytes,
}

impl PageRun {
    /// Address of the first byte in the guest's memory.
    pub fn first_byte(&self) -> u64 {
        u64::from(self.first_page) * PAGE_BYTES as u64
    }

    /// Number of the page behind the last.
    pub fn end_page(&self) -> u64 {
        u64::from(self.first_page) + (self.bytes.len() / PAGE_BYTES) as u64
    }

    /// The pages, with their numbers.
    pub fn pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (self.first_page..).zip(self.bytes.chunks(PAGE_BYTES))
    }
}

/// The state of a guest between two of its instructions, as far as it is not that of the image it began from.
///
/// ```text
///   image     | a | b | c | 0 | 0 |
///   guest     | a | B | c | 0 | D |  0 |  0 |  E |     grown
///   delta     memory_bytes    pages: 1: B   4: D   7: E
/// ```
///
/// Bytes of object windows are in it where the guest has written them; the rest of a window is the object's, which the other
/// node has or can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The image that the guest began from.
    pub image: ContentHash,
    /// Size of its memory, object windows included: a multiple of [`MEMORY_UNIT_BYTES`], at most [`ADDRESSABLE_BYTES`].
    pub memory_bytes: u64,
    /// Its mutable globals, in the image's order.
    pub globals: Vec<GlobalValue>,
    /// The pages, ascending and disjoint.
    pub pages: Vec<PageRun>,
}

impl Delta {
    /// Bytes of all pages together.
    pub fn pages_bytes(&self) -> u64 {
        self.pages.iter().map(|run| run.bytes.len() as u64).sum()
    }

    /// The content of one page, where the delta has it; of a delta that is sound ([`Delta::check`]).
    pub fn page(&self, number: u32) -> Option<&[u8]> {
        let behind = self.pages.partition_point(|run| run.first_page <= number);
        let run = &self.pages[behind.checked_sub(1)?];
        let start = usize::try_from(number - run.first_page).ok()? * PAGE_BYTES;
        run.bytes.get(start..start + PAGE_BYTES)
    }

    /// # Errors
    /// `Invalid` unless the memory is of a size that a guest's can have, and the runs are whole pages of it, ascending and
    /// disjoint.
    pub fn check(&self) -> Result<()> {
        let memory_bytes = self.memory_bytes;
        if memory_bytes > ADDRESSABLE_BYTES || !memory_bytes.is_multiple_of(MEMORY_UNIT_BYTES) {
            return Err(Error::invalid(format!(
                "a delta's memory of {memory_bytes} bytes is no multiple of {MEMORY_UNIT_BYTES}, or beyond the {ADDRESSABLE_BYTES} that can be addressed"
            )));
        }
        let mut end = 0;
        for run in &self.pages {
            let is_whole = !run.bytes.is_empty() && run.bytes.len().is_multiple_of(PAGE_BYTES);
            if !is_whole || u64::from(run.first_page) < end {
                return Err(Error::invalid(format!(
                    "a delta's run of {} bytes at page {} is not of whole pages behind the run before it",
                    run.bytes.len(),
                    run.first_page
                )));
            }
            end = run.end_page();
        }
        if end > memory_bytes / PAGE_BYTES as u64 {
            return Err(Error::invalid(format!(
                "a delta's pages end at page {end}, outside of its memory of {memory_bytes} bytes"
            )));
        }
        Ok(())
    }
}

/// A range of linear memory over which an object is mapped, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRange {
    /// Address of its first byte in the guest's memory.
    pub offset: u64,
    /// Its length.
    pub len_bytes: u64,
    /// Whether it was opened, or given back, since a delta was applied to this memory: what its pages were then, they are no
    /// more.
    pub replaced: bool,
}

/// Where a guest's object windows are. Which objects they show is told apart from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowLayout {
    /// The windows that are open.
    pub used: Vec<WindowRange>,
    /// The ranges of windows that were given back and will be used again, in the order in which they are looked through.
    pub free: Vec<WindowRange>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(memory_pages: u64, runs: &[(u32, usize)]) -> Delta {
        let run = |(first_page, len): &(u32, usize)| PageRun {
            first_page: *first_page,
            bytes: vec![u8::try_from(*first_page).unwrap(); *len].into(),
        };
        Delta {
            image: ContentHash([1; 32]),
            memory_bytes: memory_pages * PAGE_BYTES as u64,
            globals: vec![],
            pages: runs.iter().map(run).collect(),
        }
    }

    #[test]
    fn a_page_is_found_by_its_number() {
        let delta = delta(16, &[(2, PAGE_BYTES), (3, 2 * PAGE_BYTES), (9, PAGE_BYTES)]);
        delta.check().unwrap();
        for number in 0..16 {
            let expected = match number {
                2 | 9 => Some(number),
                3 | 4 => Some(3),
                _ => None,
            };
            let found = delta.page(number);
            assert_eq!(found.map(|page| u32::from(page[0])), expected, "{number}");
            assert!(found.is_none_or(|page| page.len() == PAGE_BYTES));
        }
        assert_eq!(delta.pages_bytes(), 4 * PAGE_BYTES as u64);
    }

    #[test]
    fn only_whole_pages_in_order_within_the_memory_are_a_delta() {
        delta(0, &[]).check().unwrap();
        delta(16, &[(0, PAGE_BYTES), (15, PAGE_BYTES)])
            .check()
            .unwrap();
        for wrong in [
            delta(16, &[(15, 2 * PAGE_BYTES)]),
            delta(16, &[(0, 2 * PAGE_BYTES), (1, PAGE_BYTES)]),
            delta(16, &[(1, PAGE_BYTES), (0, PAGE_BYTES)]),
            delta(16, &[(0, 0)]),
            delta(16, &[(0, PAGE_BYTES - 1)]),
            delta((4 << 30) / PAGE_BYTES as u64 + 16, &[]),
            delta(17, &[]),
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
