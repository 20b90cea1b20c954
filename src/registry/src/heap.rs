//! The guest's own idea of how large its memory is, kept apart from the object windows above it.
//!
//! A window makes the memory larger. An allocator that then asks for the memory's size would take the window for heap:
//! wasi-libc's does, the first time that it allocates. So in modules that can open windows
//!
//! - `memory.size` reads a global of ours instead, which windows do not change, and
//! - `memory.grow` calls a function of ours, which grows the memory and then sets that global to its true size.

use crate::added::{Added, appended};
use crate::blueprint::Blueprint;
use ganglion_types::{Error, Result};
use wasm_encoder::{BlockType, Encode, Function, Instruction, ValType};
use wasmparser::Operator;

const PAGE_BYTES: u64 = 65_536;

/// The additions to a module, by their indices.
pub(crate) struct Heap {
    grow: u32,
    pages: u32,
    initial_pages: i32,
}

impl Heap {
    /// `None` for a module that needs none.
    pub(crate) fn of(blueprint: &Blueprint, added: &mut Added) -> Result<Option<Self>> {
        if !(blueprint.opens_windows && blueprint.sizes_memory) {
            return Ok(None);
        }
        let pages = blueprint.globals;
        let initial_pages = blueprint.memory_min_bytes / PAGE_BYTES;
        Ok(Some(Self {
            grow: added.function(&[ValType::I32], &[ValType::I32], grow(pages)),
            pages,
            initial_pages: i32::try_from(initial_pages)
                .map_err(|_| Error::invalid("too much memory"))?,
        }))
    }

    /// The index of the global that holds the size, in pages of 64 KiB.
    pub(crate) fn global(&self) -> u32 {
        self.pages
    }

    /// The global section with the size behind it; an empty section is `[0]`.
    pub(crate) fn globals(&self, section: &[u8]) -> Result<Vec<u8>> {
        const I32: u8 = 0x7f;
        const MUTABLE: u8 = 1;
        let mut entry = vec![I32, MUTABLE];
        Instruction::I32Const(self.initial_pages).encode(&mut entry);
        Instruction::End.encode(&mut entry);
        appended(section, 1, &entry)
    }

    /// What stands in place of an instruction that sees the memory's size.
    pub(crate) fn instead(&self, operator: &Operator<'_>) -> Option<Instruction<'static>> {
        match operator {
            Operator::MemorySize { .. } => Some(Instruction::GlobalGet(self.pages)),
            Operator::MemoryGrow { .. } => Some(Instruction::Call(self.grow)),
            _ => None,
        }
    }
}

/// The growing function.
fn grow(pages: u32) -> Function {
    let (asked, old) = (0, 1);
    let mut function = Function::new([(1, ValType::I32)]);
    for instruction in [
        Instruction::LocalGet(asked),
        Instruction::MemoryGrow(0),
        Instruction::LocalTee(old),
        Instruction::I32Const(-1),
        Instruction::I32Ne,
        Instruction::If(BlockType::Empty),
        Instruction::MemorySize(0),
        Instruction::GlobalSet(pages),
        Instruction::End,
        Instruction::LocalGet(old),
        Instruction::End,
    ] {
        function.instruction(&instruction);
    }
    function
}
