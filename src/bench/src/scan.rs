//! Kernels over one large object: in a guest with the object mapped, in a guest with it copied, and native; and in guests that
//! can be stopped in each way.

use crate::bed::{Bed, NODE, TENANT, bundled, succeeded};
use crate::interruption::{InterruptionReport, interruption};
use crate::native::Native;
use crate::report::{MS, Machine, Spread, failed, figure, figure_or_dash, table, write_json};
use crate::text::corpus;
use async_trait::async_trait;
use bytes::Bytes;
use comfy_table::Cell;
use ganglion_store::{
    ByteRange, Condition, ListPage, LocalOptions, LocalStore, ObjectMeta, ObjectRead, ObjectStore,
    ObjectUpload, ObjectView, PutOptions, Version,
};
use ganglion_types::{
    Bucket, ContentHash, Error, Executor, FunctionRef, Key, NodeId, ObjectKey, Result,
};
use ganglion_worker::Worker;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

/// The object's key.
pub(crate) const OBJECT: &str = "text";
const SEED: u64 = 2026;

/// What `bench scan` is told.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// Size of the object, in bytes.
    pub object_bytes: usize,
    /// How often each way runs each kernel; the ways take turns. At least 1.
    pub rounds: u32,
    /// Where the report is written as JSON.
    pub json: Option<PathBuf>,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            object_bytes: 64 << 20,
            rounds: 11,
            json: None,
        }
    }
}

/// One kernel, one way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KernelRow {
    /// `wordcount` or `scan`.
    pub kernel: String,
    /// `native`; `wasm, mapped`; `wasm, copied`.
    pub way: String,
    /// Processor time of the thread that runs the kernel, in milliseconds, with mapping and unmapping the object.
    pub cpu_ms: Spread,
    /// Processor time of the whole process meanwhile, in milliseconds: with whoever copies for that thread.
    pub process_cpu_ms: Option<Spread>,
    /// Wall time of the whole call, in milliseconds.
    pub wall_ms: Spread,
    /// Object bytes per wall time at the median, in 10^6 bytes per second.
    pub mb_per_s: f64,
    /// `cpu_ms` at the median over native's.
    pub cpu_to_native: Option<f64>,
    /// `wall_ms` at the median over native's.
    pub wall_to_native: Option<f64>,
    /// Bytes copied to bring the object to the guest, in each call.
    pub copied_bytes: u64,
}

/// What `bench scan` found. All ways gave the same bytes, or there is no report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScanReport {
    /// Where.
    pub machine: Machine,
    /// The native kernels' compiler; `None` where there was none.
    pub compiler: Option<String>,
    /// Size of the object, in bytes.
    pub object_bytes: usize,
    /// How often each was run.
    pub rounds: u32,
    /// Kernel by kernel.
    pub rows: Vec<KernelRow>,
    /// What it costs a guest that it can be stopped.
    pub interruption: InterruptionReport,
}

/// Runs each kernel over one object of generated text in each way.
///
/// # Errors
/// `Unavailable` when the temporary folder cannot be used, `Internal` when two ways give different bytes, the worker's.
pub async fn scan(options: ScanOptions) -> Result<ScanReport> {
    let machine = Machine::here();
    let mut ways = Ways::open(options.object_bytes).await?;
    let mut rows = Vec::new();
    for kernel in &KERNELS {
        rows.extend(measure(kernel, &mut ways, &options).await?);
    }
    let interruption = interruption(&ways.store, options.rounds).await?;
    let ScanOptions {
        object_bytes,
        rounds,
        json,
    } = options;
    let compiler = ways.native.map(|native| native.compiler);
    let report = ScanReport {
        machine,
        compiler,
        object_bytes,
        rounds,
        rows,
        interruption,
    };
    json.map_or(Ok(()), |path| write_json(&report, &path))?;
    Ok(report)
}

/// What is run over the object.
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// What the guest is told.
    pub(crate) input: &'static str,
    /// What the native program is told.
    pub(crate) command: &'static str,
}

const KERNELS: [Kernel; 2] = [
    Kernel {
        name: "wordcount",
        input: "text",
        command: "wordcount",
    },
    Kernel {
        name: "scan",
        input: "text e",
        command: "scan e",
    },
];

/// The ways that a kernel can run.
pub(crate) struct Ways {
    pub(crate) bed: Bed,
    store: Arc<dyn ObjectStore>,
    pub(crate) mapped: Worker,
    pub(crate) copied: Worker,
    pub(crate) native: Option<Native>,
    /// Native opens it by our descriptor.
    _object: Arc<File>,
    _folder: tempfile::TempDir,
}

