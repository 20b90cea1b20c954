//! Upload rewriting: makes any compiler's module one whose whole state the host can see, keep and restore.
//!
//! - Every mutable global, the memory, the table and the start function are exported under reserved names.
//! - Active data segments become empty passive ones (the indices of `memory.init` stay): their bytes are the initial
//!   memory image, which `snapshot` maps instead of wasmtime copying it.
//! - Where a module can open object windows, its idea of its memory's size leaves them out (see `heap`).
//! - The start function is not run by instantiation; the host runs it once, when it makes the image.
//! - Where guests are interrupted by polling, loops and functions poll (see `poll`).
//! - Instructions that fill or copy much of the memory at once do it in pieces (see `bulk`).
//!
//! Nothing else of the code is touched, so the guest computes what it computed before.

use crate::blueprint::{Blueprint, RESERVED_PREFIX};
use crate::code::Edits;
use crate::engine::Interruption;
use crate::heap::Heap;
use ganglion_types::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use wasm_encoder::{
    DataCountSection, DataSection, ExportKind, ExportSection, MemorySection, MemoryType, Module,
    RawSection,
};
use wasmparser::{DataKind, ExternalKind, Parser, Payload};

// Numbers of sections (WebAssembly core specification, binary format).
const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const GLOBALS: u8 = 6;
const CODE: u8 = 10;

/// Part of an artefact's name: machine code of a module that was rewritten otherwise is not used.
pub(crate) const REWRITING: u32 = 3;

/// The reserved name of the linear memory; every rewritten module has one, if only an empty one.
pub const MEMORY_EXPORT: &str = "__ganglion_memory";
/// The reserved name of the function table.
pub const TABLE_EXPORT: &str = "__ganglion_table";
/// The reserved name of the module's start function.
pub const START_EXPORT: &str = "__ganglion_start";

/// The reserved name of the mutable global with that index.
pub fn global_export(index: u32) -> String {
    format!("{RESERVED_PREFIX}global_{index}")
}

/// What the host needs to know of a rewritten module, kept beside its artefact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Linear memory at the start, in bytes; a multiple of 64 KiB.
    pub memory_min_bytes: u64,
    /// Indices of the mutable globals, each exported as [`global_export`].
    pub mutable_globals: Vec<u32>,
    /// Whether there is a table, exported as [`TABLE_EXPORT`].
    pub has_table: bool,
    /// Whether there is a start function, exported as [`START_EXPORT`].
    pub has_start: bool,
    /// Whether `__wasm_call_ctors` is exported and so is the host's to call.
    pub has_constructors: bool,
    /// Whether `_faasm_zygote` is exported.
    pub has_zygote: bool,
    /// Whether `ganglion_combine` is exported.
    pub has_combiner: bool,
    /// Whether the module can write objects.
    pub writes_objects: bool,
}

/// A rewritten module, ready to be compiled.
pub(crate) struct Rewritten {
    pub(crate) wasm: Vec<u8>,
    pub(crate) shape: Shape,
    /// The memory that the data segments make, up to its last byte that is not in a segment.
    pub(crate) initial_memory: Vec<u8>,
}

/// Rewrites a module that `blueprint` was read of, for an engine that interrupts in that way.
///
/// # Errors
/// `Invalid` when the module cannot be parsed, which its blueprint excludes.
pub(crate) fn rewrite(
    wasm: &[u8],
    blueprint: &Blueprint,
    interruption: Interruption,
) -> Result<Rewritten> {
    let mut rewriter = Rewriter {
        wasm,
        blueprint,
        out: Module::new(),
        edits: Edits::of(blueprint, interruption)?,
        memory_done: false,
        globals_done: false,
    };
    for payload in Parser::new(0).parse_all(wasm) {
        rewriter.copy(&payload.map_err(malformed)?)?;
    }
    Ok(Rewritten {
        shape: shape(blueprint, rewriter.edits.heap.as_ref()),
        wasm: rewriter.out.finish(),
        initial_memory: initial_memory(wasm, blueprint),
    })
}

struct Rewriter<'a> {
    wasm: &'a [u8],
    blueprint: &'a Blueprint,
    out: Module,
    edits: Edits,
    memory_done: bool,
    globals_done: bool,
}

