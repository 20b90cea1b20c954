//! What a function in Rust needs of Ganglion: [`input`], [`set_output`], [`Object`], [`put`], [`on_storage`], and
//! [`object_key!`] for its manifest.
//!
//! Absent on purpose: dependencies, and anything that the host does not do yet.

mod host;
mod object;
mod storage;

pub use object::{Object, put};
pub use storage::on_storage;

use std::fmt;

/// The whole input of the call.
pub fn input() -> Vec<u8> {
    // SAFETY: with length 0 the host touches no memory.
    let size = unsafe { host::read_input(std::ptr::null_mut(), 0) };
    let size = usize::try_from(size).unwrap_or(0);
    let mut input = vec![0; size];
    if size != 0 {
        // SAFETY: the buffer is writable for the length that is passed with it, which came from the host as an i32.
        unsafe { host::read_input(input.as_mut_ptr(), size as i32) };
    }
    input
}

/// Makes these bytes the output of the call; a later call replaces them. Traps beyond the limit of an output (setting
/// `limits.output`).
pub fn set_output(bytes: &[u8]) {
    // SAFETY: the bytes are readable for their length; a length of 2 GiB or more arrives as the same 32 bits.
    unsafe { host::write_output(bytes.as_ptr(), bytes.len() as i32) };
}

/// Why the host did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument that cannot be, such as a key that is empty, longer than 1024 bytes or holds a NUL.
    Invalid,
    /// There is no such object.
    NotFound,
    /// This tenant may not do this to this object.
    Denied,
    /// Beyond a limit of the call; the host's log names the setting.
    Limit,
    /// The store failed or cannot be reached.
    Storage,
    /// A code that this version of the crate does not know.
    Other(i32),
}

impl Error {
    fn of_code(code: i32) -> Self {
        match code {
            -1 => Self::Invalid,
            -2 => Self::NotFound,
            -3 => Self::Denied,
            -4 => Self::Limit,
            -5 => Self::Storage,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("invalid argument"),
            Self::NotFound => f.write_str("no such object"),
            Self::Denied => f.write_str("access denied"),
            Self::Limit => f.write_str("beyond a limit of the call"),
            Self::Storage => f.write_str("the store failed"),
            Self::Other(code) => write!(f, "host code {code}"),
        }
    }
}

impl std::error::Error for Error {}

/// Says how the host finds, in the input, the key of the object that a call is about: `"first-word"` (the input up to its
/// first space), `"input"` (all of it) or `"none"`. Once per module. It is advice for placement.
///
/// ```ignore
/// ganglion_sdk::object_key!("input");
/// ```
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
