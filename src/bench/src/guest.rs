//! A guest that is made for the measurement.

use bytes::Bytes;
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemArg, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};

const WASM_PAGES_PER_MIB: u32 = 16;
const MIB: u32 = 1 << 20;

/// A module whose zygote fills `image_mib` MiB of memory with a byte that is not 0, and whose `_start` writes one byte to
/// each of `pages` pages of 4 KiB, as far apart as they can be.
pub(crate) fn guest_that_writes(image_mib: u32, pages: u32) -> Bytes {
    const NOTHING: u32 = 0;
    const CODE: u32 = 1;
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(CODE).function(NOTHING);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: u64::from(image_mib * WASM_PAGES_PER_MIB),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("_faasm_zygote", ExportKind::Func, 0);
    exports.export("_start", ExportKind::Func, 1);
    let mut code = CodeSection::new();
    code.function(&zygote(image_mib * MIB))
        .function(&start(image_mib * MIB, pages));
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module.finish().into()
}

fn zygote(image_bytes: u32) -> Function {
    let mut zygote = Function::new([]);
    let mut code = zygote.instructions();
    code.i32_const(0)
        .i32_const(0x5a)
        .i32_const(image_bytes.cast_signed())
        .memory_fill(0);
    code.i32_const(0).end();
    zygote
}

fn start(image_bytes: u32, pages: u32) -> Function {
    let mut start = Function::new([]);
    let mut code = start.instructions();
    for page in 0..pages {
        let address = page * (image_bytes / pages);
        let byte = MemArg {
            offset: 0,
            align: 0,
            memory_index: 0,
        };
        code.i32_const(address.cast_signed())
            .i32_const(1)
            .i32_store8(byte);
    }
    code.end();
    start
}
