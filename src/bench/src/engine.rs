//! A call without HTTP: a fresh instance, the guest, and the memory put back.

use crate::bed::{Bed, TENANT, bundled, made_unique, succeeded};
use crate::report::{Spread, US, failed, figure, table};
use bytes::Bytes;
use comfy_table::Cell;
use ganglion_store::{MemoryStore, ObjectStore};
use ganglion_types::{
    Answer, Call, ContentHash, End, Executor, FunctionRef, Load, NodeId, Result, Site, Start, Usage,
};
use ganglion_worker::Worker;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemArg, MemorySection,
    MemoryType, Module, TypeSection,
};

/// Pages that the generated guests write in a call; their image is [`IMAGE_BYTES`] large.
const WRITTEN_PAGES: [i32; 3] = [1, 16, 256];
const IMAGE_BYTES: i32 = 64 << 20;
const WASM_PAGE_BYTES: i32 = 65_536;
/// Calls in a row before the next subject has its turn.
const TURN: usize = 100;

/// One kind of call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EngineRow {
    /// What is called.
    pub call: String,
    /// Memory that its image fills, in bytes.
    pub image_bytes: u64,
    /// From the call to its answer, in microseconds.
    pub us: Spread,
}

/// What a call costs inside of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EngineReport {
    /// Whether this kernel tells which pages were written; otherwise memories are put back the slower way.
    pub scans_pages: bool,
    /// Calls of functions that are ready, one after the other; the first row is a bare closure.
    pub warm: Vec<EngineRow>,
    /// First calls of functions that are not.
    pub first: Vec<EngineRow>,
}

/// One kind of call, being measured.
struct Subject {
    name: String,
    image_bytes: u64,
    function: FunctionRef,
    module: ContentHash,
    ns: Vec<u64>,
}

/// Measures `calls` warm calls of each kind and `firsts` first ones.
///
/// Has to run on a thread of [`ganglion_node::build_runtime`]'s runtime.
pub(crate) async fn engine(calls: usize, firsts: usize) -> Result<EngineReport> {
    let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let clock = Arc::new(ganglion_node::HostAmbient::new());
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(None, clock, 1 << 30));
    let artefacts = folder.path().join("artefacts");
    let bed = Bed::new(&artefacts, store.clone())?;
    let worker = bed.worker(bed.modules.clone(), store.clone())?;
    let mut subjects = subjects(&bed).await?;
    eprintln!("call: engine, {calls} calls of each kind");
    let mut floor_ns = Vec::new();
    for _ in 0..calls.div_ceil(TURN) {
        floor_turn(&bed, &subjects[0], &mut floor_ns);
        for subject in &mut subjects {
            turn(&bed, &worker, subject).await?;
        }
    }
    let mut warm = vec![row("bare closure".into(), 0, floor_ns)];
    warm.extend(
        subjects
            .into_iter()
            .map(|subject| row(subject.name, subject.image_bytes, subject.ns)),
    );
    let first = first_calls(&bed, &store, &artefacts, firsts).await?;
    Ok(EngineReport {
        scans_pages: bed.scans_pages(),
        warm,
        first,
    })
}

fn row(call: String, image_bytes: u64, mut ns: Vec<u64>) -> EngineRow {
    EngineRow {
        call,
        image_bytes,
        us: Spread::of_ns(&mut ns, US),
    }
}

async fn subjects(bed: &Bed) -> Result<Vec<Subject>> {
    let mut modules = vec![("noop".to_owned(), 0, bundled("noop")?)];
    for pages in WRITTEN_PAGES {
        let name = format!("writes-{pages}");
        modules.push((
            name,
            u64::from(IMAGE_BYTES.cast_unsigned()),
            guest_that_writes(pages),
        ));
    }
    let mut subjects = Vec::new();
    for (name, image_bytes, wasm) in modules {
        let module = bed.modules.add(wasm).await?.hash;
        let function = FunctionRef::new(TENANT, &name)?;
        subjects.push(Subject {
            name,
            image_bytes,
            function,
            module,
            ns: Vec::new(),
        });
    }
    Ok(subjects)
}

/// A turn of calls; the first few of them are not counted, as another subject's turn was before.
async fn turn(bed: &Bed, worker: &Worker, subject: &mut Subject) -> Result<()> {
    const WARM: usize = 20;
    for at in 0..WARM + TURN {
        let call = bed.call(&subject.function, subject.module, &Bytes::new());
        let began_ns = bed.clock.monotonic_ns();
        let answer = worker.execute(call).await;
        let ns = bed.clock.monotonic_ns() - began_ns;
        succeeded(answer, &subject.function)?;
        if at >= WARM {
            subject.ns.push(ns);
        }
    }
    Ok(())
}

/// What is left of a call when there is no engine: an answer is made, the clocks are read.
fn floor_turn(bed: &Bed, subject: &Subject, floor_ns: &mut Vec<u64>) {
    let node = NodeId::new(crate::bed::NODE).expect("the name is a valid one");
    let closure = |_: Call| no_answer(&node);
    for _ in 0..TURN {
        let call = bed.call(&subject.function, subject.module, &Bytes::new());
        let began_ns = bed.clock.monotonic_ns();
        black_box(black_box(&closure)(call));
        floor_ns.push(bed.clock.monotonic_ns() - began_ns);
    }
}

