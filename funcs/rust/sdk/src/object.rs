//! Objects of the function's own tenant.

use crate::{Error, Kind, host};
use std::ops::Deref;
use std::ptr::NonNull;

/// The bytes of one version of an object, laid into the guest's memory for as long as this lives.
///
/// It is neither `Send` nor `Sync`, and so cannot be carried into a storage call or out of one: a view belongs to the side
/// on which it was opened.
#[derive(Debug)]
pub struct Object {
    bytes: NonNull<u8>,
    length: u32,
}

impl Object {
    /// Opens all of the object.
    ///
    /// # Errors
    /// `Unsaid` for any reason: a bad key, no such object, access denied, no room left in the guest's memory, a store that
    /// fails.
    pub fn open(key: &str) -> Result<Self, Error> {
        Self::open_range(key, 0, i64::MAX)
    }

    /// Opens `length_max` bytes from `offset` on, or as many as the object has there: none, where `offset` is beyond its
    /// end.
    ///
    /// # Errors
    /// As [`Object::open`], and for a negative number.
    pub fn open_range(key: &str, offset: i64, length_max: i64) -> Result<Self, Error> {
        let mut length = 0;
        // SAFETY: the key is readable for its length and `length` is writable. What comes back is NULL, or a region of
        // `length` bytes that the host gives to this guest until it is unmapped.
        let bytes = unsafe {
            host::get_mmap(
                key.as_ptr(),
                key.len() as i32,
                offset,
                length_max,
                &mut length,
            )
        };
        NonNull::new(bytes)
            .map(|bytes| Self { bytes, length })
            .ok_or_else(|| Error::new(Kind::Unsaid, "open object", key))
    }

    /// Its bytes, which it also dereferences to.
    pub fn as_bytes(&self) -> &[u8] {
        self
    }
}

impl Deref for Object {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the host laid `length` bytes there, they stay until `drop`, and nothing hands out a mutable reference.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr(), self.length as usize) }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: the pair is as the host gave it, and no reference into it outlives `self`.
        unsafe { host::unmap(self.bytes.as_ptr(), self.length as i32) };
    }
}

/// Writes the whole object, in place of what was there, durably.
///
/// # Errors
/// `Invalid` for the key, `Denied`, `Limit` beyond the store's largest object, `Storage`; the object is then as it was.
pub fn put(key: &str, bytes: &[u8]) -> Result<(), Error> {
    let length =
        u32::try_from(bytes.len()).map_err(|_| Error::new(Kind::Limit, "write object", key))?;
    // SAFETY: key and bytes are readable for their lengths.
    let code = unsafe { host::put(key.as_ptr(), key.len() as u32, bytes.as_ptr(), length) };
    if code == 0 {
        Ok(())
    } else {
        Err(Error::new(Kind::of_code(code), "write object", key))
    }
}
