//! Faasm's core interface: input and output.

use crate::guest::{Guest, bytes_at, memory_and_guest};
use crate::stop::fault;
use bytes::Bytes;
use ganglion_registry::abi::ENV;
use wasmtime::{Caller, Linker, Result};

pub(super) fn define(linker: &mut Linker<Guest>) -> Result<()> {
    linker.func_wrap(ENV, "__faasm_read_input", read_input)?;
    linker.func_wrap(ENV, "__faasm_write_output", write_output)?;
    Ok(())
}

/// Copies the input into a buffer and returns the number of bytes copied; with a length of 0, returns the input's size.
fn read_input(mut caller: Caller<'_, Guest>, buffer: u32, length: u32) -> Result<u32> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let input = &guest.call.input;
    if length == 0 {
        return Ok(u32::try_from(input.len()).unwrap_or(u32::MAX));
    }
    let copied = length.min(u32::try_from(input.len()).unwrap_or(u32::MAX));
    let target = bytes_at(memory, buffer, copied, "__faasm_read_input")?;
    target.copy_from_slice(&input[..copied as usize]);
    Ok(copied)
}

/// Sets the whole output; the last call wins.
fn write_output(mut caller: Caller<'_, Guest>, pointer: u32, length: u32) -> Result<()> {
    let (memory, guest) = memory_and_guest(&mut caller)?;
    let limit = guest.call.limits.output_bytes;
    if u64::from(length) > limit {
        return Err(fault(format!(
            "the function set {length} bytes as output, limit {limit} bytes (setting limits.output)"
        )));
    }
    let bytes = bytes_at(memory, pointer, length, "__faasm_write_output")?;
    guest.output = Some(Bytes::copy_from_slice(bytes));
    Ok(())
}