impl Ways {
    /// Writes the object and compiles the native kernels.
    pub(crate) async fn open(object_bytes: usize) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
        let clock = Arc::new(ganglion_node::HostAmbient::new());
        let local = LocalOptions {
            durable: false,
            ..LocalOptions::default()
        };
        let objects = folder.path().join("objects");
        let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::open_with(
            objects,
            Some(NodeId::new(NODE)?),
            clock,
            local,
        )?);
        let bed = Bed::new(&folder.path().join("artefacts"), store.clone())?;
        eprintln!("scan: writing {} MiB of text", object_bytes >> 20);
        let key = ObjectKey::new(TENANT, OBJECT)?;
        let text = corpus(SEED, object_bytes);
        store.put(&key, text, PutOptions::default()).await?;
        let mapped = bed.worker(bed.modules.clone(), store.clone())?;
        let afar = Arc::new(Afar(store.clone()));
        let copied = bed.worker(bed.modules.clone(), afar)?;
        let ObjectView::File { file, .. } = store.view(&key).await? else {
            return Err(Error::internal(
                "an object of a local store that is no file",
            ));
        };
        eprintln!("scan: compiling the native kernels");
        // The very file that the guests map, so that the page cache holds it in pages of the same size.
        let path = PathBuf::from(format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            file.as_raw_fd()
        ));
        let size_bytes = object_bytes as u64;
        let native = Native::start(folder.path(), &path, size_bytes).await?;
        if native.is_none() {
            eprintln!(
                "scan: no C++ compiler (c++) here, so there is nothing native to compare with"
            );
        }
        Ok(Self {
            bed,
            store,
            mapped,
            copied,
            native,
            _object: file,
            _folder: folder,
        })
    }
}

/// Measurements of one kernel, one way.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) cpu_ns: Vec<u64>,
    process_cpu_ns: Vec<u64>,
    pub(crate) wall_ns: Vec<u64>,
    copied_bytes: u64,
}

async fn measure(
    kernel: &Kernel,
    ways: &mut Ways,
    options: &ScanOptions,
) -> Result<Vec<KernelRow>> {
    let module = ways.bed.modules.add(bundled(kernel.name)?).await?.hash;
    let mut samples = Round::default();
    // The first round warms caches and makes images; it is not counted.
    for round in 0..=options.rounds {
        eprintln!("scan: {} round {round} of {}", kernel.name, options.rounds);
        ways.round(kernel, module, &mut samples).await?;
        if round == 0 {
            samples = Round::default();
        }
    }
    let Round {
        native,
        mapped,
        copied,
    } = samples;
    let native = ways
        .native
        .is_some()
        .then(|| row(kernel, "native", native, options));
    let base = native.as_ref().map(|row| (row.cpu_ms.p50, row.wall_ms.p50));
    let guests = [("wasm, mapped", mapped), ("wasm, copied", copied)];
    let guests = guests.map(|(way, samples)| {
        let row = row(kernel, way, samples, options);
        KernelRow {
            cpu_to_native: base.map(|(cpu, _)| row.cpu_ms.p50 / cpu),
            wall_to_native: base.map(|(_, wall)| row.wall_ms.p50 / wall),
            ..row
        }
    });
    Ok(native.into_iter().chain(guests).collect())
}

/// Measurements of one kernel, way by way.
#[derive(Default)]
pub(crate) struct Round {
    pub(crate) native: Samples,
    pub(crate) mapped: Samples,
    pub(crate) copied: Samples,
}

impl Ways {
    /// Runs a kernel once in each way, and compares.
    ///
    /// # Errors
    /// `Internal` when two ways give different bytes, the worker's.
    pub(crate) async fn round(
        &mut self,
        kernel: &Kernel,
        module: ContentHash,
        samples: &mut Round,
    ) -> Result<()> {
        let function = FunctionRef::new(TENANT, kernel.name)?;
        let Round {
            native,
            mapped,
            copied,
        } = samples;
        let asked = (&function, module, kernel.input);
        let here = run(&self.bed, &self.mapped, asked, mapped).await?;
        let afar = run(&self.bed, &self.copied, asked, copied).await?;
        same(kernel.name, &here, &afar)?;
        if let Some(process) = &mut self.native {
            let ran = process.run(kernel.command).await?;
            native.cpu_ns.push(ran.cpu_ns);
            native.wall_ns.push(ran.wall_ns);
            same(kernel.name, &here, &ran.output)?;
        }
        Ok(())
    }
}

