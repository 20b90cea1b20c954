//! The payload of a frame, in the pieces in which it is there.

use bytes::Bytes;
use smallvec::SmallVec;

/// Sent one behind the other, none of them copied. Up to three without an allocation: an answer has output, stdout and stderr.
pub(crate) type Parts = SmallVec<[Bytes; 3]>;

/// A payload of one piece.
pub(crate) fn one(bytes: Bytes) -> Parts {
    let mut parts = Parts::new();
    parts.push(bytes);
    parts
}