/// The answer of a guest that did nothing.
pub(crate) fn no_answer(node: &NodeId) -> Answer {
    Answer {
        end: End::Exited(0),
        output: None,
        stdout: Bytes::new(),
        stderr: Bytes::new(),
        node: node.clone(),
        site: Site::Compute,
        usage: Usage {
            wait_ns: 0,
            run_ns: 0,
            cpu_ns: 0,
            object_bytes: 0,
            moved_bytes: 0,
            link_ns: 0,
            start: Start::Restored,
        },
        load: Load {
            permits: 1,
            ..Load::default()
        },
    }
}

/// First calls of workers that have nothing ready: with the machine code on disk, and without it.
async fn first_calls(
    bed: &Bed,
    store: &Arc<dyn ObjectStore>,
    artefacts: &std::path::Path,
    firsts: usize,
) -> Result<Vec<EngineRow>> {
    let mut rows = Vec::new();
    for name in ["noop", "wordcount"] {
        eprintln!("call: engine, first calls of {name}");
        let function = FunctionRef::new(TENANT, name)?;
        let wasm = bundled(name)?;
        let (mut loaded_ns, mut compiled_ns) = (Vec::new(), Vec::new());
        for mark in 0..firsts {
            let module = bed.modules.add(made_unique(&wasm, mark as u64)).await?.hash;
            let modules = bed.other_modules(artefacts, store.clone())?;
            let worker = bed.worker(modules, store.clone())?;
            loaded_ns.push(first_call(bed, &worker, &function, module).await?);
            let none = tempfile::tempdir().map_err(failed("a temporary folder"))?;
            let modules = bed.other_modules(none.path(), store.clone())?;
            let worker = bed.worker(modules, store.clone())?;
            compiled_ns.push(first_call(bed, &worker, &function, module).await?);
        }
        rows.push(row(
            format!("{name}, first call, machine code on disk"),
            0,
            loaded_ns,
        ));
        rows.push(row(
            format!("{name}, first call, compiled for it"),
            0,
            compiled_ns,
        ));
    }
    Ok(rows)
}

/// A function may refuse the empty input: only that it ran counts here.
async fn first_call(
    bed: &Bed,
    worker: &Worker,
    function: &FunctionRef,
    module: ContentHash,
) -> Result<u64> {
    let call = bed.call(function, module, &Bytes::new());
    let began_ns = bed.clock.monotonic_ns();
    worker.execute(call).await?;
    Ok(bed.clock.monotonic_ns() - began_ns)
}

/// A module whose zygote fills [`IMAGE_BYTES`] of memory and whose `_start` writes one byte to each of `pages` pages, as far
/// apart as they can be.
fn guest_that_writes(pages: i32) -> Bytes {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0).function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: u64::from((IMAGE_BYTES / WASM_PAGE_BYTES).cast_unsigned()),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("_faasm_zygote", ExportKind::Func, 0);
    exports.export("_start", ExportKind::Func, 1);
    let mut zygote = Function::new([]);
    zygote
        .instructions()
        .i32_const(0)
        .i32_const(0x5a)
        .i32_const(IMAGE_BYTES)
        .memory_fill(0)
        .end();
    let mut start = Function::new([]);
    let byte = MemArg {
        offset: 0,
        align: 0,
        memory_index: 0,
    };
    for page in 0..pages {
        start
            .instructions()
            .i32_const(page * (IMAGE_BYTES / pages))
            .i32_const(1)
            .i32_store8(byte);
    }
    start.instructions().end();
    let mut code = CodeSection::new();
    code.function(&zygote).function(&start);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module.finish().into()
}

impl fmt::Display for EngineReport {
    #[allow(clippy::cast_precision_loss, reason = "image sizes are far below 2^53")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.scans_pages {
            "its written pages"
        } else {
            "dropping all of it (no PAGEMAP_SCAN)"
        };
        writeln!(
            f,
            "engine: instance, guest and memory put back by {way}; inline, in process"
        )?;
        let mut table = table(["call", "image MiB", "us p50", "p99", "min", "calls"]);
        for row in self.warm.iter().chain(&self.first) {
            table.add_row([
                Cell::new(&row.call),
                figure(row.image_bytes as f64 / f64::from(1 << 20)),
                figure(row.us.p50),
                figure(row.us.p99),
                figure(row.us.min),
                Cell::new(row.us.count),
            ]);
        }
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_call_is_measured_as_often_as_asked_for() {
        let settings = ganglion_node::Settings::default();
        let runtime = ganglion_node::build_runtime(&settings).unwrap();
        let report = runtime
            .block_on(runtime.spawn(engine(100, 2)))
            .unwrap()
            .unwrap();
        assert_eq!(report.warm.len(), 2 + WRITTEN_PAGES.len());
        for row in &report.warm {
            assert_eq!(row.us.count, 100, "{}", row.call);
            assert!(row.us.min > 0.0 && row.us.p50 <= row.us.p99, "{row:?}");
        }
        assert!(
            report.first.iter().all(|row| row.us.count == 2),
            "{:?}",
            report.first
        );
        assert!(
            report.warm[0].us.p50 < report.warm[1].us.p50,
            "a closure costs less than a guest"
        );
    }
}