impl Rewriter<'_> {
    fn copy(&mut self, payload: &Payload<'_>) -> Result<()> {
        if comes_behind_memory(payload) {
            self.add_memory_if_missing();
        }
        if comes_behind_globals(payload) {
            self.add_globals_if_missing()?;
        }
        match payload {
            Payload::ExportSection(exports) => self.exports(exports.clone())?,
            Payload::StartSection { .. } => {}
            Payload::DataCountSection { count, .. } => {
                self.out.section(&DataCountSection { count: *count });
            }
            Payload::DataSection(segments) => self.data(segments.clone())?,
            Payload::CustomSection(section) if section.name() != "name" => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    self.section(id, range)?;
                }
            }
        }
        Ok(())
    }

    /// A section that is copied, or copied with an entry more, or edited.
    fn section(&mut self, id: u8, range: Range<usize>) -> Result<()> {
        if id == CODE && !self.edits.are_none() {
            self.out.section(&self.edits.section(self.wasm, range)?);
            return Ok(());
        }
        let data = &self.wasm[range];
        let edited = match (id, &self.edits.heap) {
            (TYPES, _) => Some(self.edits.added.types(data)?),
            (FUNCTIONS, _) => Some(self.edits.added.functions(data)?),
            (GLOBALS, Some(heap)) => {
                self.globals_done = true;
                Some(heap.globals(data)?)
            }
            _ => None,
        };
        let data = edited.as_deref().unwrap_or(data);
        self.out.section(&RawSection { id, data });
        Ok(())
    }

    fn add_globals_if_missing(&mut self) -> Result<()> {
        let heap = self.edits.heap.as_ref();
        if let Some(heap) = heap.filter(|_| !self.globals_done) {
            let data = heap.globals(&[0])?;
            self.out.section(&RawSection {
                id: GLOBALS,
                data: &data,
            });
        }
        self.globals_done = true;
        Ok(())
    }

    fn add_memory_if_missing(&mut self) {
        if !self.memory_done && !self.blueprint.has_memory {
            let mut memory = MemorySection::new();
            memory.memory(MemoryType {
                minimum: 0,
                maximum: None,
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
            self.out.section(&memory);
        }
        self.memory_done = true;
    }

    fn exports(&mut self, exports: wasmparser::ExportSectionReader<'_>) -> Result<()> {
        let mut section = ExportSection::new();
        for export in exports {
            let export = export.map_err(malformed)?;
            section.export(export.name, kind(export.kind), export.index);
        }
        section.export(MEMORY_EXPORT, ExportKind::Memory, 0);
        for global in mutable_globals(self.blueprint, self.edits.heap.as_ref()) {
            section.export(&global_export(global), ExportKind::Global, global);
        }
        if self.blueprint.has_table {
            section.export(TABLE_EXPORT, ExportKind::Table, 0);
        }
        if let Some(start) = self.blueprint.start {
            section.export(START_EXPORT, ExportKind::Func, start);
        }
        self.out.section(&section);
        Ok(())
    }

    fn data(&mut self, segments: wasmparser::DataSectionReader<'_>) -> Result<()> {
        let mut section = DataSection::new();
        for segment in segments {
            let segment = segment.map_err(malformed)?;
            match segment.kind {
                DataKind::Active { .. } => section.passive([]),
                DataKind::Passive => section.passive(segment.data.iter().copied()),
            };
        }
        self.out.section(&section);
        Ok(())
    }
}

/// The order of sections in a module puts the memory section before these.
fn comes_behind_memory(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::TagSection(_)
            | Payload::GlobalSection(_)
            | Payload::ExportSection(_)
            | Payload::StartSection { .. }
            | Payload::ElementSection(_)
            | Payload::DataCountSection { .. }
            | Payload::CodeSectionStart { .. }
            | Payload::DataSection(_)
    )
}

/// And these behind the globals.
fn comes_behind_globals(payload: &Payload<'_>) -> bool {
    comes_behind_memory(payload)
        && !matches!(payload, Payload::TagSection(_) | Payload::GlobalSection(_))
}

fn mutable_globals(blueprint: &Blueprint, heap: Option<&Heap>) -> Vec<u32> {
    let own = blueprint.mutable_globals.iter().copied();
    own.chain(heap.map(Heap::global)).collect()
}

fn kind(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

fn shape(blueprint: &Blueprint, heap: Option<&Heap>) -> Shape {
    Shape {
        memory_min_bytes: blueprint.memory_min_bytes,
        mutable_globals: mutable_globals(blueprint, heap),
        has_table: blueprint.has_table,
        has_start: blueprint.start.is_some(),
        has_constructors: blueprint.has_constructors,
        has_zygote: blueprint.has_zygote,
        has_combiner: blueprint.has_combiner,
        writes_objects: blueprint.writes_objects,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "segments lie within the initial memory, which is below 4 GiB"
)]
fn initial_memory(wasm: &[u8], blueprint: &Blueprint) -> Vec<u8> {
    let end = |s: &crate::blueprint::Segment| s.offset as usize + s.bytes.len();
    let mut memory = vec![0; blueprint.segments.iter().map(end).max().unwrap_or(0)];
    for segment in &blueprint.segments {
        let start = segment.offset as usize;
        memory[start..start + segment.bytes.len()].copy_from_slice(&wasm[segment.bytes.clone()]);
    }
    memory
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn malformed(error: wasmparser::BinaryReaderError) -> Error {
    Error::invalid(format!("the module is malformed: {}", error.message()))
}
