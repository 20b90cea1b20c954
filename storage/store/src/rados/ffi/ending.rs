//! The end of the process while connections are open.
//!
//! `exit` destroys what C++ libraries keep in statics. A thread that is inside of librados at that time, such as one that
//! still asks the monitors for something that nobody waits for any more, then crashes or aborts, and takes the process' exit
//! code with it. So a process that ends with a connection open ends right before those destructors: what Rust has to flush
//! is flushed by then, and the connection ends as it would with the process.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections, from before they are created until they are shut down.
static OPEN: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    /// glibc: calls `handler` with the exit code and `argument`, before whatever was registered earlier.
    fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    /// POSIX: ends the process without any handler.
    fn _exit(code: c_int) -> !;
}

/// Counts one more connection.
pub(super) fn opening() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the handler takes nothing from its argument and does not unwind.
        let refused = unsafe { on_exit(end, ptr::null_mut()) };
        if refused != 0 {
            tracing::warn!("no memory for an exit handler: the exit code may be lost");
        }
    });
    OPEN.fetch_add(1, Ordering::AcqRel);
}

/// Counts one less, when its last thread has ended.
pub(super) fn closed() {
    OPEN.fetch_sub(1, Ordering::AcqRel);
}

extern "C" fn end(code: c_int, _: *mut c_void) {
    if OPEN.load(Ordering::Acquire) > 0 {
        // SAFETY: ends the process; no other handler has anything to do for this program.
        unsafe { _exit(code) };
    }
}
