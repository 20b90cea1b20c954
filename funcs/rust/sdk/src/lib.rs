//! What a function in Rust needs of Ganglion. A whole one:
//!
//! ```no_run
//! use ganglion::{Error, Object, on_storage};
//!
//! /// The whole input is the key of the object that the call is about.
//! #[ganglion::main(object = "input")]
//! fn main(key: String) -> Result<String, Error> {
//!     let lines = on_storage(&key, || {
//!         let object = Object::open(&key)?;
//!         Ok::<_, Error>(object.as_bytes().iter().filter(|byte| **byte == b'\n').count())
//!     })?;
//!     Ok(lines.to_string())
//! }
//! ```
//!
//! A function is also a program of this machine, over files (`cargo run --target` with this machine's): see `funcs/native/host.h`.
//!
//! Absent on purpose: everything that a crate for WebAssembly can bring itself.

pub mod chain;
mod entry;
mod error;
mod host;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod object;
pub mod state;
mod storage;

pub use entry::{
    Answer, Entry, FromInput, KeyAndArgument, Prepared, combine_with, prepare_with, run,
};
pub use error::{Error, Failure, Kind};
pub use ganglion_macros::{combine, main, zygote};
pub use object::{Object, put};
pub use storage::on_storage;

use std::ffi::c_long;

/// The whole input of the call.
pub fn input() -> Vec<u8> {
    // SAFETY: with length 0 the host touches no memory.
    let size = unsafe { host::read_input(std::ptr::null_mut(), 0) };
    let size = usize::try_from(size).unwrap_or(0);
    let mut input = vec![0; size];
    if size != 0 {
        // SAFETY: the buffer is writable for the length that is passed with it, which came from the host.
        unsafe { host::read_input(input.as_mut_ptr(), size as c_long) };
    }
    input
}

/// Makes these bytes the output of the call; a later call replaces them, and what `main` returns does. Traps beyond the limit
/// of an output (setting `limits.output`).
pub fn set_output(bytes: &[u8]) {
    // SAFETY: the bytes are readable for their length; a length of 2 GiB or more arrives as the same 32 bits.
    unsafe { host::write_output(bytes.as_ptr(), bytes.len() as c_long) };
}

/// Gives the host one more entry into the module; `#[ganglion::combine]` and `#[ganglion::zygote]` write it. Once per name.
#[doc(hidden)]
#[macro_export]
macro_rules! entry_point {
    ($name:literal, $enter:path, $function:ident) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            extern "C" fn entry_point() -> i32 {
                $enter($function)
            }
        };
    };
}

/// Says how the host finds, in the input, the key of the object that a call is about: `"first-word"` (the input up to its
/// first space), `"input"` (all of it) or `"none"`. Once per module; `#[ganglion::main(object = ...)]` writes it. It is advice for
/// placement.
#[macro_export]
macro_rules! object_key {
    ($rule:literal) => {
        const _: () = {
            const TEXT: &str = concat!("{\"object\":\"", $rule, "\"}");

            #[used]
            #[unsafe(link_section = "ganglion")]
            static MANIFEST: [u8; TEXT.len()] = *TEXT
                .as_bytes()
                .first_chunk()
                .expect("the array has the text's length");
        };
    };
}
