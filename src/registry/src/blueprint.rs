//! Reading an uploaded module: is it one that can run here, and where are the parts that rewriting has to touch?

use crate::abi::{self, AbiType};
use crate::manifest::{Manifest, ObjectFrom, SECTION};
use ganglion_types::{Error, ModuleLimits, Result};
use std::ops::Range;
use wasmparser::{
    DataKind, ExternalKind, FuncType, Operator, Parser, Payload, TypeRef, ValType, Validator,
    WasmFeatures,
};

/// The prefix of the exports that rewriting adds; an upload may not use it.
pub(crate) const RESERVED_PREFIX: &str = "__ganglion_";

const PAGE_BYTES: u64 = 65_536;

/// What modules may use: what compilers for `wasm32-wasi` produce, with SIMD.
const FEATURES: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST);

/// What wasmtime would take and we refuse, so that the engine is built without it.
pub(crate) fn refused_features() -> wasmtime::WasmFeatures {
    wasmtime::WasmFeatures::THREADS
        | wasmtime::WasmFeatures::MULTI_MEMORY
        | wasmtime::WasmFeatures::MEMORY64
        | wasmtime::WasmFeatures::EXCEPTIONS
        | wasmtime::WasmFeatures::FUNCTION_REFERENCES
        | wasmtime::WasmFeatures::GC
}

/// An active data segment: where it goes in memory, and where its bytes are in the module.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) bytes: Range<usize>,
}

/// What was read of a module that passed every check.
#[derive(Debug, Default)]
pub(crate) struct Blueprint {
    pub(crate) memory_min_bytes: u64,
    pub(crate) has_memory: bool,
    pub(crate) has_table: bool,
    pub(crate) mutable_globals: Vec<u32>,
    pub(crate) start: Option<u32>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) has_constructors: bool,
    pub(crate) has_zygote: bool,
    pub(crate) has_combiner: bool,
    pub(crate) writes_objects: bool,
    pub(crate) opens_windows: bool,
    /// Whether a function asks for the memory's size or grows it.
    pub(crate) sizes_memory: bool,
    /// Whether a function fills or copies ranges of memory at once.
    pub(crate) moves_memory: bool,
    pub(crate) manifest: Manifest,
    uses_objects: bool,
    has_manifest: bool,
    pub(crate) globals: u32,
    pub(crate) types: Vec<FuncType>,
    /// The types of all functions, imported ones first.
    pub(crate) functions: Vec<u32>,
    has_start: bool,
}

