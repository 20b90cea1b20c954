//! Interruption that costs next to nothing: guests poll a page that the host can make inaccessible.
//!
//! At every loop header and function entry stands
//!
//! ```text
//!   i32.const -1
//!   i32.atomic.load8_u offset=61441      address 4 GiB + 60 KiB
//!   drop
//! ```
//!
//! which is one load that nothing depends on. Whatever runs long comes by one of them again and again; when the page is
//! gone (`snapshot`'s `Slot::trip`) the load traps as out of bounds, and `worker` says why.
//!
//! - The load is atomic because the compiler removes a plain one whose bytes it has loaded before: there would be one poll
//!   in a loop's first round and none in the others.
//! - The address lies behind the 4 GiB of a memory, in the guard, so that memories and windows may fill all of them. As
//!   index and offset its check needs no code: every memory could grow to the offset, and index and offset together stay
//!   within the guard.
//!
//! After the safepoint polls of the HotSpot virtual machine, which read a page for the same purpose.

use wasm_encoder::{Encode, Instruction, MemArg};

/// The address that polls load from, from the beginning of linear memory on.
pub const POLL_ADDRESS: u64 = (4 << 30) + (60 << 10);

const INDEX: u32 = u32::MAX;
const OFFSET: u64 = POLL_ADDRESS - INDEX as u64;
// No memory is known to be smaller than a page for ever (see `blueprint`): such an access would be compiled to a trap.
const _: () = assert!(OFFSET < 65_536);

/// The instructions of a poll, encoded. They leave the stack as it was and may stand between any two instructions.
pub(crate) fn poll() -> Vec<u8> {
    let byte = MemArg {
        offset: OFFSET,
        align: 0,
        memory_index: 0,
    };
    let mut code = Vec::new();
    for instruction in [
        Instruction::I32Const(INDEX.cast_signed()),
        Instruction::I32AtomicLoad8U(byte),
        Instruction::Drop,
    ] {
        instruction.encode(&mut code);
    }
    code
}
