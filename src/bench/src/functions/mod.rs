//! `bench functions`: what it costs a function to be WebAssembly, for each of the suite.

mod inputs;
mod native;

use crate::aims::{Aim, Bound, verdicts};
use crate::bed::{Bed, NODE, TENANT, succeeded};
use crate::report::{MS, Machine, Spread, failed, figure, figure_or_dash, table, write_json};
use crate::rounds::Rounds;
use bytes::Bytes;
use comfy_table::Cell;
use ganglion_node::{BUNDLED, HostAmbient};
use ganglion_store::{LocalOptions, LocalStore, ObjectStore, PutOptions};
use ganglion_types::{Call, Error, Executor, FunctionRef, NodeId, ObjectKey, Result};
use ganglion_worker::Worker;
use inputs::{CASES, Case};
use native::Programs;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `bench functions` is told.
#[derive(Clone, Debug)]
pub struct FunctionsOptions {
    /// Rounds that count. At least 1.
    pub rounds: usize,
    /// How large the objects are: at 64, 16 MiB of text and pictures of 4 million pixels.
    pub scale: usize,
    /// Where the report is written as JSON.
    pub json: Option<PathBuf>,
}

impl Default for FunctionsOptions {
    /// A minute or two.
    fn default() -> Self {
        Self {
            rounds: 5,
            scale: 64,
            json: None,
        }
    }
}

impl FunctionsOptions {
    /// Some seconds, for tests: every function runs, no figure is worth quoting.
    pub fn quick() -> Self {
        Self {
            rounds: 1,
            scale: 4,
            json: None,
        }
    }
}

/// A function beside the same source on this machine, on one core, the object in memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FunctionRow {
    /// Its name.
    pub function: String,
    /// Size of its object, in bytes.
    pub object_bytes: u64,
    /// Processor time of the guest's thread, in milliseconds.
    pub wasm_cpu_ms: Spread,
    /// Processor time of the native program's thread, in milliseconds; `None` without a compiler.
    pub native_cpu_ms: Option<Spread>,
    /// The one to the other, at the least times: what is not the function's own only adds.
    pub ratio: Option<f64>,
}

/// What `bench functions` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FunctionsReport {
    /// Where.
    pub machine: Machine,
    /// The native programs' compiler and flags; `None` where there was none.
    pub compiler: Option<String>,
    /// Function by function.
    pub rows: Vec<FunctionRow>,
    /// Of the ratios; `None` without a compiler.
    pub geometric_mean: Option<f64>,
    /// The aims.
    pub aims: Vec<Aim>,
}

/// A function in both ways.
struct Subject {
    case: &'static Case,
    object_bytes: u64,
    call: Call,
    program: Option<PathBuf>,
}

/// The times of a subject in a round, in nanoseconds.
#[derive(Default)]
struct Times {
    wasm: Vec<u64>,
    native: Vec<u64>,
}

/// Runs each function in each way.
///
/// # Errors
/// `Internal` when a function fails, does not compile, or the two ways do not answer alike.
pub async fn functions(options: FunctionsOptions) -> Result<FunctionsReport> {
    let machine = Machine::here();
    let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let objects = folder.path().join("native-objects");
    let local = LocalOptions {
        durable: false,
        ..LocalOptions::default()
    };
    let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::open_with(
        folder.path().join("objects"),
        Some(NodeId::new(NODE)?),
        Arc::new(HostAmbient::new()),
        local,
    )?);
    std::fs::create_dir_all(&objects).map_err(failed("a temporary folder"))?;
    let mut sizes = Vec::new();
    for (name, bytes) in inputs::objects(options.scale)? {
        std::fs::write(objects.join(name), &bytes).map_err(failed(name))?;
        sizes.push((name, bytes.len() as u64));
        let key = ObjectKey::new(TENANT, name)?;
        store.put(&key, bytes, PutOptions::default()).await?;
    }
    let bed = Bed::new(&folder.path().join("artefacts"), store.clone())?;
    let worker = bed.worker(bed.modules.clone(), store)?;
    eprintln!("functions: compiling the native programs");
    let sources = folder.path().join("sources");
    std::fs::create_dir_all(&sources).map_err(failed("a temporary folder"))?;
    let programs = Programs::prepare(&sources).await?;
    let mut subjects = Vec::new();
    for case in &CASES {
        let size = sizes.iter().find(|(name, _)| *name == case.object);
        subjects.push(Subject {
            case,
            object_bytes: size.map_or(0, |(_, bytes)| *bytes),
            call: call(&bed, case).await?,
            program: match &programs {
                Some(programs) => Some(programs.program(case.function).await?),
                None => None,
            },
        });
    }
    let mut rounds = Rounds::new("functions", options.rounds);
    while let Some(round) = rounds.begin()? {
        let mut times: Vec<Times> = Vec::new();
        for subject in &subjects {
            times.push(subject.turn(&bed, &worker, &objects).await?);
        }
        rounds.end(&round, times)?;
    }
    let (mut rounds, foreign_share) = rounds.finish();
    let rows = subjects.iter().enumerate().map(|(at, subject)| {
        let times = rounds.iter_mut().map(|round| &mut round[at]);
        subject.row(times.collect())
    });
    let rows: Vec<FunctionRow> = rows.collect();
    let report = FunctionsReport::of(
        machine,
        programs.map(|programs| programs.compiler),
        rows,
        foreign_share,
    );
    options
        .json
        .map_or(Ok(()), |path| write_json(&report, &path))?;
    Ok(report)
}

