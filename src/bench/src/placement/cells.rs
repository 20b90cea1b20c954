//! The cells: each function over all objects, in each way, at each speed of the link.

use super::kernel::{Kernel, Way};
use super::lab::{Lab, Used};
use super::loader::{Job, Loaded};
use super::resident::Resident;
use super::transport::Transport;
use super::{LinkSpeed, PlacementOptions, cores};
use crate::foreign::{Foreign, Share};
use crate::report::{MS, Spread, median};
use ganglion_dev_ceph::Place;
use ganglion_types::Result;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One function, one way, at one speed of the link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// Which function.
    pub kernel: Kernel,
    /// Which way.
    pub way: Way,
    /// Object bytes gone over, in 10^6 bytes per second: the median of the rounds.
    pub mb_per_s: f64,
    /// From a request to the end of its answer, in milliseconds, over all rounds.
    pub latency_ms: Spread,
    /// Calls, or objects.
    pub calls: u64,
    /// Of those, the ones that a storage worker answered.
    pub on_storage: u64,
    /// Bytes that the compute machine received, over all rounds.
    pub received_bytes: u64,
    /// Bytes that it sent.
    pub sent_bytes: u64,
    /// Processor time of OSDs and storage workers, in seconds, over all rounds.
    pub storage_cpu_s: f64,
    /// Processor time of gateway, compute worker and whoever loads, in seconds.
    pub compute_cpu_s: f64,
    /// What programs that are not part of this had of all cores meanwhile: the largest share of a round.
    pub foreign_share: f64,
}

impl Cell {
    /// Calls that were forced to one site and ran at the other.
    pub fn elsewhere(&self) -> u64 {
        match self.way {
            Way::On => self.calls - self.on_storage,
            Way::Off => self.on_storage,
            Way::Auto | Way::Native | Way::Lua | Way::Memory => 0,
        }
    }
}

/// The cells of one speed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkRow {
    /// The link.
    pub speed: LinkSpeed,
    /// What `rados bench` reads over it, in 10^6 bytes per second: the transport's limit.
    pub transport_mb_per_s: f64,
    /// Function by function, way by way.
    pub cells: Vec<Cell>,
}

impl LinkRow {
    /// What a way did of a function, where it was measured.
    pub(super) fn cell(&self, kernel: Kernel, way: Way) -> Option<&Cell> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.kernel == kernel && cell.way == way)
    }
}

/// Whether OSDs here run scripts: what they said if not.
pub(super) async fn lua(lab: &mut Lab) -> Result<()> {
    let job = Job {
        way: Way::Lua,
        kernel: Kernel::Wordcount,
        duration: Duration::from_millis(1),
    };
    lab.native.load(job).await.map(drop)
}

/// What measures.
pub(super) struct Bench<'a> {
    pub(super) lab: Lab,
    pub(super) transport: Transport<'a>,
    pub(super) resident: Resident,
    /// Whether there is `cls_lua`.
    pub(super) lua: bool,
    pub(super) options: &'a PlacementOptions,
}

/// Measures all cells at one speed.
pub(super) async fn link(bench: &mut Bench<'_>, speed: LinkSpeed) -> Result<LinkRow> {
    bench.lab.ceph.limit_compute(speed.bits_per_s)?;
    let mut transport = Vec::new();
    let mut cells = Vec::new();
    for kernel in Kernel::ALL {
        eprintln!("placement: {speed}: rados bench");
        let time = 2 * bench.options.round;
        transport.push(bench.transport.mb_per_s(Place::Compute, time).await?);
        cells.extend(of_kernel(bench, speed, kernel).await?);
    }
    Ok(LinkRow {
        speed,
        transport_mb_per_s: median(transport),
        cells,
    })
}

/// A turn of one way, and what it used.
struct Turn {
    loaded: Loaded,
    before: Used,
    after: Used,
    foreign: Share,
}

/// A way's turns in a cell.
async fn of_kernel(bench: &mut Bench<'_>, speed: LinkSpeed, kernel: Kernel) -> Result<Vec<Cell>> {
    let mut turns: Vec<(Way, Vec<Turn>)> = Way::ALL.map(|way| (way, Vec::new())).into();
    if !bench.lua || kernel != Kernel::Wordcount {
        turns.retain(|(way, _)| *way != Way::Lua);
    }
    let rounds = bench.options.rounds;
    // The first round warms up and is not counted: the scheduler learns the link anew.
    for round in 0..=rounds {
        eprintln!("placement: {speed}: {kernel}, round {round} of {rounds}");
        for (way, turns) in &mut turns {
            // A script takes so long that it has one turn.
            if *way == Way::Lua && round < rounds {
                continue;
            }
            let turn = turn(bench, kernel, *way, round == 0).await?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    let cells = turns.iter().map(|(way, turns)| cell(kernel, *way, turns));
    Ok(cells.collect())
}

async fn turn(bench: &mut Bench<'_>, kernel: Kernel, way: Way, warm_up: bool) -> Result<Turn> {
    let Bench {
        lab,
        resident,
        options,
        ..
    } = bench;
    let job = Job {
        way,
        kernel,
        duration: if warm_up {
            options.round / 2
        } else {
            options.round
        },
    };
    let foreign = Foreign::begin(lab.cluster())?;
    let before = lab.used()?;
    let loaded = match way {
        Way::On | Way::Off | Way::Auto => lab.generator.load(job).await?,
        Way::Native | Way::Lua => lab.native.load(job).await?,
        Way::Memory => resident.load(kernel, cores(), job.duration).await?,
    };
    let after = lab.used()?;
    Ok(Turn {
        loaded,
        before,
        after,
        foreign: foreign.end()?,
    })
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts and durations are far below 2^53"
)]
fn cell(kernel: Kernel, way: Way, turns: &[Turn]) -> Cell {
    let calls = |turn: &Turn| turn.loaded.latencies_ns.len() as u64;
    let all = turns.iter().flat_map(|turn| &turn.loaded.latencies_ns);
    let mut latencies_ns: Vec<u64> = all.copied().collect();
    let sum = |used: fn(&Used) -> u64| -> u64 {
        let grown = turns
            .iter()
            .map(|turn| used(&turn.after) - used(&turn.before));
        grown.sum()
    };
    Cell {
        kernel,
        way,
        mb_per_s: median(turns.iter().map(|turn| turn.loaded.mb_per_s())),
        latency_ms: Spread::of_ns(&mut latencies_ns, MS),
        calls: turns.iter().map(calls).sum(),
        on_storage: turns.iter().map(|turn| turn.loaded.on_storage).sum(),
        received_bytes: sum(|used| used.link.received),
        sent_bytes: sum(|used| used.link.sent),
        storage_cpu_s: sum(|used| used.storage_cpu_ns) as f64 / 1e9,
        compute_cpu_s: sum(|used| used.compute_cpu_ns) as f64 / 1e9,
        foreign_share: turns.iter().map(|turn| turn.foreign.0).fold(0.0, f64::max),
    }
}
