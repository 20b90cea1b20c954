//! `bench placement --ceph`: what carrying the function to the data gains and costs, on a real cluster with a real link.
//!
//! ```text
//!   st0: OSD, worker     st1: OSD, worker     st2: OSD, worker        network namespaces (module `lab`)
//!        └────────────────────┴── bridge ──┴────┘
//!                                    │  limited: 100 Mbit/s to unlimited
//!   cmp: gateway with compute worker, load generator, native program, `rados bench`
//! ```
//!
//! Cells are (link speed, function, way); the ways of a function take turns in rounds, so what disturbs one disturbs all
//! (module `cells`). Beside them stand the limits (modules `transport`, `resident`), what the near-data work costs other readers
//! of the same OSDs (`interference`), and what is aimed at (`aims`).

mod aims;
mod cells;
mod generator;
mod home;
mod interference;
mod kernel;
mod lab;
mod loader;
mod node;
mod plot;
mod report;
mod resident;
mod transport;

pub use cells::{Cell, LinkRow};
pub use generator::generator;
pub use home::Home;
pub use interference::Interference;
pub use kernel::{Kernel, Way};
pub use report::PlacementReport;

use crate::placement_options::{LinkSpeed, PlacementOptions};
use crate::report::{Machine, failed, write_json};
use crate::text::corpus;
use aims::aims;
use bytes::Bytes;
use cells::Bench;
use ganglion_dev_ceph::MiniCeph;
use ganglion_types::{Error, Result};
use home::home;
use interference::interference;
use kernel::write_answers;
use lab::{Folders, Lab, OSDS, STORAGE_PERMITS};
use resident::Resident;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use transport::Transport;

/// Size of each object.
const OBJECT_BYTES: usize = 4 << 20;
/// Requests in flight, of every client alike.
const IN_FLIGHT: usize = 4;
/// Requests in flight that keep every storage worker's queue from running dry.
const SATURATING: usize = 12;
const SEED: u64 = 2026;
/// The pool of the objects, and that of `rados bench`.
const POOL: &str = "ganglion";
const TRANSPORT_POOL: &str = "transport";

/// Measures placement. Starts a Ceph cluster in network namespaces, and copies of this program with the subcommands `serve` and
/// `bench-load`, which has to run [`generator`]. Everything is ended again before this returns, also when `stop` is cancelled.
///
/// Has to run on [`ganglion_node::build_runtime`]'s runtime, as root.
///
/// # Errors
/// `Denied` without root; `Unavailable` when a program is missing, naming its package, or a part does not start; `Internal` when
/// an answer is wrong.
pub async fn placement(
    options: PlacementOptions,
    stop: CancellationToken,
) -> Result<PlacementReport> {
    let machine = Machine::here();
    check_machine()?;
    // Not given up in the middle: it would go on, and nobody would end what it starts.
    eprintln!("placement: starting a Ceph cluster of {OSDS} OSDs in namespaces");
    let ceph = blocking(lab::up).await?;
    let ceph = Arc::new(ceph);
    let measured = tokio::select! {
        measured = measure(ceph.clone(), machine, &options) => measured,
        () = stop.cancelled() => Err(Error::unavailable("stopped before its end")),
    };
    let ceph = Arc::into_inner(ceph).expect("who measures holds it no longer");
    let ended = blocking(move || lab::down(ceph)).await;
    let report = measured.and_then(|report| ended.map(|()| report))?;
    if let Some(path) = &options.plot {
        plot::write(&report, path)?;
    }
    let json = options.json;
    json.map_or(Ok(()), |path| write_json(&report, &path))?;
    Ok(report)
}