impl Blueprint {
    /// Reads and checks a module.
    ///
    /// # Errors
    /// `Invalid`, saying what is wrong: not WebAssembly, a component, an unsupported feature, an import by name that
    /// Ganglion has not or has with another type, no `_start`, or beyond a limit (with its setting).
    pub(crate) fn read(wasm: &[u8], limits: &ModuleLimits) -> Result<Self> {
        check_kind(wasm, limits)?;
        Validator::new_with_features(FEATURES).validate_all(wasm).map_err(|error| {
            Error::invalid(format!(
                "the module is not valid or uses a feature that is not supported: {} (at byte {})",
                error.message(),
                error.offset()
            ))
        })?;
        let mut blueprint = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            blueprint.take(payload.map_err(malformed)?, limits)?;
        }
        blueprint.finish()
    }

    fn take(&mut self, payload: Payload<'_>, limits: &ModuleLimits) -> Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for function in types.into_iter_err_on_gc_types() {
                    self.types.push(function.map_err(malformed)?);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.take_import(&import.map_err(malformed)?)?;
                }
            }
            Payload::FunctionSection(functions) => {
                for function in functions {
                    self.functions.push(function.map_err(malformed)?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    self.take_table(table.map_err(malformed)?.ty, limits)?;
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.take_memory(memory.map_err(malformed)?, limits)?;
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    self.take_global(global.map_err(malformed)?.ty)?;
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    self.take_export(export.map_err(malformed)?)?;
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::CodeSectionEntry(body) => self.take_body(&body)?,
            Payload::DataSection(segments) => {
                for segment in segments {
                    self.take_segment(&segment.map_err(malformed)?)?;
                }
            }
            Payload::CustomSection(section) if section.name() == SECTION => {
                self.manifest = Manifest::parse(section.data())?;
                self.has_manifest = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_import(&mut self, import: &wasmparser::Import<'_>) -> Result<()> {
        let (module, name) = (import.module, import.name);
        let TypeRef::Func(index) = import.ty else {
            return Err(Error::invalid(format!(
                "the import `{module}.{name}` is not a function: a module must define its own memory, tables and globals"
            )));
        };
        self.functions.push(index);
        let Some(known) = abi::host_function(module, name) else {
            return Err(Error::invalid(unknown_import(module, name)));
        };
        let wanted = &self.types[index as usize];
        if !same_types(wanted.params(), known.params)
            || !same_types(wanted.results(), known.results)
        {
            return Err(Error::invalid(format!(
                "the import `{module}.{name}` has the wrong signature: the module wants {}, Ganglion has {}",
                signature(wanted.params(), wanted.results()),
                signature(&value_types(known.params), &value_types(known.results)),
            )));
        }
        self.writes_objects |= name == abi::PUT;
        self.opens_windows |= name == abi::GET_MMAP;
        self.uses_objects |= name.starts_with("__faasmndp_");
        Ok(())
    }

    fn take_table(&mut self, table: wasmparser::TableType, limits: &ModuleLimits) -> Result<()> {
        if self.has_table {
            return Err(unsupported("more than one table"));
        }
        if !table.element_type.is_func_ref() {
            return Err(unsupported("a table of anything but functions"));
        }
        if table.initial > limits.table_elements {
            return Err(Error::invalid(format!(
                "the module's table has {} elements, limit {} (setting limits.table)",
                table.initial, limits.table_elements
            )));
        }
        self.has_table = true;
        Ok(())
    }

    fn take_memory(&mut self, memory: wasmparser::MemoryType, limits: &ModuleLimits) -> Result<()> {
        if memory.maximum == Some(0) {
            // Every access is known to trap, and so would be the polls (see `poll`).
            return Err(unsupported("a memory that has to stay empty (maximum 0)"));
        }
        self.has_memory = true;
        self.memory_min_bytes = memory.initial * PAGE_BYTES;
        if self.memory_min_bytes > limits.memory_bytes {
            return Err(Error::invalid(format!(
                "the module starts with {} bytes of memory, limit {} (setting limits.memory)",
                self.memory_min_bytes, limits.memory_bytes
            )));
        }
        Ok(())
    }

    fn take_global(&mut self, global: wasmparser::GlobalType) -> Result<()> {
        if global.mutable {
            if !matches!(
                global.content_type,
                ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64
            ) {
                return Err(unsupported("a mutable global that is not a plain number"));
            }
            self.mutable_globals.push(self.globals);
        }
        self.globals += 1;
        Ok(())
    }

    fn take_export(&mut self, export: wasmparser::Export<'_>) -> Result<()> {
        if export.name.starts_with(RESERVED_PREFIX) {
            return Err(Error::invalid(format!(
                "the export `{}` uses the reserved prefix {RESERVED_PREFIX}",
                export.name
            )));
        }
        let takes_and_gives = |results: &[ValType]| {
            let function = self.functions.get(export.index as usize);
            let function = function.map(|index| &self.types[*index as usize]);
            let fits = |f: &FuncType| f.params().is_empty() && f.results() == results;
            export.kind == ExternalKind::Func && function.is_some_and(fits)
        };
        let wrong = |wanted: &str| {
            Error::invalid(format!(
                "the export `{}` must be a function {wanted}",
                export.name
            ))
        };
        match export.name {
            "_start" if takes_and_gives(&[]) => self.has_start = true,
            "_start" => return Err(wrong("() -> ()")),
            "__wasm_call_ctors" if takes_and_gives(&[]) => self.has_constructors = true,
            "__wasm_call_ctors" => return Err(wrong("() -> ()")),
            "_faasm_zygote" if takes_and_gives(&[ValType::I32]) => self.has_zygote = true,
            "_faasm_zygote" => return Err(wrong("() -> i32")),
            abi::COMBINE if takes_and_gives(&[ValType::I32]) => self.has_combiner = true,
            abi::COMBINE => return Err(wrong("() -> i32")),
            _ => {}
        }
        Ok(())
    }

    fn take_segment(&mut self, segment: &wasmparser::Data<'_>) -> Result<()> {
        let DataKind::Active { offset_expr, .. } = &segment.kind else {
            return Ok(());
        };
        let mut operators = offset_expr.get_operators_reader();
        let (value, end) = (
            operators.read().map_err(malformed)?,
            operators.read().map_err(malformed)?,
        );
        let (Operator::I32Const { value }, Operator::End) = (value, end) else {
            return Err(unsupported("a data segment whose place is not a constant"));
        };
        let offset = u64::from(value.cast_unsigned());
        if offset + segment.data.len() as u64 > self.memory_min_bytes {
            return Err(Error::invalid(format!(
                "a data segment of {} bytes at {offset} lies beyond the module's initial memory",
                segment.data.len()
            )));
        }
        let bytes = segment.range.end - segment.data.len()..segment.range.end;
        self.segments.push(Segment { offset, bytes });
        Ok(())
    }

    /// A table that changes while a guest runs would have to travel with it; compilers for C, C++ and Rust never do that.
    fn take_body(&mut self, body: &wasmparser::FunctionBody<'_>) -> Result<()> {
        for operator in body.get_operators_reader().map_err(malformed)? {
            match operator.map_err(malformed)? {
                Operator::TableSet { .. }
                | Operator::TableGrow { .. }
                | Operator::TableFill { .. }
                | Operator::TableCopy { .. }
                | Operator::TableInit { .. } => {
                    return Err(unsupported(
                        "an instruction that changes the function table",
                    ));
                }
                Operator::MemorySize { .. } | Operator::MemoryGrow { .. } => {
                    self.sizes_memory = true
                }
                Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } => {
                    self.moves_memory = true
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Self> {
        if !self.has_start {
            return Err(Error::invalid(
                "the module does not export `_start`: build it as a command (wasm32-wasi), not as a library",
            ));
        }
        if self.manifest.read_only && self.writes_objects {
            return Err(Error::invalid(format!(
                "the module's manifest says `read_only`, and it imports `env.{}`, which writes objects",
                abi::PUT
            )));
        }
        if !self.has_manifest && self.uses_objects {
            self.manifest.object = ObjectFrom::FirstWord;
        }
        Ok(self)
    }
}

fn check_kind(wasm: &[u8], limits: &ModuleLimits) -> Result<()> {
    if wasm.len() as u64 > limits.module_bytes {
        return Err(Error::invalid(format!(
            "the module has {} bytes, limit {} (setting limits.module)",
            wasm.len(),
            limits.module_bytes
        )));
    }
    if !wasm.starts_with(b"\0asm") {
        let seen = wasm
            .iter()
            .take(4)
            .map(|b| format!("{b:02x}"))
            .collect::<Vec<_>>()
            .join(" ");
        return Err(Error::invalid(format!(
            "this is not WebAssembly: a module begins with 00 61 73 6d, this with {}",
            if seen.is_empty() { "nothing" } else { &seen }
        )));
    }
    if Parser::is_component(wasm) {
        return Err(unsupported(
            "a component; upload a core module (wasm32-wasip1)",
        ));
    }
    Ok(())
}

fn unsupported(what: &str) -> Error {
    Error::invalid(format!("not supported: {what}"))
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn malformed(error: wasmparser::BinaryReaderError) -> Error {
    Error::invalid(format!("the module is malformed: {}", error.message()))
}

fn unknown_import(module: &str, name: &str) -> String {
    let hint = if name.starts_with("__ganglion_") {
        "a call of the host that this version of Ganglion does not offer"
    } else if name.starts_with("__faasm") || name.starts_with("__kmpc") || name.starts_with("MPI_")
    {
        "part of Faasm's interface that this version of Ganglion does not offer"
    } else if module == "wasi_unstable" {
        "an old WASI; rebuild with a current wasi-libc"
    } else {
        "not part of the host interface; is a library missing when the module is linked?"
    };
    format!("unknown import `{module}.{name}`: {hint}")
}

fn value_type(ty: AbiType) -> ValType {
    match ty {
        AbiType::I32 => ValType::I32,
        AbiType::I64 => ValType::I64,
    }
}

fn value_types(types: &[AbiType]) -> Vec<ValType> {
    types.iter().copied().map(value_type).collect()
}

fn same_types(wanted: &[ValType], known: &[AbiType]) -> bool {
    wanted
        .iter()
        .copied()
        .eq(known.iter().copied().map(value_type))
}

fn signature(params: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| {
        types
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!("({}) -> ({})", list(params), list(results))
}
