//! A function as a program of this machine: `PROGRAM [INPUT]`, as `funcs/native/main.c` has it.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::os::unix::ffi::OsStringExt;

/// As in `funcs/native/host.h`.
#[repr(C)]
struct Bytes {
    bytes: *mut u8,
    length: usize,
}

unsafe extern "C" {
    fn host_begin(argument: Bytes) -> bool;
    fn host_end() -> bool;
}

/// Prepares the function, if it wants that, and takes its input. Says whether that went well.
pub fn begin() -> bool {
    let argument = std::env::args_os().nth(1).map(OsString::into_vec);
    let bytes = argument.map_or(std::ptr::null_mut(), |mut argument| {
        argument.push(0); // so that an empty one is somewhere too
        argument.leak().as_mut_ptr()
    });
    let length = std::env::args_os()
        .nth(1)
        .map_or(0, |argument| argument.len());
    // SAFETY: the bytes are never freed and nobody here has them any more, or they are NULL; nothing else of the function has run.
    unsafe { host_begin(Bytes { bytes, length }) }
}

/// Writes the output. Says whether that went well.
pub fn end() -> bool {
    // What was printed comes before it. Where nobody reads there is nobody to tell.
    let _ = stdout().flush();
    // SAFETY: there is no precondition.
    unsafe { host_end() }
}