/// Runs the function once, and returns its output.
async fn run(
    bed: &Bed,
    worker: &Worker,
    (function, module, input): (&FunctionRef, ContentHash, &'static str),
    samples: &mut Samples,
) -> Result<Bytes> {
    let call = bed.call(function, module, &Bytes::from_static(input.as_bytes()));
    let (began_ns, process_began_ns) = (bed.clock.monotonic_ns(), process_cpu_ns());
    let answer = succeeded(worker.execute(call).await, function)?;
    samples.wall_ns.push(bed.clock.monotonic_ns() - began_ns);
    samples
        .process_cpu_ns
        .push(process_cpu_ns() - process_began_ns);
    samples.cpu_ns.push(answer.usage.cpu_ns);
    samples.copied_bytes = answer.usage.moved_bytes;
    answer
        .output
        .ok_or_else(|| Error::internal(format!("{function} set no output")))
}

fn same(kernel: &str, one: &Bytes, other: &Bytes) -> Result<()> {
    if one == other {
        Ok(())
    } else {
        Err(Error::internal(format!(
            "{kernel} gives one result with the object mapped and another without"
        )))
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "object sizes are far below 2^53"
)]
fn row(kernel: &Kernel, way: &str, mut samples: Samples, options: &ScanOptions) -> KernelRow {
    let wall_ms = Spread::of_ns(&mut samples.wall_ns, MS);
    let process = (!samples.process_cpu_ns.is_empty())
        .then(|| Spread::of_ns(&mut samples.process_cpu_ns, MS));
    KernelRow {
        kernel: kernel.name.into(),
        way: way.into(),
        cpu_ms: Spread::of_ns(&mut samples.cpu_ns, MS),
        process_cpu_ms: process,
        wall_ms,
        mb_per_s: options.object_bytes as f64 / 1e3 / wall_ms.p50,
        cpu_to_native: None,
        wall_to_native: None,
        copied_bytes: samples.copied_bytes,
    }
}

fn process_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The same objects as another node's would be: they cannot be mapped here and have to be read.
struct Afar(Arc<dyn ObjectStore>);

#[async_trait]
impl ObjectStore for Afar {
    async fn put(&self, key: &ObjectKey, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        self.0.put(key, body, options).await
    }
    async fn upload(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn ObjectUpload>> {
        self.0.upload(key, options).await
    }
    async fn get(
        &self,
        key: &ObjectKey,
        range: ByteRange,
        version: Option<Version>,
    ) -> Result<ObjectRead> {
        self.0.get(key, range, version).await
    }
    async fn stat(&self, key: &ObjectKey) -> Result<ObjectMeta> {
        self.0.stat(key).await
    }
    async fn delete(&self, key: &ObjectKey, condition: Condition) -> Result<()> {
        self.0.delete(key, condition).await
    }
    async fn list(
        &self,
        bucket: &Bucket,
        prefix: &str,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<ListPage> {
        self.0.list(bucket, prefix, after, limit).await
    }
    async fn buckets(&self) -> Result<Vec<Bucket>> {
        self.0.buckets().await
    }
    async fn view(&self, key: &ObjectKey) -> Result<ObjectView> {
        Ok(ObjectView::Remote {
            meta: self.0.stat(key).await?,
        })
    }
    fn home(&self, _key: &ObjectKey) -> Option<NodeId> {
        NodeId::new("afar").ok()
    }
}

impl fmt::Display for ScanReport {
    #[allow(
        clippy::cast_precision_loss,
        reason = "object sizes are far below 2^53"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(
            2,
            [
                "kernel",
                "way",
                "cpu ms p50",
                "p99",
                "process cpu",
                "wall ms p50",
                "p99",
                "MB/s",
                "cpu / native",
                "wall / native",
                "copied MB",
            ],
        );
        for row in &self.rows {
            table.add_row([
                Cell::new(&row.kernel),
                Cell::new(&row.way),
                figure(row.cpu_ms.p50),
                figure(row.cpu_ms.p99),
                figure_or_dash(row.process_cpu_ms.map(|spread| spread.p50)),
                figure(row.wall_ms.p50),
                figure(row.wall_ms.p99),
                figure(row.mb_per_s),
                figure_or_dash(row.cpu_to_native),
                figure_or_dash(row.wall_to_native),
                figure(row.copied_bytes as f64 / 1e6),
            ]);
        }
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "native: {}",
            self.compiler.as_deref().unwrap_or("no C++ compiler here")
        )?;
        let object_mb = self.object_bytes as f64 / 1e6;
        writeln!(
            f,
            "one object of {object_mb:.1} MB, {} rounds taking turns, the same bytes from all",
            self.rounds
        )?;
        writeln!(f, "{table}")?;
        write!(f, "{}", self.interruption)
    }
}
