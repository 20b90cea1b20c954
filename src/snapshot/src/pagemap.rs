//! Which pages a guest has written: asked of the kernel, not found by comparing memory.

use crate::PAGE_BYTES;
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;

/// `ioctl` number of `PAGEMAP_SCAN` (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst).
const PAGEMAP_SCAN: libc::c_ulong = 0xC060_6610;

const PAGE_IS_WRITTEN: u64 = 1 << 1;
const PAGE_IS_FILE: u64 = 1 << 2;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

/// Regions per question. A guest dirties few ranges: its stack, its globals, its heap.
const REGIONS: usize = 64;

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct ScanArgument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// Which pages a scan is for.
#[derive(Clone, Copy)]
struct Categories {
    /// Those that a page must have, and those of them that it must not have.
    all: u64,
    inverted: u64,
    /// Of these it must have one.
    any: u64,
}

/// Pages that a private mapping holds as its own.
const DIRTY: Categories = Categories {
    all: PAGE_IS_FILE | PAGE_IS_PFNZERO,
    inverted: PAGE_IS_FILE | PAGE_IS_PFNZERO,
    any: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
};

/// Pages that are not protected any more.
const WRITTEN: Categories = Categories {
    all: PAGE_IS_WRITTEN,
    inverted: 0,
    any: PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
};

/// The kernel's page table of this process, as far as it will tell.
#[derive(Debug)]
pub(crate) struct Pagemap(File);

impl Pagemap {
    /// `None` on a kernel before 6.7, or where `/proc` is not mounted: callers then use a slower way.
    pub(crate) fn open() -> Option<Self> {
        let pagemap = Self(File::open("/proc/self/pagemap").ok()?);
        let probe = [0_u8; PAGE_BYTES];
        let at = probe.as_ptr().addr() & !(PAGE_BYTES - 1);
        pagemap
            .dirty(at..at + PAGE_BYTES, |_| {})
            .is_ok()
            .then_some(pagemap)
    }

    /// Calls `found` with each range of pages within `range` (addresses, page aligned) that a *private* mapping holds
    /// as its own: written since it was mapped. In ascending order, adjacent pages as one range.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn dirty(
        &self,
        range: Range<usize>,
        found: impl FnMut(Range<usize>),
    ) -> std::io::Result<()> {
        self.find(range, DIRTY, found)
    }

    /// As [`Pagemap::dirty`], of a range that a [`WriteTracker`](crate::tracker::WriteTracker) watches: the pages that were written since.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn written(
        &self,
        range: Range<usize>,
        found: impl FnMut(Range<usize>),
    ) -> std::io::Result<()> {
        self.find(range, WRITTEN, found)
    }

    fn find(
        &self,
        range: Range<usize>,
        categories: Categories,
        mut found: impl FnMut(Range<usize>),
    ) -> std::io::Result<()> {
        let mut regions = [PageRegion::default(); REGIONS];
        let mut start = range.start;
        while start < range.end {
            let count = self.scan(start..range.end, categories, &mut regions)?;
            for region in &regions[..count] {
                found(address(region.start)..address(region.end));
            }
            // A scan that did not fill the vector is complete. One that did goes on behind its last region:
            // `walk_end` is not to be trusted (Linux 6.18 leaves it stale after 512 regions).
            if count < REGIONS {
                break;
            }
            start = address(regions[count - 1].end);
        }
        Ok(())
    }

    fn scan(
        &self,
        range: Range<usize>,
        categories: Categories,
        regions: &mut [PageRegion; REGIONS],
    ) -> std::io::Result<usize> {
        let mut argument = ScanArgument {
            size: size_of::<ScanArgument>() as u64,
            start: range.start as u64,
            end: range.end as u64,
            vec: regions.as_mut_ptr().addr() as u64,
            vec_len: REGIONS as u64,
            category_inverted: categories.inverted,
            category_mask: categories.all,
            category_anyof_mask: categories.any,
            return_mask: PAGE_IS_PRESENT,
            ..ScanArgument::default()
        };
        // SAFETY: the argument is a valid `pm_scan_arg` of the size it says, and `vec` points to `vec_len` regions that
        // live across the call; the kernel writes nothing else.
        let count = unsafe { libc::ioctl(self.0.as_raw_fd(), PAGEMAP_SCAN, &raw mut argument) };
        usize::try_from(count).map_err(|_| std::io::Error::last_os_error())
    }
}

fn address(value: u64) -> usize {
    usize::try_from(value).expect("an address of this process")
}
