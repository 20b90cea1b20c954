//! Writes: one object, all or nothing.

use super::Namespace;
use super::operation::Operation;
use bytes::Bytes;
use rados_sys as sys;
use rustix::io::Errno;
use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::Arc;

/// Fails at once where the cluster is full, instead of waiting for room.
const FLAGS: c_int = sys::LIBRADOS_OPERATION_FULL_TRY.cast_signed();

/// What has to hold for a write to take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rados) enum Guard {
    /// Nothing.
    None,
    /// There is no such object; `EEXIST` otherwise.
    Absent,
    /// Its version is this, which is not 0; `ERANGE` where the object's is greater, `EOVERFLOW` where it is less or there is
    /// no such object.
    Version(u64),
}

/// Where a write's bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rados) enum Place {
    /// In place of the object's.
    Whole,
    /// Behind the object's.
    End,
}

/// What a write does.
#[derive(Clone, Debug)]
pub(in crate::rados) enum Change {
    /// Writes these bytes, and sets one attribute.
    Write {
        body: Bytes,
        place: Place,
        attribute: (&'static CStr, Bytes),
    },
    /// Removes it; `ENOENT` where there is none.
    Remove,
}

/// What librados may read until the write is over. (16.2 copies the bytes when the operation is built, which its
/// documentation does not promise.)
struct Keep {
    op: Op,
    change: Change,
}

struct Op(sys::rados_write_op_t);

// SAFETY: an operation belongs to whoever holds it; librados ties it to no thread.
unsafe impl Send for Op {}

impl Drop for Op {
    fn drop(&mut self) {
        // SAFETY: created by `rados_create_write_op` and released once.
        unsafe { sys::rados_release_write_op(self.0) };
    }
}

impl Namespace {
    /// Changes an object and returns its new version. The write is sent before this function returns (its bytes are copied
    /// for that), and goes on when the future is dropped.
    pub(in crate::rados) fn write(
        self: &Arc<Self>,
        name: &CStr,
        guard: Guard,
        change: Change,
    ) -> impl Future<Output = Result<u64, Errno>> + Send + use<> {
        let keep = Keep {
            // SAFETY: takes nothing and returns a fresh operation.
            op: Op(unsafe { sys::rados_create_write_op() }),
            change,
        };
        // SAFETY: the completion goes to one call; the operation and the bytes in it belong to `keep`; the name is copied.
        let operation = unsafe {
            Operation::start(self, keep, |namespace, keep, completion| {
                build(&*keep, guard);
                sys::rados_aio_write_op_operate(
                    (*keep).op.0,
                    namespace,
                    completion,
                    name.as_ptr(),
                    ptr::null_mut(),
                    FLAGS,
                )
            })
        };
        async move { operation.await.0 }
    }
}

fn build(keep: &Keep, guard: Guard) {
    let op = keep.op.0;
    // SAFETY: the operation is fresh and ours; every pointer leads to `keep`, with the length given, or to a constant that
    // ends with a NUL.
    unsafe {
        match guard {
            Guard::None => {}
            Guard::Absent => {
                let exclusive = sys::LIBRADOS_CREATE_EXCLUSIVE.cast_signed();
                sys::rados_write_op_create(op, exclusive, ptr::null());
            }
            Guard::Version(version) => sys::rados_write_op_assert_version(op, version),
        }
        match &keep.change {
            Change::Write {
                body,
                place,
                attribute,
            } => {
                let (bytes, length) = (body.as_ptr().cast(), body.len());
                match place {
                    Place::Whole => sys::rados_write_op_write_full(op, bytes, length),
                    Place::End => sys::rados_write_op_append(op, bytes, length),
                }
                let (name, value) = attribute;
                let (value, length) = (value.as_ptr().cast(), value.len());
                sys::rados_write_op_setxattr(op, name.as_ptr(), value, length);
            }
            Change::Remove => sys::rados_write_op_remove(op),
        }
    }
}
