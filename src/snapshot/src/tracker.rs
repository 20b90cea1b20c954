//! Which pages a guest has written of those that the host wrote before it.
//!
//! In a window that the host has filled every page is the mapping's own, so [`Pagemap::dirty`](crate::pagemap::Pagemap::dirty) tells
//! nothing. There the pages are write protected after the filling, in a way in which the kernel itself takes the protection off
//! at the first write and nobody is woken (userfaultfd with `WP_ASYNC`, Linux 6.7; Documentation/admin-guide/mm/userfaultfd.rst).
//! That costs a fault for each page that is written, so it is done only where somebody is going to ask.

use rustix::mm::{UserfaultfdFlags, userfaultfd};
use std::io::{Error, Result};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};

/// Numbers of `linux/userfaultfd.h`.
const UFFDIO_API: libc::c_ulong = 0xC018_AA3F;
const UFFDIO_REGISTER: libc::c_ulong = 0xC020_AA00;
const UFFDIO_UNREGISTER: libc::c_ulong = 0x8010_AA01;
const UFFDIO_WRITEPROTECT: libc::c_ulong = 0xC018_AA06;
const UFFD_API: u64 = 0xAA;
const FEATURE_PAGEFAULT_FLAG_WP: u64 = 1 << 0;
const FEATURE_WP_ASYNC: u64 = 1 << 15;
const REGISTER_MODE_WP: u64 = 1 << 1;
const WRITEPROTECT_MODE_WP: u64 = 1 << 0;
/// `UFFD_USER_MODE_ONLY`: what a process without privileges may ask for. It is about faults that somebody handles; here nobody
/// does.
const USER_MODE_ONLY: UserfaultfdFlags = UserfaultfdFlags::from_bits_retain(1);

/// `struct uffdio_api`.
#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_range`.
#[repr(C)]
struct Addresses {
    start: u64,
    len: u64,
}

impl Addresses {
    fn of(range: &Range<usize>) -> Self {
        Self {
            start: range.start as u64,
            len: range.len() as u64,
        }
    }
}

/// `struct uffdio_register`.
#[repr(C)]
struct Register {
    range: Addresses,
    mode: u64,
    ioctls: u64,
}

/// `struct uffdio_writeprotect`.
#[repr(C)]
struct WriteProtect {
    range: Addresses,
    mode: u64,
}

/// Watches ranges of this process's memory for writes.
#[derive(Debug)]
pub(crate) struct WriteTracker(OwnedFd);

impl WriteTracker {
    /// `None` where the kernel cannot (before Linux 6.7), or may not.
    pub(crate) fn open() -> Option<Self> {
        let flags = UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::NONBLOCK | USER_MODE_ONLY;
        // SAFETY: all that is ever registered with the descriptor is anonymous memory of slots, for asynchronous write
        // protection, which changes no content and stops no thread.
        let tracker = Self(unsafe { userfaultfd(flags) }.ok()?);
        let mut api = Api {
            api: UFFD_API,
            features: FEATURE_PAGEFAULT_FLAG_WP | FEATURE_WP_ASYNC,
            ioctls: 0,
        };
        tracker.ask(UFFDIO_API, &mut api).ok()?;
        Some(tracker)
    }

    /// Watches `range` (addresses of anonymous memory, page aligned) from now on, until [`WriteTracker::forget`] or until
    /// something else is mapped there.
    pub(crate) fn watch(&self, range: &Range<usize>) -> Result<()> {
        let mut register = Register {
            range: Addresses::of(range),
            mode: REGISTER_MODE_WP,
            ioctls: 0,
        };
        self.ask(UFFDIO_REGISTER, &mut register)?;
        let mut protect = WriteProtect {
            range: Addresses::of(range),
            mode: WRITEPROTECT_MODE_WP,
        };
        self.ask(UFFDIO_WRITEPROTECT, &mut protect)
    }

    /// Watches `range` no more; its pages can be written without a fault again.
    pub(crate) fn forget(&self, range: &Range<usize>) -> Result<()> {
        self.ask(UFFDIO_UNREGISTER, &mut Addresses::of(range))
    }

    fn ask<T>(&self, request: libc::c_ulong, argument: &mut T) -> Result<()> {
        // SAFETY: each request above is asked with the struct that it is defined for, which lives across the call.
        let answer = unsafe { libc::ioctl(self.0.as_raw_fd(), request, argument) };
        if answer == 0 {
            Ok(())
        } else {
            Err(Error::last_os_error())
        }
    }
}
