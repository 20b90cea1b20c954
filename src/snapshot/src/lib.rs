//! Memory images and the address space that guests run in.
//!
//! A guest's linear memory is a *slot*: 4 GiB of reserved addresses, so that any 32-bit address a guest can form lies in
//! it and needs no check.
//!
//! ```text
//!   base (2 MiB aligned)                                                             base + 4 GiB
//!   | image, mapped privately | zeros  | heap the guest grew | window | window |  protected  | guard |
//!   |<------- image.memory_bytes ----->|
//!   |<----------------------- Slot::size_bytes ----------------------->|
//! ```
//!
//! An [`Image`] is a sealed memfd of a memory after start-up. Mapped privately, all instances share its pages until they
//! write; the kernel knows which pages a guest has dirtied (`pagemap.rs`), so putting a slot back is a scan and a copy of
//! those pages, whatever the image's size.
//!
//! An object *window* is a range above the heap over which an object's file is mapped, privately: the guest reads the
//! page cache, and what it writes stays its own. Should the file be cut short underneath, the SIGBUS handler of this
//! room puts zeros in its place and marks the slot torn; the call fails and the process goes on. Where the object is on
//! another node its bytes are written into the window ([`Filling`]), over pages that earlier windows left (`kept.rs`).
//!
//! What a guest has changed can be taken out of its slot as a [`Delta`](ganglion_types::Delta) and put into one of another node
//! (`delta.rs`): the same scan, and a comparison of those pages.
//!
//! In the guard lies the *poll page* ([`POLL_PAGE`]), which guests read as they run: [`Slot::trip`] stops the one in a slot.
//!
//! Absent on purpose: wasmtime. `worker` puts its memory traits over these types.

mod delta;
mod filling;
mod image;
mod kept;
mod layout;
mod pagemap;
mod poll;
mod pool;
mod reservation;
mod runs;
mod shared;
mod sigbus;
mod slot;
#[cfg(test)]
mod testing;
mod tracker;
mod window;

pub use delta::DeltaError;
pub use filling::Filling;
pub use image::Image;
pub use kept::KEPT_BYTES_MAX;
pub use poll::POLL_PAGE;
pub use pool::{Lease, SlotPool};
pub use sigbus::SLOTS_MAX;
pub use slot::{GUARD_BYTES, SLOT_BYTES, Slot};
pub use window::WINDOW_ALIGN_BYTES;

pub use ganglion_types::PAGE_BYTES;

/// What went wrong with a mapping: the kernel's answer and what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {errno}")]
pub struct MapError {
    what: &'static str,
    errno: rustix::io::Errno,
}

impl MapError {
    fn of(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self { what, errno }
    }
}
