//! State: values that a tenant's calls share. The host does not have it yet and refuses a module that imports it; natively it works.
//!
//! A value has one size, which its first writer gives it. What is written is seen on the same node at once, and elsewhere when it is pushed
//! and pulled.

use crate::{Error, Kind, error::c_string, host};
use std::ffi::{CString, c_long};

/// A value's key, checked.
#[derive(Clone, Debug)]
pub struct State {
    key: CString,
}

impl State {
    /// The value at that key, which need not exist.
    ///
    /// # Errors
    /// `Invalid`, when the key has a NUL in it.
    pub fn at(key: &str) -> Result<Self, Error> {
        c_string(key)
            .map(|key| Self { key })
            .ok_or_else(|| Error::new(Kind::Invalid, "use state", key))
    }

    /// Its size in bytes; 0 where there is none.
    pub fn size(&self) -> usize {
        // SAFETY: the key ends in NUL; with length 0 no buffer is touched.
        let size = unsafe { host::read_state(self.key.as_ptr(), std::ptr::null_mut(), 0) };
        usize::try_from(size).unwrap_or(0)
    }

    /// All of it.
    pub fn read(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size()];
        if !bytes.is_empty() {
            // SAFETY: the key ends in NUL, and the buffer is writable for its length.
            unsafe {
                host::read_state(self.key.as_ptr(), bytes.as_mut_ptr(), bytes.len() as c_long)
            };
        }
        bytes
    }

    /// Makes these bytes the value.
    pub fn write(&self, bytes: &[u8]) {
        // SAFETY: the key ends in NUL, and the bytes are readable for their length.
        unsafe { host::write_state(self.key.as_ptr(), bytes.as_ptr(), bytes.len() as c_long) };
    }

    /// `length` bytes from `offset` on, of a value of `total` bytes. Traps where they do not lie in it.
    pub fn read_part(&self, total: usize, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        // SAFETY: the key ends in NUL, and the buffer is writable for its length.
        unsafe {
            host::read_state_offset(
                self.key.as_ptr(),
                total as c_long,
                offset as c_long,
                bytes.as_mut_ptr(),
                length as c_long,
            );
        }
        bytes
    }

    /// Writes bytes from `offset` on, of a value of `total` bytes. Traps where they do not lie in it.
    pub fn write_part(&self, total: usize, offset: usize, bytes: &[u8]) {
        // SAFETY: the key ends in NUL, and the bytes are readable for their length.
        unsafe {
            host::write_state_offset(
                self.key.as_ptr(),
                total as c_long,
                offset as c_long,
                bytes.as_ptr(),
                bytes.len() as c_long,
            );
        }
    }

    /// Sends all of it to all nodes.
    pub fn push(&self) {
        // SAFETY: the key ends in NUL.
        unsafe { host::push_state(self.key.as_ptr()) };
    }

    /// Sends the parts that were written.
    pub fn push_parts(&self) {
        // SAFETY: the key ends in NUL.
        unsafe { host::push_state_partial(self.key.as_ptr()) };
    }

    /// Fetches what was last sent, of a value of `total` bytes.
    pub fn pull(&self, total: usize) {
        // SAFETY: the key ends in NUL.
        unsafe { host::pull_state(self.key.as_ptr(), total as c_long) };
    }

    /// Waits until nobody else has it locked; holds it until this is dropped.
    pub fn lock(&self) -> Lock<'_> {
        // SAFETY: the key ends in NUL.
        unsafe { host::lock_state_write(self.key.as_ptr()) };
        Lock {
            state: self,
            shared: false,
        }
    }

    /// The same, together with others that only read.
    pub fn lock_shared(&self) -> Lock<'_> {
        // SAFETY: the key ends in NUL.
        unsafe { host::lock_state_read(self.key.as_ptr()) };
        Lock {
            state: self,
            shared: true,
        }
    }
}

/// A value that is locked.
#[derive(Debug)]
pub struct Lock<'a> {
    state: &'a State,
    shared: bool,
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        let key = self.state.key.as_ptr();
        // SAFETY: the key ends in NUL, and the lock is held in this way.
        unsafe {
            if self.shared {
                host::unlock_state_read(key);
            } else {
                host::unlock_state_write(key);
            }
        }
    }
}
