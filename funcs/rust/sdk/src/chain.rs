//! Calls that a call makes. The host does not have them yet and refuses a module that imports them; natively they work.

use crate::{Error, Failure, Kind, error::c_string, host};
use std::ffi::c_long;

/// A call that has begun.
#[derive(Debug)]
pub struct Call(u32);

/// Calls the tenant's function of that name, beside this one.
///
/// # Errors
/// `Invalid`, when the name has a NUL in it.
pub fn call(name: &str, input: &[u8]) -> Result<Call, Error> {
    let text = c_string(name).ok_or_else(|| Error::new(Kind::Invalid, "call function", name))?;
    // SAFETY: the name ends in NUL, and the input is readable for its length.
    let id = unsafe { host::chain_name(text.as_ptr(), input.as_ptr(), input.len() as c_long) };
    Ok(Call(id))
}

/// Calls a function of this module, in an instance of its own. What it returns is the call's code; its input and output are those of
/// [`crate::input`] and [`crate::set_output`].
pub fn call_here(function: extern "C" fn() -> i32, input: &[u8]) -> Call {
    // SAFETY: the input is readable for its length.
    Call(unsafe { host::chain_ptr(function, input.as_ptr(), input.len() as c_long) })
}

impl Call {
    /// Waits for it to end; returns its output.
    ///
    /// # Errors
    /// A code other than 0, with the output as the words.
    pub fn wait(self) -> Result<Vec<u8>, Failure> {
        // SAFETY: there is no precondition.
        let size = unsafe { host::call_output_size(self.0) };
        let mut output = vec![0; usize::try_from(size).unwrap_or(0)];
        // SAFETY: the buffer is writable for the length that is passed with it.
        let code =
            unsafe { host::await_call_output(self.0, output.as_mut_ptr(), output.len() as c_long) };
        match u8::try_from(code) {
            Ok(0) => Ok(output),
            code => {
                let words = String::from_utf8_lossy(&output);
                Err(Failure::with_code(code.unwrap_or(1), words))
            }
        }
    }
}