async fn call(bed: &Bed, case: &Case) -> Result<Call> {
    let bundled = BUNDLED.iter().find(|bundled| bundled.name == case.function);
    let wasm = bundled.map(|bundled| bundled.bytes());
    let wasm = wasm.ok_or_else(|| Error::internal(format!("no function {}", case.function)))?;
    let module = bed.modules.add(wasm).await?.hash;
    let function = FunctionRef::new(TENANT, case.function)?;
    let mut call = bed.call(
        &function,
        module,
        &Bytes::from_static(case.input.as_bytes()),
    );
    call.limits.output_bytes = 1 << 30;
    Ok(call)
}

impl Subject {
    /// Once each way; each has run once before, so that its object is in memory and its code there.
    async fn turn(&self, bed: &Bed, worker: &Worker, objects: &Path) -> Result<Times> {
        let mut times = Times::default();
        let mut output = None;
        for _ in 0..2 {
            let asked = &self.call;
            let call = Call {
                limits: asked.limits,
                ..bed.call(&asked.function, asked.module, &asked.input)
            };
            let answer = succeeded(worker.execute(call).await, &self.call.function)?;
            times.wasm = vec![answer.usage.cpu_ns];
            output = answer.output;
        }
        if let Some(program) = &self.program {
            let ran = native::run(program, objects, 2, self.case.input).await?;
            times.native.extend(ran.cpu_ns.last());
            if output.is_none_or(|output| output != ran.output) {
                let what = format!("{} answers otherwise natively", self.case.function);
                return Err(Error::internal(what));
            }
        }
        Ok(times)
    }

    fn row(&self, mut times: Vec<&mut Times>) -> FunctionRow {
        let mut spread = |of: fn(&mut Times) -> &mut Vec<u64>| {
            let mut all: Vec<u64> = times
                .iter_mut()
                .flat_map(|times| of(times).clone())
                .collect();
            Spread::of_ns(&mut all, MS)
        };
        let wasm = spread(|times| &mut times.wasm);
        let native = self
            .program
            .is_some()
            .then(|| spread(|times| &mut times.native));
        FunctionRow {
            function: self.case.function.to_owned(),
            object_bytes: self.object_bytes,
            ratio: native.as_ref().map(|native| wasm.min / native.min),
            wasm_cpu_ms: wasm,
            native_cpu_ms: native,
        }
    }
}

impl FunctionsReport {
    fn of(
        machine: Machine,
        compiler: Option<String>,
        rows: Vec<FunctionRow>,
        foreign_share: f64,
    ) -> Self {
        let ratios: Option<Vec<f64>> = rows.iter().map(|row| row.ratio).collect();
        let geometric_mean = ratios.as_ref().map(|ratios| {
            let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
            #[allow(clippy::cast_precision_loss, reason = "a dozen")]
            let count = ratios.len() as f64;
            (logarithms / count).exp()
        });
        let aim = |aim: &str, place: &str, ratio, bound| Aim {
            aim: aim.into(),
            place: place.into(),
            ratio,
            bound: Bound::AtMost(bound),
            to_possible: None,
            foreign_share,
        };
        let mean = geometric_mean
            .map(|mean| aim("wasm / native, geometric mean", "the suite", mean, 1.35));
        let each = rows.iter().filter_map(|row| {
            let ratio = row.ratio?;
            Some(aim("wasm / native", &row.function, ratio, 2.0))
        });
        let aims = mean.into_iter().chain(each).collect();
        Self {
            machine,
            compiler,
            geometric_mean,
            aims,
            rows,
        }
    }
}

impl fmt::Display for FunctionsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        let compiler = self.compiler.as_deref().unwrap_or("no C++ compiler here");
        writeln!(
            f,
            "native: {compiler}; one core, the object in memory, the same bytes from both"
        )?;
        let header = [
            "function",
            "object KiB",
            "wasm cpu ms p50",
            "min",
            "native cpu ms p50",
            "min",
            "wasm / native",
        ];
        let mut rows = table(1, header);
        for row in &self.rows {
            let native = row.native_cpu_ms.as_ref();
            #[allow(clippy::cast_precision_loss, reason = "a size to be read")]
            let object_kib = row.object_bytes as f64 / 1024.0;
            rows.add_row([
                Cell::new(&row.function),
                figure(object_kib),
                figure(row.wasm_cpu_ms.p50),
                figure(row.wasm_cpu_ms.min),
                figure_or_dash(native.map(|native| native.p50)),
                figure_or_dash(native.map(|native| native.min)),
                figure_or_dash(row.ratio),
            ]);
        }
        writeln!(f, "{rows}")?;
        if let Some(mean) = self.geometric_mean {
            writeln!(f, "geometric mean: {mean:.2}")?;
        }
        verdicts(f, &self.aims)
    }
}
