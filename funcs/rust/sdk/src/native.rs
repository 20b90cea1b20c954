//! A function as a program of this machine: `PROGRAM [INPUT]`. Without INPUT it is read from standard input, unless that is a terminal. The output
//! goes to standard output.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStringExt;

/// As in `funcs/native/host.h`.
#[repr(C)]
struct Bytes {
    bytes: *mut u8,
    length: usize,
}

unsafe extern "C" {
    fn host_set_input(input: Bytes);
    fn host_output() -> Bytes;
}

pub fn begin() {
    let mut input = std::env::args_os()
        .nth(1)
        .map(OsString::into_vec)
        .unwrap_or_default();
    if input.is_empty()
        && !io::stdin().is_terminal()
        && io::stdin().read_to_end(&mut input).is_err()
    {
        input.clear();
    }
    let input = input.leak();
    let bytes = Bytes {
        bytes: input.as_mut_ptr(),
        length: input.len(),
    };
    // SAFETY: the bytes are never freed, and nobody here has them any more.
    unsafe { host_set_input(bytes) };
}

pub fn end() {
    // SAFETY: there is no precondition.
    let output = unsafe { host_output() };
    if output.length != 0 {
        // SAFETY: the host keeps so many bytes there until the next output is set, and none is from here on.
        let bytes = unsafe { std::slice::from_raw_parts(output.bytes, output.length) };
        // Where nobody reads there is nobody to tell.
        let _ = io::stdout().write_all(bytes);
    }
}
