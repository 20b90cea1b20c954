//! What was found, and its tables.

use super::ProcessorRow;
use super::cells::{Cell, LinkRow};
use super::home::Home;
use super::interference::Interference;
use crate::aims::{Aim, verdicts};
use crate::report::{Machine, figure, table};
use comfy_table::Cell as Field;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What `bench placement` found. All answers were what they have to be, or there is no report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlacementReport {
    /// Where.
    pub machine: Machine,
    /// OSDs, each with a storage worker beside it.
    pub osds: u32,
    /// Guests at once of each storage worker: the setting `storage.permits`.
    pub storage_permits: u32,
    /// Guests at once of the compute worker: the setting `compute.permits`.
    pub compute_permits: u32,
    /// Objects.
    pub objects: usize,
    /// Size of each, in bytes.
    pub object_bytes: usize,
    /// Requests in flight, of every client alike.
    pub in_flight: usize,
    /// Rounds of each cell.
    pub rounds: usize,
    /// Length of a round, in seconds.
    pub round_s: f64,
    /// The native program's compiler and flags.
    pub compiler: String,
    /// What it costs to know where an object is.
    pub home: Home,
    /// Why there are no rows of `cls_lua`, where there are none.
    pub lua_absent: Option<String>,
    /// The processor's limits.
    pub processor: Vec<ProcessorRow>,
    /// The cells.
    pub links: Vec<LinkRow>,
    /// The cost to others.
    pub interference: Interference,
    /// The aims.
    pub aims: Vec<Aim>,
}

impl PlacementReport {
    /// Calls that were forced to one site and ran at the other: the figures are then of a mixture.
    pub fn elsewhere(&self) -> u64 {
        let cells = self.links.iter().flat_map(|link| &link.cells);
        cells.map(Cell::elsewhere).sum()
    }
}

impl fmt::Display for PlacementReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header(f)?;
        self.limits(f)?;
        for link in &self.links {
            cells(f, link)?;
        }
        self.others(f)?;
        self.verdicts(f)
    }
}

impl PlacementReport {
    fn header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            osds,
            storage_permits,
            compute_permits,
            objects,
            in_flight,
            rounds,
            round_s,
            compiler,
            ..
        } = self;
        writeln!(f, "{machine}")?;
        writeln!(
            f,
            "{objects} objects of {} MiB in memory of {osds} OSDs on one copy, {in_flight} requests in flight, {rounds} rounds of {round_s} s taking turns, all answers checked",
            self.object_bytes >> 20
        )?;
        writeln!(
            f,
            "budgets: {osds} storage workers of {storage_permits} guest each (storage.permits), a compute worker of {compute_permits} (compute.permits); all on the same cores"
        )?;
        writeln!(
            f,
            "native: a C++ program over librados on the compute machine ({compiler}); the link's limit: rados bench there"
        )?;
        let Home {
            computed_ns,
            stat_ns,
        } = self.home;
        writeln!(
            f,
            "a key's home: computed in {computed_ns:.0} ns, 1/{:.0} of a stat of the object ({:.0} us)",
            stat_ns / computed_ns,
            stat_ns / 1e3
        )?;
        match &self.lua_absent {
            None => writeln!(f, "lua: the wordcount in the OSD (cls_lua)"),
            Some(why) => writeln!(f, "lua: absent ({why})"),
        }
    }

    fn limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limits = table(1, ["over memory", "guests at once", "MB/s"]);
        for row in &self.processor {
            limits.add_row([
                Field::new(row.kernel),
                Field::new(row.guests),
                figure(row.mb_per_s),
            ]);
        }
        writeln!(
            f,
            "\nthe functions over memory; in the rows `memory` below, {} at once take turns with the other ways\n{limits}",
            self.compute_permits
        )
    }

    fn others(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interference {
            alone_mb_per_s,
            beside_near_data_mb_per_s,
            beside_same_load_mb_per_s,
            near_data_mb_per_s,
            same_load_mb_per_s,
            foreign_share: _,
        } = self.interference;
        let mut reads = table(
            1,
            [
                "plain 4 MiB reads of another client",
                "MB/s",
                "the load's MB/s",
            ],
        );
        reads
            .add_row([Field::new("alone"), figure(alone_mb_per_s), Field::new("-")])
            .add_row([
                Field::new("beside near-data wordcounts that use the whole budget"),
                figure(beside_near_data_mb_per_s),
                figure(near_data_mb_per_s),
            ])
            .add_row([
                Field::new("beside as many wordcounts over memory"),
                figure(beside_same_load_mb_per_s),
                figure(same_load_mb_per_s),
            ]);
        writeln!(f, "\nothers\n{reads}")
    }

    fn verdicts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        verdicts(f, &self.aims)?;
        write!(
            f,
            "\nforced calls that ran at the other site: {}",
            self.elsewhere()
        )
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn cells(f: &mut fmt::Formatter<'_>, link: &LinkRow) -> fmt::Result {
    let mut rows = table(
        2,
        [
            "function",
            "way",
            "MB/s",
            "/ link",
            "ms p50",
            "p99",
            "calls",
            "on storage",
            "link MB/call",
            "cpu ms/call: storage",
            "compute",
        ],
    );
    for cell in &link.cells {
        let each = |sum: f64| figure(sum / cell.calls.max(1) as f64);
        rows.add_row([
            Field::new(cell.kernel),
            Field::new(cell.way),
            figure(cell.mb_per_s),
            figure(cell.mb_per_s / link.transport_mb_per_s),
            figure(cell.latency_ms.p50),
            figure(cell.latency_ms.p99),
            Field::new(cell.calls),
            Field::new(cell.on_storage),
            each((cell.received_bytes + cell.sent_bytes) as f64 / 1e6),
            each(cell.storage_cpu_s * 1e3),
            each(cell.compute_cpu_s * 1e3),
        ]);
    }
    let (speed, limit) = (link.speed, link.transport_mb_per_s);
    writeln!(
        f,
        "\nlink {speed}: rados bench reads {limit:.0} MB/s\n{rows}"
    )
}
