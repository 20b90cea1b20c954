//! The guest's own idea of how large its memory is, kept apart from the object windows above it.
//!
//! A window makes the memory larger. An allocator that then asks for the memory's size would take the window for heap:
//! wasi-libc's does, the first time that it allocates. So in modules that can open windows
//!
//! - `memory.size` reads a global of ours instead, which windows do not change, and
//! - `memory.grow` calls a function of ours, which grows the memory and then sets that global to its true size.
//!
//! All that is added comes behind what is there, so no index changes.

use crate::blueprint::Blueprint;
use ganglion_types::{Error, Result};
use std::ops::Range;
use wasm_encoder::{BlockType, CodeSection, Encode, Function, Instruction, ValType};
use wasmparser::{BinaryReader, BinaryReaderError, CodeSectionReader, FunctionBody, Operator};

const PAGE_BYTES: u64 = 65_536;

/// The additions to a module, by their indices.
pub(crate) struct Heap {
    ty: u32,
    grow: u32,
    pages: u32,
    initial_pages: i32,
}

impl Heap {
    /// `None` for a module that needs none.
    pub(crate) fn of(blueprint: &Blueprint) -> Result<Option<Self>> {
        if !(blueprint.opens_windows && blueprint.sizes_memory) {
            return Ok(None);
        }
        let index =
            |count: usize| u32::try_from(count).map_err(|_| Error::invalid("too many functions"));
        let pages = blueprint.memory_min_bytes / PAGE_BYTES;
        Ok(Some(Self {
            ty: index(blueprint.types.len())?,
            grow: index(blueprint.functions.len())?,
            pages: blueprint.globals,
            initial_pages: i32::try_from(pages).map_err(|_| Error::invalid("too much memory"))?,
        }))
    }

    /// The index of the global that holds the size, in pages of 64 KiB.
    pub(crate) fn global(&self) -> u32 {
        self.pages
    }

    /// The type section with `(i32) -> i32` behind it.
    pub(crate) fn types(&self, section: &[u8]) -> Result<Vec<u8>> {
        const FUNCTION: u8 = 0x60;
        const I32: u8 = 0x7f;
        appended(section, &[FUNCTION, 1, I32, 1, I32])
    }

    /// The function section with the growing function behind it.
    pub(crate) fn functions(&self, section: &[u8]) -> Result<Vec<u8>> {
        let mut entry = Vec::new();
        self.ty.encode(&mut entry);
        appended(section, &entry)
    }

    /// The global section with the size behind it; an empty section is `[0]`.
    pub(crate) fn globals(&self, section: &[u8]) -> Result<Vec<u8>> {
        const I32: u8 = 0x7f;
        const MUTABLE: u8 = 1;
        let mut entry = vec![I32, MUTABLE];
        Instruction::I32Const(self.initial_pages).encode(&mut entry);
        Instruction::End.encode(&mut entry);
        appended(section, &entry)
    }

    /// The code section with the instructions replaced and the growing function behind it.
    pub(crate) fn code(&self, wasm: &[u8], section: Range<usize>) -> Result<CodeSection> {
        let reader = BinaryReader::new(&wasm[section.clone()], section.start);
        let mut code = CodeSection::new();
        for body in CodeSectionReader::new(reader).map_err(malformed)? {
            code.raw(
                &self
                    .body(wasm, &body.map_err(malformed)?)
                    .map_err(malformed)?,
            );
        }
        code.function(&self.grow());
        Ok(code)
    }

    fn body(&self, wasm: &[u8], body: &FunctionBody<'_>) -> Result<Vec<u8>, BinaryReaderError> {
        let range = body.range();
        let (mut out, mut copied) = (Vec::with_capacity(range.len() + 8), range.start);
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, at) = operator?;
            let replacement = match operator {
                Operator::MemorySize { .. } => Instruction::GlobalGet(self.pages),
                Operator::MemoryGrow { .. } => Instruction::Call(self.grow),
                _ => continue,
            };
            out.extend_from_slice(&wasm[copied..at]);
            replacement.encode(&mut out);
            // Both are an opcode and the index of the one memory.
            copied = at + 2;
        }
        out.extend_from_slice(&wasm[copied..range.end]);
        Ok(out)
    }

    fn grow(&self) -> Function {
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
            Instruction::GlobalSet(self.pages),
            Instruction::End,
            Instruction::LocalGet(old),
            Instruction::End,
        ] {
            function.instruction(&instruction);
        }
        function
    }
}

/// A section that is a list, with an entry more.
fn appended(section: &[u8], entry: &[u8]) -> Result<Vec<u8>> {
    let mut reader = BinaryReader::new(section, 0);
    let count = reader.read_var_u32().map_err(malformed)?;
    let mut out = Vec::with_capacity(section.len() + entry.len() + 1);
    (count + 1).encode(&mut out);
    out.extend_from_slice(&section[reader.original_position()..]);
    out.extend_from_slice(entry);
    Ok(out)
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn malformed(error: BinaryReaderError) -> Error {
    Error::invalid(format!("the module is malformed: {}", error.message()))
}
