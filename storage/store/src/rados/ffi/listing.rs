//! Enumerating the objects of a namespace, or of all.

use super::{Namespace, check};
use rados_sys as sys;
use rustix::io::Errno;
use std::ffi::c_char;
use std::ptr;

/// An open enumeration.
struct Cursor(sys::rados_list_ctx_t);

impl Drop for Cursor {
    fn drop(&mut self) {
        // SAFETY: opened by `rados_nobjects_list_open` and closed once.
        unsafe { sys::rados_nobjects_list_close(self.0) };
    }
}

impl Namespace {
    /// Calls `visit` with namespace and name of each object, in no order. Objects with a locator, which cannot be found by
    /// their name alone, are left out. Blocks.
    pub(in crate::rados) fn for_each(
        &self,
        mut visit: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Errno> {
        let mut cursor = ptr::null_mut();
        // SAFETY: the namespace lives; `cursor` is written only.
        check(unsafe { sys::rados_nobjects_list_open(self.handle(), &raw mut cursor) })?;
        let cursor = Cursor(cursor);
        loop {
            let (mut name, mut locator, mut namespace) = (Part::NONE, Part::NONE, Part::NONE);
            // SAFETY: the cursor is open and this thread's; the six places are written only.
            let code = unsafe {
                sys::rados_nobjects_list_next2(
                    cursor.0,
                    &raw mut name.bytes,
                    &raw mut locator.bytes,
                    &raw mut namespace.bytes,
                    &raw mut name.length,
                    &raw mut locator.length,
                    &raw mut namespace.length,
                )
            };
            match check(code) {
                Ok(_) => {}
                Err(Errno::NOENT) => return Ok(()),
                Err(errno) => return Err(errno),
            }
            // SAFETY: librados filled the parts in, and their bytes are valid until the cursor moves on.
            let (namespace, name, locator) =
                unsafe { (namespace.as_slice(), name.as_slice(), locator.as_slice()) };
            if locator.is_empty() {
                visit(namespace, name);
            }
        }
    }
}

/// Bytes of librados'.
struct Part {
    bytes: *const c_char,
    length: usize,
}

impl Part {
    const NONE: Self = Self {
        bytes: ptr::null(),
        length: 0,
    };

    /// # Safety
    /// The bytes are null, or `length` bytes that stay as they are for as long as the slice is used.
    unsafe fn as_slice<'a>(&self) -> &'a [u8] {
        if self.bytes.is_null() {
            return &[];
        }
        // SAFETY: as promised by the caller.
        unsafe { std::slice::from_raw_parts(self.bytes.cast(), self.length) }
    }
}
