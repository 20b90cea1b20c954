//! Runs calls: the guest's memory, its host interface, its limits, its end.
//!
//! ```text
//!   execute ─ admit ─ function ─ permit ─┬─ inline, on this thread   (functions that have been short)
//!             refuse                     └─ on a thread of its own   (all others)
//!                                             │
//!   slot with the image mapped ─ instance ─ _start ─ answer ─ slot put back by its dirtied pages
//! ```
//!
//! A guest is one native thread, from its first instruction to its last: the kernel is the fair scheduler, and a guest
//! that computes for a minute costs the others nothing but their share of the cores, and weighs less than they ([`threads`](crate::threads)). It holds a permit of its node while
//! it computes and gives it up while it waits for an object. Functions that have been short run on the thread that
//! received the call, which saves two thread switches; all of these threads but one may do that at once, so that there is
//! always one left to receive calls, and a function that turns out long is not run so again soon.
//!
//! In the middle of a call a guest asks for a function of its own to be run beside an object ([`offload`](crate::offload)): that is placed anew,
//! and may go on at another node.
//!
//! Parts of a job come as a batch ([`batch`](crate::batch)): each is a call like others, and their outputs are combined here before they leave.
//!
//! Absent on purpose: placement of whole calls (that was decided before), names (a call brings its module's hash), sockets.

mod batch;
mod epochs;
mod function;
mod functions;
mod guest;
mod host;
mod images;
mod interrupt;
mod memory;
mod offload;
mod rehearsal;
mod run;
mod slice;
mod stop;
mod threads;
mod wait;
mod watchdog;
mod worker;

pub use interrupt::Interrupter;
pub use memory::{EngineMemory, engine};
pub use rehearsal::{Rehearsal, Standing};
pub use slice::Slice;
pub use worker::{Inline, Worker, WorkerParts, WorkerSettings};
