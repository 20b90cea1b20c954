//! librados, made safe and asynchronous: the only `unsafe` of this crate.
//!
//! ```text
//! task                        librados' threads                   what both share
//!   |                                                             +------------------------------+
//!   | submit  ------------->  (sends, waits for the OSD)          | Shared: the namespace,       |
//!   | await                   writes results into `keep`          |   keep (buffers, results),   |
//!   |   :                     calls back: notes the outcome,      |   outcome, waker             |
//!   |   <-------- wake -----    wakes, lets go of its Arc         +------------------------------+
//!   | takes `keep` out                                            held by the future and by the callback
//! ```
//!
//! Three rules make it sound. What librados may touch belongs to the operation and lives until its callback has come, whether
//! or not the future is still there ([`operation`]). Memory that a caller lends is lent to a function that does not return
//! before that ([`lent`]). The cluster is shut down by whoever lets go of it last, but never from inside a callback
//! ([`cluster`]). And a process that ends under a connection ends without librados' destructors ([`ending`]).
//!
//! Absent on purpose: calls that the header of a later release has and librados 16.2 has not (`rados_*2`), synchronous
//! input and output (it would hold up a runtime's thread), watch and notify, locks and snapshots.

mod cluster;
mod ending;
mod lent;
mod listing;
mod namespace;
mod operation;
mod read;
mod write;

pub(super) use cluster::{Cluster, Unconnected};
pub(super) use lent::{LentRead, Stopped};
pub(super) use namespace::Namespace;
pub(super) use read::{ReadOp, ReadOutcome};
pub(super) use write::{Change, Guard, Place};

use rustix::io::Errno;
use std::ffi::c_int;

/// The largest number that librados returns, negated, for an error.
const ERRNO_MAX: c_int = 4095;

/// What librados returned, as a count or an error.
fn check(code: c_int) -> Result<c_int, Errno> {
    if code < 0 {
        Err(Errno::from_raw_os_error(
            code.saturating_neg().min(ERRNO_MAX),
        ))
    } else {
        Ok(code)
    }
}
