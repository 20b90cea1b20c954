//! Reads: size, time, one attribute and bytes of an object, as one look at it.

use super::Namespace;
use super::operation::Operation;
use bytes::BytesMut;
use rados_sys as sys;
use rustix::io::Errno;
use std::ffi::{CStr, c_char, c_int};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// What to read of an object.
pub(in crate::rados) struct ReadOp {
    /// Only of that version: `ERANGE` or `EOVERFLOW` where the object's is another. Not 0.
    pub(in crate::rados) version: Option<u64>,
    /// Whether any replica near by may answer, not the primary alone.
    pub(in crate::rados) localized: bool,
    /// Size, time and this attribute.
    pub(in crate::rados) about: Option<&'static CStr>,
    /// From where on, and into what: as many bytes as it has capacity for, if there are so many.
    pub(in crate::rados) bytes: Option<(u64, BytesMut)>,
}

/// What was read.
#[derive(Debug, Default)]
pub(in crate::rados) struct ReadOutcome {
    /// The object's version.
    pub(in crate::rados) version: u64,
    /// Its size in bytes; 0 when it was not asked for.
    pub(in crate::rados) size_bytes: u64,
    /// When it was changed last, in seconds since 1970; 0 when it was not asked for.
    pub(in crate::rados) modified_s: i64,
    /// The attribute that was asked for, where the object has it.
    pub(in crate::rados) attribute: Option<Vec<u8>>,
    /// The bytes that were asked for, as far as the object has them.
    pub(in crate::rados) bytes: BytesMut,
}

impl Namespace {
    /// Reads. The question is sent before this function returns.
    pub(in crate::rados) fn read(
        self: &Arc<Self>,
        name: &CStr,
        op: ReadOp,
    ) -> impl Future<Output = Result<ReadOutcome, Errno>> + Send + use<> {
        let about = op.about;
        let (offset, mut into) = op.bytes.unwrap_or_default();
        into.clear();
        let spare = into.spare_capacity_mut();
        let piece = Piece {
            offset,
            length: spare.len(),
            into: NonNull::from(spare).cast(),
        };
        let keep = (Cells::new(piece), into);
        let question = Question {
            version: op.version,
            localized: op.localized,
            about: about.is_some(),
        };
        // SAFETY: the cells belong to `keep`, and so does the memory behind `piece`, which is the spare capacity of the buffer
        // that `keep` owns: moving the buffer does not move it.
        let operation = unsafe {
            Operation::start(self, keep, |namespace, keep, completion| {
                Cells::submit(&raw mut (*keep).0, namespace, completion, name, question)
            })
        };
        async move {
            let (outcome, (cells, mut into)) = operation.await;
            let version = outcome?;
            // SAFETY: librados wrote that many bytes, at most the capacity, from the buffer's start on.
            unsafe { into.set_len(cells.bytes_read) };
            Ok(ReadOutcome {
                version,
                size_bytes: cells.size_bytes,
                modified_s: cells.modified_s,
                attribute: about.and_then(|name| cells.attribute(name)),
                bytes: into,
            })
        }
    }

    /// Reads bytes of that version into memory that the operation does not own.
    ///
    /// # Safety
    /// The memory of `piece` is nobody else's until the operation has ended.
    pub(super) unsafe fn read_lent(
        self: &Arc<Self>,
        name: &CStr,
        question: Question,
        piece: Piece,
    ) -> Operation<Cells> {
        // SAFETY: the cells belong to the operation; the rest is the caller's promise.
        unsafe {
            Operation::start(self, Cells::new(piece), |namespace, cells, completion| {
                Cells::submit(cells, namespace, completion, name, question)
            })
        }
    }
}

/// What is asked beside the bytes.
#[derive(Clone, Copy)]
pub(super) struct Question {
    pub(super) version: Option<u64>,
    pub(super) localized: bool,
    /// Size, time and attributes.
    pub(super) about: bool,
}

/// Bytes of an object, and where they go.
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) length: usize,
    pub(super) into: NonNull<c_char>,
}

/// Where librados writes a read's results.
pub(super) struct Cells {
    op: sys::rados_read_op_t,
    piece: Piece,
    size_bytes: u64,
    modified_s: i64,
    /// At most `piece.length`.
    pub(super) bytes_read: usize,
    attributes: sys::rados_xattrs_iter_t,
}

// SAFETY: operation and iterator belong to whoever holds them and are tied to no thread; the pointer of `piece` is followed by
// librados only.
unsafe impl Send for Cells {}

impl Cells {
    fn new(piece: Piece) -> Self {
        Self {
            // SAFETY: takes nothing and returns a fresh operation.
            op: unsafe { sys::rados_create_read_op() },
            piece,
            size_bytes: 0,
            modified_s: 0,
            bytes_read: 0,
            attributes: ptr::null_mut(),
        }
    }

    /// Builds the operation and sends it.
    ///
    /// # Safety
    /// `cells` and the memory of its piece live, and are librados' alone, until the completion is called back.
    unsafe fn submit(
        cells: *mut Self,
        namespace: sys::rados_ioctx_t,
        completion: sys::rados_completion_t,
        name: &CStr,
        question: Question,
    ) -> c_int {
        let flags = if question.localized {
            sys::LIBRADOS_OPERATION_LOCALIZE_READS
        } else {
            sys::LIBRADOS_OPERATION_NOFLAG
        };
        // SAFETY: as promised by the caller; the places for results are fields of `cells`; where a result of one part of the
        // operation is null, the whole operation's code tells of it.
        unsafe {
            let op = (*cells).op;
            if let Some(version) = question.version {
                sys::rados_read_op_assert_version(op, version);
            }
            if question.about {
                let (size, time) = (&raw mut (*cells).size_bytes, &raw mut (*cells).modified_s);
                sys::rados_read_op_stat(op, size, time, ptr::null_mut());
                let attributes = &raw mut (*cells).attributes;
                sys::rados_read_op_getxattrs(op, attributes, ptr::null_mut());
            }
            let Piece {
                offset,
                length,
                into,
            } = (*cells).piece;
            // Reading no bytes at all would mean reading all.
            if length > 0 {
                let bytes_read = &raw mut (*cells).bytes_read;
                let into = into.as_ptr();
                sys::rados_read_op_read(op, offset, length, into, bytes_read, ptr::null_mut());
            }
            let flags = flags.cast_signed();
            sys::rados_aio_read_op_operate(op, namespace, completion, name.as_ptr(), flags)
        }
    }

    /// The value of one attribute. Only after the read has ended well.
    fn attribute(&self, wanted: &CStr) -> Option<Vec<u8>> {
        if self.attributes.is_null() {
            return None;
        }
        loop {
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the read has ended, so the iterator stands at the first attribute; the three places are written only.
            let code = unsafe {
                sys::rados_getxattrs_next(
                    self.attributes,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                )
            };
            if code < 0 || name.is_null() {
                return None;
            }
            // SAFETY: not null, so a name that ends with a NUL, valid until the iterator moves on.
            if unsafe { CStr::from_ptr(name) } == wanted {
                if value.is_null() {
                    return Some(Vec::new());
                }
                // SAFETY: not null, so `length` bytes, valid until the iterator moves on.
                let value = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), length) };
                return Some(value.to_vec());
            }
        }
    }
}

impl Drop for Cells {
    fn drop(&mut self) {
        // SAFETY: dropped after the read has ended (its operation owns it until then); each was made by librados, and is
        // released once.
        unsafe {
            if !self.attributes.is_null() {
                sys::rados_getxattrs_end(self.attributes);
            }
            sys::rados_release_read_op(self.op);
        }
    }
}
