//! Large fills and copies, a piece at a time: a guest is stopped between two instructions, and one may move all of a memory.
//!
//! `memory.fill` and `memory.copy` become calls of functions of ours. They do what the instruction does: up to a piece at
//! once; more of it piece by piece, in the direction in which overlapping ranges keep their bytes; and what does not fit
//! into the memory traps before anything is written, since the instruction itself is left to say so. What moves a constant
//! little stays as it is.

use crate::added::Added;
use crate::blueprint::Blueprint;
use wasm_encoder::{BlockType, Function, InstructionSink, ValType};
use wasmparser::Operator;

/// Bytes that are moved between two polls: at worst 256 pages that the kernel has to find first, and twice that in a copy.
const PIECE: u32 = 1 << 20;
/// A constant count up to which an instruction costs no more than others do.
const LITTLE: u32 = 4096;

/// The functions, by their indices.
pub(crate) struct Bulk {
    fill: u32,
    copy: u32,
}

// Parameters of both: where to, the byte or where from, how many.
const TO: u32 = 0;
const FROM: u32 = 1;
const COUNT: u32 = 2;

impl Bulk {
    /// `None` for a module that needs none. `poll` stands where functions and loops begin.
    pub(crate) fn of(blueprint: &Blueprint, poll: &[u8], added: &mut Added) -> Option<Self> {
        const THREE: [ValType; 3] = [ValType::I32; 3];
        blueprint.moves_memory.then(|| Self {
            fill: added.function(&THREE, &[], fill(poll)),
            copy: added.function(&THREE, &[], copy(poll)),
        })
    }

    /// The function to call in place of an instruction, unless the one before it says that it moves only a little.
    pub(crate) fn instead(&self, operator: &Operator<'_>, before: Option<u32>) -> Option<u32> {
        let little = before.is_some_and(|count| count <= LITTLE);
        match operator {
            Operator::MemoryFill { .. } if !little => Some(self.fill),
            Operator::MemoryCopy { .. } if !little => Some(self.copy),
            _ => None,
        }
    }
}

fn fill(poll: &[u8]) -> Function {
    let mut function = Function::new([]);
    function.raw(poll.iter().copied());
    up_to_a_piece(&mut function, memory_fill);
    trap_unless_fits(&mut function, &[TO], memory_fill);
    pieces(&mut function, poll, |code| {
        code.local_get(TO).local_get(FROM).i32_const(piece());
        code.memory_fill(0);
        forward(code, TO);
    });
    all(&mut function.instructions(), memory_fill);
    function.instructions().end();
    function
}

fn copy(poll: &[u8]) -> Function {
    let mut function = Function::new([]);
    function.raw(poll.iter().copied());
    up_to_a_piece(&mut function, memory_copy);
    trap_unless_fits(&mut function, &[TO, FROM], memory_copy);
    let mut code = function.instructions();
    code.local_get(TO).local_get(FROM).i32_le_u();
    code.if_(BlockType::Empty);
    pieces(&mut function, poll, |code| {
        code.local_get(TO).local_get(FROM).i32_const(piece());
        memory_copy(code);
        forward(code, TO);
        forward(code, FROM);
    });
    function.instructions().else_();
    // The last piece first: what is still to be read lies below what is written.
    pieces_from_the_end(&mut function, poll);
    function.instructions().end();
    all(&mut function.instructions(), memory_copy);
    function.instructions().end();
    function
}

fn memory_fill(code: &mut InstructionSink<'_>) {
    code.memory_fill(0);
}

fn memory_copy(code: &mut InstructionSink<'_>) {
    code.memory_copy(0, 0);
}

/// The instruction itself on all that is left.
fn all(code: &mut InstructionSink<'_>, instruction: fn(&mut InstructionSink<'_>)) {
    code.local_get(TO).local_get(FROM).local_get(COUNT);
    instruction(code);
}

fn up_to_a_piece(function: &mut Function, instruction: fn(&mut InstructionSink<'_>)) {
    let mut code = function.instructions();
    code.local_get(COUNT).i32_const(piece()).i32_le_u();
    code.if_(BlockType::Empty);
    all(&mut code, instruction);
    code.return_().end();
}

/// Has the instruction itself trap when one of the ranges does not lie in the memory.
fn trap_unless_fits(
    function: &mut Function,
    ranges: &[u32],
    instruction: fn(&mut InstructionSink<'_>),
) {
    const PAGE_BITS: i64 = 16;
    for begin in ranges {
        let mut code = function.instructions();
        code.local_get(*begin).i64_extend_i32_u();
        code.local_get(COUNT).i64_extend_i32_u().i64_add();
        code.memory_size(0).i64_extend_i32_u();
        code.i64_const(PAGE_BITS).i64_shl().i64_gt_u();
        code.if_(BlockType::Empty);
        all(&mut code, instruction);
        code.end();
    }
}

/// A loop that moves a piece each time, until no more than one is left.
fn pieces(function: &mut Function, poll: &[u8], one: impl Fn(&mut InstructionSink<'_>)) {
    function.instructions().loop_(BlockType::Empty);
    function.raw(poll.iter().copied());
    let mut code = function.instructions();
    one(&mut code);
    code.local_get(COUNT).i32_const(piece()).i32_sub();
    while_more_than_a_piece(&mut code);
}

fn pieces_from_the_end(function: &mut Function, poll: &[u8]) {
    function.instructions().loop_(BlockType::Empty);
    function.raw(poll.iter().copied());
    let mut code = function.instructions();
    code.local_get(COUNT).i32_const(piece()).i32_sub();
    code.local_set(COUNT);
    code.local_get(TO).local_get(COUNT).i32_add();
    code.local_get(FROM).local_get(COUNT).i32_add();
    code.i32_const(piece());
    memory_copy(&mut code);
    code.local_get(COUNT);
    while_more_than_a_piece(&mut code);
}

/// Sets what is left to the value on the stack, and ends the loop.
fn while_more_than_a_piece(code: &mut InstructionSink<'_>) {
    code.local_tee(COUNT).i32_const(piece()).i32_gt_u();
    code.br_if(0).end();
}

fn forward(code: &mut InstructionSink<'_>, position: u32) {
    code.local_get(position).i32_const(piece()).i32_add();
    code.local_set(position);
}

fn piece() -> i32 {
    PIECE.cast_signed()
}
