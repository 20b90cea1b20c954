//! What an offload does to the two slots, piece by piece, without anything else: two slots of this process, and a delta that is
//! carried from the one to the other by hand.

use super::times::{Piece, Times, What};
use super::{IMAGE_MIB, PAGES, WHOLE_PAGES};
use ganglion_snapshot::{Image, PAGE_BYTES, SlotPool};
use ganglion_types::{Ambient, Delta, Error, PageRun, Result};
use std::sync::Arc;

/// Pieces are timed so often in a round.
const REPEATS: usize = 21;

pub(super) struct Pieces {
    image: Arc<Image>,
    /// One slot is left alone by the memories that are written whole, which leave it other pages.
    pool: Arc<SlotPool>,
    whole: Arc<SlotPool>,
    deltas: Vec<(u32, Delta)>,
    clock: Arc<dyn Ambient>,
}

impl Pieces {
    pub(super) fn new(clock: Arc<dyn Ambient>) -> Result<Self> {
        let bytes = (IMAGE_MIB as usize) << 20;
        let image = Image::new(&vec![0x5a; bytes], bytes, Vec::new());
        let image = image.map_err(|error| Error::unavailable(format!("an image: {error}")))?;
        let deltas = PAGES.into_iter().chain([WHOLE_PAGES]);
        let deltas = deltas.map(|pages| (pages, delta(&image, pages)));
        Ok(Self {
            deltas: deltas.collect(),
            image: Arc::new(image),
            pool: SlotPool::new(2),
            whole: SlotPool::new(2),
            clock,
        })
    }

    /// # Errors
    /// `Internal` when a delta cannot be taken or put in.
    pub(super) fn round(&self, times: &mut Times) -> Result<()> {
        for (pages, delta) in &self.deltas {
            let (pool, repeats) = match *pages {
                WHOLE_PAGES => (&self.whole, 2),
                _ => (&self.pool, REPEATS),
            };
            for _ in 0..repeats {
                self.once(pool, *pages, delta, times)?;
            }
        }
        Ok(())
    }

    fn once(
        &self,
        pool: &Arc<SlotPool>,
        pages: u32,
        delta: &Delta,
        times: &mut Times,
    ) -> Result<()> {
        let wrong = |error: &dyn std::fmt::Display| Error::internal(format!("a delta: {error}"));
        let slot = || {
            let slot = pool.take(&self.image).map_err(|error| wrong(&error))?;
            slot.ok_or_else(|| Error::internal("no slot is free"))
        };
        let (home, away) = (slot()?, slot()?);
        home.apply(delta).map_err(|error| wrong(&error))?;
        let mut began_ns = self.clock.monotonic_ns();
        let mut timed = |piece| {
            let now_ns = self.clock.monotonic_ns();
            times.add(What::Piece(pages, piece), now_ns - began_ns);
            began_ns = self.clock.monotonic_ns();
        };
        let taken = home.delta(Vec::new(), usize::MAX);
        timed(Piece::TakenOut);
        let taken = taken.map_err(|error| wrong(&error))?;
        away.apply(&taken).map_err(|error| wrong(&error))?;
        timed(Piece::PutIn);
        let changes = away.changes_since(&taken, Vec::new(), usize::MAX);
        timed(Piece::Compared);
        let changes = changes.map_err(|error| wrong(&error))?;
        home.apply_changes(&changes)
            .map_err(|error| wrong(&error))?;
        timed(Piece::PutBack);
        if taken.pages_bytes() != delta.pages_bytes() || changes.pages_bytes() != 0 {
            return Err(wrong(&"other pages were taken out than were put in"));
        }
        Ok(())
    }
}

/// One byte in each of so many pages, as far apart as they can be.
fn delta(image: &Image, pages: u32) -> Delta {
    let stride = WHOLE_PAGES / pages;
    let run = |number: u32| {
        let mut bytes = vec![0x5a; PAGE_BYTES];
        bytes[0] = 1;
        PageRun {
            first_page: number * stride,
            bytes: bytes.into(),
        }
    };
    Delta {
        image: image.hash(),
        memory_bytes: image.memory_bytes() as u64,
        globals: Vec::new(),
        pages: (0..pages).map(run).collect(),
    }
}
