//! Page numbers, as runs of adjacent ones.

use crate::PAGE_BYTES;
use std::ops::Range;

/// Ascending, disjoint runs of page numbers; adjacent pages are one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PageRuns(Vec<Range<u32>>);

impl PageRuns {
    /// Adds a page, behind or equal to the last one.
    pub(crate) fn push(&mut self, number: usize) {
        let number = u32::try_from(number).expect("the page of a 32-bit address");
        match self.0.last_mut() {
            Some(last) if number < last.end => debug_assert!(number + 1 == last.end),
            Some(last) if number == last.end => last.end += 1,
            _ => self.0.push(number..number + 1),
        }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Range<u32>> {
        self.0.iter().cloned()
    }

    /// Bytes of all pages together.
    pub(crate) fn bytes(&self) -> usize {
        self.iter().map(|run| byte_range(run).len()).sum()
    }
}

impl FromIterator<usize> for PageRuns {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut runs = Self::default();
        for number in numbers {
            runs.push(number);
        }
        runs
    }
}

/// Where the pages are in the memory.
pub(crate) fn byte_range(run: Range<u32>) -> Range<usize> {
    run.start as usize * PAGE_BYTES..run.end as usize * PAGE_BYTES
}
