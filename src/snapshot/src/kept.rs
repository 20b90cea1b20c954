//! Pages of windows that were filled, kept for the next filling.
//!
//! A page that the kernel hands out is zeroed first, and a window that is filled from another node overwrites every one of them:
//! for an object of 4 MiB that is as much writing again as the object itself. So when such a window is given back its pages are
//! not: they are *moved* here, page tables and all (`mremap`, 15 us for 4 MiB), and moved under the next window that is about to
//! be filled, in whichever slot.
//!
//! ```text
//!   slot     |  image  | heap | window  | window  |              kept     |2 MiB|2 MiB|2 MiB| ... 32 berths
//!   given back:                 zeros ◄──mremap──────────────────────────► pages
//!   filled:                     pages ◄──mremap──────────────────────────► nothing
//! ```
//!
//! What these pages hold is some earlier guest's. They are at no address that a guest can form, and the one way back into a slot
//! is a [`Filling`](crate::Filling), which does not let a guest run before each of their bytes is an object's or zero.

use crate::reservation::Reservation;
use crate::{MapError, WINDOW_ALIGN_BYTES};
use parking_lot::Mutex;
use rustix::mm::{MremapFlags, ProtFlags, mremap_fixed};

/// Most memory that one pool of slots keeps this way: what four guests with an object of 16 MiB each, or sixteen with one of
/// 4 MiB, have at once. A machine that runs guests does not miss it, and more would be kept for rare, large objects only, whose
/// reading takes much longer than the zeroing. There is no limit for a slot apart from it: a slot keeps nothing itself, so one
/// that waits for a rare function holds no pages back from the others.
pub const KEPT_BYTES_MAX: usize = 64 << 20;

/// Pages are kept in pieces of at most one large page, which the kernel moves as one entry.
pub(crate) const PIECE_BYTES: usize = WINDOW_ALIGN_BYTES;

const BERTHS: usize = KEPT_BYTES_MAX / PIECE_BYTES;

/// A place for kept pages, and how many bytes of them lie there.
#[derive(Clone, Copy, Debug)]
struct Piece {
    berth: usize,
    len: usize,
}

#[derive(Debug)]
struct Berths {
    /// Least recently kept first.
    taken: Vec<Piece>,
    free: Vec<usize>,
}

/// The kept pages of a pool of slots.
#[derive(Debug)]
pub(crate) struct KeptPages {
    reservation: Reservation,
    berths: Mutex<Berths>,
}

impl KeptPages {
    pub(crate) fn reserve() -> Result<Self, MapError> {
        Ok(Self {
            reservation: Reservation::of(KEPT_BYTES_MAX, "reserving addresses for kept pages")?,
            berths: Mutex::new(Berths {
                taken: Vec::with_capacity(BERTHS),
                free: (0..BERTHS).collect(),
            }),
        })
    }

    /// Moves `len` bytes of pages from `from` to here, and leaves zeros there; those that have been here longest make room.
    /// Where the kernel will not (before Linux 5.7), they stay where they are.
    ///
    /// # Safety
    /// The range belongs to the caller and is anonymous memory that nobody uses; `len` is a multiple of the page size.
    pub(crate) unsafe fn put(&self, from: *mut u8, len: usize) {
        assert!((1..=PIECE_BYTES).contains(&len));
        let mut berths = self.berths.lock();
        let free = berths.free.pop();
        let berth = match free {
            Some(berth) => berth,
            None => {
                let oldest = berths.taken.remove(0).berth;
                if self.clear(oldest).is_err() {
                    // What still lies there is never looked at again.
                    return;
                }
                oldest
            }
        };
        // SAFETY: `from` is the caller's promise; the berth is ours, and nothing refers to it.
        match unsafe { move_pages(from, self.at(berth), len) } {
            Ok(()) => berths.taken.push(Piece { berth, len }),
            Err(_) => berths.free.push(berth),
        }
    }

    /// Moves `len` bytes of kept pages under `to`, in place of what is mapped there: their content is some earlier guest's.
    /// `false` when there are none that fit, and nothing has changed.
    ///
    /// # Errors
    /// The kernel's; what is mapped at `to` is then unknown, and perhaps nothing.
    ///
    /// # Safety
    /// The range belongs to the caller and nobody uses it; `len` is a multiple of the page size.
    pub(crate) unsafe fn take(&self, to: *mut u8, len: usize) -> Result<bool, MapError> {
        let mut berths = self.berths.lock();
        // Of pages that are more than half to spare a later, larger window has more use.
        let fits = |piece: &Piece| (len..=2 * len).contains(&piece.len);
        let candidates = berths.taken.iter().enumerate().rev();
        let Some((index, piece)) = candidates
            .filter(|(_, piece)| fits(piece))
            .min_by_key(|(_, piece)| piece.len)
            .map(|(index, piece)| (index, *piece))
        else {
            return Ok(false);
        };
        berths.taken.remove(index);
        // SAFETY: `to` is the caller's promise; the berth is ours, and nothing refers to it.
        let moved = unsafe { move_pages(self.at(piece.berth), to, len) };
        let whole = moved.is_ok() && piece.len == len;
        if whole || self.clear(piece.berth).is_ok() {
            berths.free.push(piece.berth);
        }
        moved
            .map(|()| true)
            .map_err(MapError::of("moving kept pages"))
    }

    fn at(&self, berth: usize) -> *mut u8 {
        self.reservation.at(berth * PIECE_BYTES, PIECE_BYTES)
    }

    /// Gives a berth's pages back to the kernel.
    fn clear(&self, berth: usize) -> Result<(), MapError> {
        let offset = berth * PIECE_BYTES;
        self.reservation
            .map_anonymous(offset, PIECE_BYTES, ProtFlags::empty())
    }

    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        let berths = self.berths.lock();
        berths.taken.iter().map(|piece| piece.len).sum()
    }
}

/// Moves pages without a moment in which their old addresses are anybody's: zeros stay there.
///
/// # Safety
/// Both ranges are mapped, belong to the caller and are used by nobody.
unsafe fn move_pages(from: *mut u8, to: *mut u8, len: usize) -> rustix::io::Result<()> {
    let flags = MremapFlags::MAYMOVE | MremapFlags::DONTUNMAP;
    // SAFETY: the caller's promise.
    unsafe { mremap_fixed(from.cast(), len, len, flags, to.cast()) }.map(|_| ())
}
