//! A call without HTTP: a fresh instance, the guest, and the memory put back.

use crate::bed::{Bed, TENANT, bundled, made_unique, succeeded};
use crate::guest::guest_that_writes;
use crate::report::{Spread, US, failed, figure, table};
use bytes::Bytes;
use comfy_table::Cell;
use ganglion_store::{MemoryStore, ObjectStore};
use ganglion_types::{
    Answer, Call, ContentHash, End, Error, Executor, FunctionRef, Load, NodeId, Result, Site,
    Start, Usage,
};
use ganglion_worker::{Inline, Worker};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

/// Pages that the generated guests write in a call.
const WRITTEN_PAGES: [u32; 3] = [1, 16, 256];
/// Memory that their zygotes fill.
const IMAGE_MIB: [u32; 2] = [1, 64];
/// Calls in a row before the next subject has its turn, and calls before them that are not counted, because another
/// subject's turn was before.
const TURN: usize = 100;
const TURN_WARM: usize = 20;
/// Copies of each image, for comparison.
const COPIES: usize = 21;

/// One kind of call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WarmRow {
    /// What is called.
    pub call: String,
    /// Memory that its image fills, in bytes.
    pub image_bytes: u64,
    /// From the call to its answer, in microseconds.
    pub us: Spread,
}

/// What a call costs inside of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WarmReport {
    /// Whether this kernel tells which pages were written; otherwise memories are put back the slower way.
    pub scans_pages: bool,
    /// Calls of functions that are ready, one after the other; the first row is a bare closure.
    pub warm: Vec<WarmRow>,
    /// Copying as many bytes as an image has: the least that a call would cost if its memory were made by a copy.
    pub copies: Vec<WarmRow>,
    /// First calls of functions that are not.
    pub first: Vec<WarmRow>,
}

/// One kind of call, being measured.
struct Subject {
    name: String,
    image_bytes: u64,
    worker: Worker,
    function: FunctionRef,
    module: ContentHash,
    ns: Vec<u64>,
}

/// Measures `calls` warm calls of each kind and `firsts` first ones.
///
/// Has to run on a thread of [`ganglion_node::build_runtime`]'s runtime.
pub(crate) async fn warm(calls: usize, firsts: usize) -> Result<WarmReport> {
    let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let clock = Arc::new(ganglion_node::HostAmbient::new());
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(None, clock, 1 << 30));
    let artefacts = folder.path().join("artefacts");
    let bed = Bed::new(&artefacts, store.clone())?;
    let mut subjects = subjects(&bed, &store).await?;
    eprintln!("call: engine, {calls} calls of each kind");
    let mut floor_ns = Vec::new();
    for _ in 0..calls.div_ceil(TURN) {
        floor_turn(&bed, &subjects[0], &mut floor_ns);
        for subject in &mut subjects {
            turn(&bed, subject).await?;
        }
    }
    let mut warm = vec![row("bare closure".into(), 0, floor_ns)];
    let measured = subjects.into_iter();
    warm.extend(measured.map(|subject| row(subject.name, subject.image_bytes, subject.ns)));
    Ok(WarmReport {
        scans_pages: bed.scans_pages(),
        warm,
        copies: IMAGE_MIB.map(|mib| copies(&bed, mib)).into(),
        first: first_calls(&bed, &store, &artefacts, firsts).await?,
    })
}

fn row(call: String, image_bytes: u64, mut ns: Vec<u64>) -> WarmRow {
    WarmRow {
        call,
        image_bytes,
        us: Spread::of_ns(&mut ns, US),
    }
}

async fn subjects(bed: &Bed, store: &Arc<dyn ObjectStore>) -> Result<Vec<Subject>> {
    let inline = bed.worker(bed.modules.clone(), store.clone())?;
    let threads = bed.worker_with(bed.modules.clone(), store.clone(), Inline::new(0), 1)?;
    let noop = bed.modules.add(bundled("noop")?).await?.hash;
    let subject = |name: String, image_bytes: u64, worker: &Worker, module: ContentHash| {
        let (worker, function) = (worker.clone(), FunctionRef::new(TENANT, "guest")?);
        Ok::<_, Error>(Subject {
            name,
            image_bytes,
            worker,
            function,
            module,
            ns: Vec::new(),
        })
    };
    let mut subjects = vec![
        subject("noop".into(), 0, &inline, noop)?,
        subject("noop, on a thread of its own".into(), 0, &threads, noop)?,
    ];
    for mib in IMAGE_MIB {
        for pages in WRITTEN_PAGES {
            let module = bed.modules.add(guest_that_writes(mib, pages)).await?.hash;
            let name = format!("writes {pages} pages");
            subjects.push(subject(name, u64::from(mib) << 20, &inline, module)?);
        }
    }
    Ok(subjects)
}

/// A turn of calls.
async fn turn(bed: &Bed, subject: &mut Subject) -> Result<()> {
    for at in 0..TURN_WARM + TURN {
        let call = bed.call(&subject.function, subject.module, &Bytes::new());
        let began_ns = bed.clock.monotonic_ns();
        let answer = subject.worker.execute(call).await;
        let ns = bed.clock.monotonic_ns() - began_ns;
        succeeded(answer, &subject.function)?;
        if at >= TURN_WARM {
            subject.ns.push(ns);
        }
    }
    Ok(())
}

fn copies(bed: &Bed, mib: u32) -> WarmRow {
    let bytes = (mib as usize) << 20;
    let (image, mut memory) = (vec![0x5a_u8; bytes], vec![1_u8; bytes]);
    let copy = |_| {
        let began_ns = bed.clock.monotonic_ns();
        memory.copy_from_slice(black_box(&image));
        black_box(&memory);
        bed.clock.monotonic_ns() - began_ns
    };
    let ns = (0..COPIES).map(copy).collect();
    row(
        "copying the image, nothing else".into(),
        u64::from(mib) << 20,
        ns,
    )
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
        storage_calls: ganglion_types::StorageCalls::default(),
        usage: Usage {
            wait_ns: 0,
            run_ns: 0,
            cpu_ns: 0,
            object_bytes: 0,
            moved_bytes: 0,
            link_ns: 0,
            store_failures: 0,
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
) -> Result<Vec<WarmRow>> {
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

impl fmt::Display for WarmReport {
    #[allow(clippy::cast_precision_loss, reason = "image sizes are far below 2^53")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.scans_pages {
            "its written pages"
        } else {
            "dropping all of it (no PAGEMAP_SCAN)"
        };
        writeln!(
            f,
            "engine: instance, guest and memory put back by {way}; in process, inline unless said"
        )?;
        let mut table = table(1, ["call", "image MiB", "us p50", "p99", "min", "calls"]);
        for row in self.warm.iter().chain(&self.copies).chain(&self.first) {
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
            .block_on(runtime.spawn(warm(100, 2)))
            .unwrap()
            .unwrap();
        assert_eq!(report.warm.len(), 3 + IMAGE_MIB.len() * WRITTEN_PAGES.len());
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
