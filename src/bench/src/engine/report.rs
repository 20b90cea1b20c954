//! What was found, and its tables.

use super::fairness::{self, FairnessRow};
use super::mapping::{self, Mapping, MappingRow, SumRow};
use super::restore::{self, RestoreRow};
use crate::aims::{Aim, verdicts};
use crate::report::{Machine, Spread, figure, figure_or_dash, table};
use comfy_table::Cell;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What `bench engine` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EngineReport {
    /// Where.
    pub machine: Machine,
    /// The native program's compiler and flags; `None` where there was none.
    pub compiler: Option<String>,
    /// Instances from images.
    pub restores: Vec<RestoreRow>,
    /// An object as memory.
    pub mapping: MappingRow,
    /// A pass over it.
    pub sums: Vec<SumRow>,
    /// A short call beside long ones.
    pub fairness: FairnessRow,
    /// The aims.
    pub aims: Vec<Aim>,
}

/// What something is compared with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beside {
    /// What.
    pub what: String,
    /// In microseconds.
    pub us: Spread,
    /// How many times as long it takes, at the medians.
    pub ratio: f64,
}

impl EngineReport {
    pub(super) fn of(
        machine: Machine,
        (restores, restores_share): (Vec<RestoreRow>, f64),
        mapping: Mapping,
        (fairness, fairness_share): (FairnessRow, f64),
    ) -> Self {
        let aims = [
            restore::aims(&restores, restores_share),
            mapping::aims(&mapping),
            fairness::aims(&fairness, fairness_share),
        ];
        let Mapping {
            row,
            sums,
            compiler,
            ..
        } = mapping;
        Self {
            machine,
            compiler,
            restores,
            mapping: row,
            sums,
            fairness,
            aims: aims.concat(),
        }
    }
}

impl fmt::Display for EngineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        self.restores(f)?;
        self.mapping(f)?;
        self.sums(f)?;
        self.fairness(f)?;
        verdicts(f, &self.aims)
    }
}

impl EngineReport {
    fn restores(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["guest", "", "us p50", "p99", "min", "/ restore"];
        let mut rows = table(2, header);
        let mut add = |guest: &str, what: &str, us: &Spread, ratio| {
            rows.add_row([
                Cell::new(guest),
                Cell::new(what),
                figure(us.p50),
                figure(us.p99),
                figure(us.min),
                figure_or_dash(ratio),
            ]);
        };
        for row in &self.restores {
            add(&row.guest, "restored: ready to be called", &row.us, None);
            add("", "put back", &row.back_us, None);
            for Beside { what, us, ratio } in &row.beside {
                add("", what, us, Some(*ratio));
            }
        }
        writeln!(f, "\ninstances from images\n{rows}")
    }

    fn mapping(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = table(1, ["", "us p50", "p99", "min", "/ mapping"]);
        let mut add = |what: &str, us: &Spread, ratio| {
            rows.add_row([
                Cell::new(what),
                figure(us.p50),
                figure(us.p99),
                figure(us.min),
                figure_or_dash(ratio),
            ]);
        };
        let row = &self.mapping;
        add("mapping it", &row.map_us, None);
        add("giving it back", &row.unmap_us, None);
        for Beside { what, us, ratio } in &row.beside {
            add(what, us, Some(*ratio));
        }
        let mib = row.object_bytes >> 20;
        writeln!(
            f,
            "\nan object of {mib} MiB in a guest, by the guest's clock\n{rows}"
        )
    }

    fn sums(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = [
            "way",
            "cpu ms p50",
            "p99",
            "wall ms p50",
            "p99",
            "cpu / native",
        ];
        let mut rows = table(1, header);
        for row in &self.sums {
            rows.add_row([
                Cell::new(&row.way),
                figure(row.cpu_ms.p50),
                figure(row.cpu_ms.p99),
                figure(row.wall_ms.p50),
                figure(row.wall_ms.p99),
                figure_or_dash(row.cpu_to_native),
            ]);
        }
        let compiler = self.compiler.as_deref().unwrap_or("no C++ compiler here");
        writeln!(
            f,
            "\nthe sum of its bytes, a guest's with opening and closing it; native: {compiler}\n{rows}"
        )
    }

    fn fairness(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = table(
            1,
            [
                "a short call, on a thread of its own",
                "us p50",
                "p99",
                "min",
            ],
        );
        let row = &self.fairness;
        let beside = format!("beside {} guests that spin", row.spinning);
        for (what, us) in [("alone", &row.alone_us), (&beside, &row.beside_us)] {
            rows.add_row([
                Cell::new(what),
                figure(us.p50),
                figure(us.p99),
                figure(us.min),
            ]);
        }
        writeln!(f, "\nfairness\n{rows}")
    }
}