async fn measure(
    ceph: Arc<MiniCeph>,
    machine: Machine,
    options: &PlacementOptions,
) -> Result<PlacementReport> {
    let root = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let folders = Folders {
        root: root.path().to_owned(),
        answers: root.path().join("answers"),
    };
    let texts = texts(&folders, options.objects).await?;
    let store = lab::connect(&ceph).await?;
    lab::store_objects(&store, &texts).await?;
    let home = home(&store, options.objects).await?;
    drop(store);
    let mut lab = Lab::start(ceph.clone(), &folders, options).await?;
    let lua = cells::lua(&mut lab).await;
    let mut bench = Bench {
        lab,
        transport: Transport::prepare(&ceph, options.objects).await?,
        resident: Resident::new(&root.path().join("artefacts"), &texts).await?,
        lua: lua.is_ok(),
        options,
    };
    let processor = processor(&bench.resident, options).await?;
    let mut links = Vec::new();
    for speed in &options.links {
        links.push(cells::link(&mut bench, *speed).await?);
    }
    ceph.limit_compute(None)?;
    let interference = interference(&mut bench).await?;
    Ok(PlacementReport {
        machine,
        osds: OSDS,
        storage_permits: STORAGE_PERMITS,
        compute_permits: cores(),
        objects: options.objects,
        object_bytes: OBJECT_BYTES,
        in_flight: IN_FLIGHT,
        rounds: options.rounds,
        round_s: options.round.as_secs_f64(),
        compiler: bench.lab.compiler,
        home,
        lua_absent: lua.err().map(|error| error.to_string()),
        processor,
        aims: aims(&links, &interference),
        links,
        interference,
    })
}

/// The objects, one text in pieces; the answers that are to come are written beside.
async fn texts(folders: &Folders, objects: usize) -> Result<Vec<Bytes>> {
    eprintln!(
        "placement: writing {objects} objects of {} MiB",
        OBJECT_BYTES >> 20
    );
    let answers = folders.answers.clone();
    blocking(move || {
        let all = corpus(SEED, objects * OBJECT_BYTES);
        let piece = |object| all.slice(object * OBJECT_BYTES..(object + 1) * OBJECT_BYTES);
        let texts: Vec<Bytes> = (0..objects).map(piece).collect();
        std::fs::create_dir(&answers).map_err(failed(answers.display()))?;
        write_answers(&answers, &texts)?;
        Ok(texts)
    })
    .await
}

/// What the machine's cores do of a function whose objects are in memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessorRow {
    /// Which function.
    pub kernel: Kernel,
    /// Guests at once.
    pub guests: u32,
    /// Object bytes, in 10^6 bytes per second.
    pub mb_per_s: f64,
}

/// Each function over memory: alone, as many guests as cores, as many as the storage workers run.
async fn processor(resident: &Resident, options: &PlacementOptions) -> Result<Vec<ProcessorRow>> {
    let mut guests = vec![1, cores(), OSDS * STORAGE_PERMITS];
    guests.sort_unstable();
    guests.dedup();
    let mut rows = Vec::new();
    for kernel in Kernel::ALL {
        for &guests in &guests {
            eprintln!("placement: {kernel} over memory, {guests} at once");
            let loaded = resident.load(kernel, guests, options.round / 2).await?;
            rows.push(ProcessorRow {
                kernel,
                guests,
                mb_per_s: loaded.mb_per_s(),
            });
        }
    }
    Ok(rows)
}

/// Cores of this machine; as many guests does the compute worker run at once (`compute.permits` = 0).
fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(u32::MAX)
}

/// What the measurement needs of the machine, told at once: it starts many things.
fn check_machine() -> Result<()> {
    const PROGRAMS: [(&str, &str); 7] = [
        ("ceph-mon", "ceph-mon"),
        ("ceph-osd", "ceph-osd"),
        ("rados", "ceph-common"),
        ("ip", "iproute2"),
        ("tc", "iproute2"),
        ("nsenter", "util-linux"),
        ("c++", "g++"),
    ];
    if !rustix::process::geteuid().is_root() {
        return Err(Error::denied(
            "network namespaces need root: run `ganglion bench placement` as root",
        ));
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let missing =
        |program: &str| !std::env::split_paths(&paths).any(|path| path.join(program).exists());
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| missing(program))
        .map(|(_, package)| *package)
        .collect();
    if !std::path::Path::new("/usr/include/rados/librados.h").exists() {
        packages.push("librados-dev");
    }
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    Err(Error::unavailable(format!(
        "not installed here: apt-get install --no-install-recommends {}",
        packages.join(" ")
    )))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal(format!("the measurement: {error}")))?
}
