//! What the slots of one pool share.

use crate::kept::KeptPages;
use crate::pagemap::Pagemap;
use crate::tracker::WriteTracker;

/// What this kernel can tell of pages, and the pages that wait. `None`, each: done without, in a slower way.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Finds dirtied pages; without it all are dropped at a reset, and all are compared for a delta.
    pub(crate) pagemap: Option<Pagemap>,
    /// Tells which pages of a filled window were written; without it a delta has all of them.
    pub(crate) tracker: Option<WriteTracker>,
    /// The pages of filled windows; without it each filling begins with fresh ones.
    pub(crate) kept: Option<KeptPages>,
}

impl Shared {
    pub(crate) fn open() -> Self {
        Self {
            pagemap: Pagemap::open(),
            tracker: WriteTracker::open(),
            kept: KeptPages::reserve().ok(),
        }
    }

    /// As on the oldest kernel.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self {
            pagemap: None,
            tracker: None,
            kept: None,
        }
    }
}
