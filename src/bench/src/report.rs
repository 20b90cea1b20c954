//! What every report has: the machine, spreads, tables, a file.

use comfy_table::{Cell, CellAlignment, Table, TableComponent, presets};
use ganglion_types::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// Where the figures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// The processor's name, as the kernel has it.
    pub cpu: String,
    /// The kernel's release.
    pub kernel: String,
    /// Processes that wanted a core in the minute before, on the average: what disturbs the figures.
    pub load: String,
    /// Ganglion's version, and whether it is built with optimisation.
    pub build: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|_| "unknown".into());
        let cpus = read("/proc/cpuinfo");
        let model = cpus
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: model.map_or("unknown", |(_, name)| name).trim().into(),
            kernel: read("/proc/sys/kernel/osrelease").trim().into(),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or("unknown")
                .into(),
            build: format!("{} {profile}", env!("CARGO_PKG_VERSION")),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cores,
            cpu,
            kernel,
            load,
            build,
        } = self;
        write!(
            f,
            "{cores} x {cpu}, Linux {kernel}, load {load} before; ganglion {build}"
        )
    }
}

/// Many measurements of one thing. Which unit they have, the field that holds them says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub p50: f64,
    /// What 99 in 100 do not exceed; of fewer than 100 measurements, the largest.
    pub p99: f64,
    /// The smallest.
    pub min: f64,
    /// How many there were.
    pub count: usize,
}

impl Spread {
    /// Of nanoseconds, in units of `unit_ns`.
    #[allow(
        clippy::cast_precision_loss,
        reason = "durations are far below 2^53 ns"
    )]
    pub(crate) fn of_ns(samples: &mut [u64], unit_ns: f64) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| {
            let index = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
            samples.get(index).map_or(0.0, |ns| *ns as f64 / unit_ns)
        };
        Self {
            p50: at(50),
            p99: at(99),
            min: at(0),
            count: samples.len(),
        }
    }
}

/// A nanosecond count per microsecond and per millisecond.
pub(crate) const US: f64 = 1e3;
pub(crate) const MS: f64 = 1e6;

impl Spread {
    /// The median of each figure over several spreads of the same thing, so that a disturbed round does not decide.
    pub(crate) fn of_rounds(rounds: &[Self]) -> Self {
        Self {
            p50: median(rounds.iter().map(|round| round.p50)),
            p99: median(rounds.iter().map(|round| round.p99)),
            min: rounds
                .iter()
                .map(|round| round.min)
                .reduce(f64::min)
                .unwrap_or_default(),
            count: rounds.iter().map(|round| round.count).sum(),
        }
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A table with lines above and below its rows; the first `words` columns are words, the others are figures.
pub(crate) fn table<const N: usize>(words: usize, header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::LeftBorderIntersections)
        .remove_style(TableComponent::MiddleIntersections)
        .remove_style(TableComponent::RightBorderIntersections)
        .set_header(header);
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A figure with three digits or so.
pub(crate) fn figure(value: f64) -> Cell {
    Cell::new(match value {
        value if value.abs() < 10.0 => format!("{value:.2}"),
        value if value.abs() < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    })
}

/// The figure, or a dash where there was nothing to measure.
pub(crate) fn figure_or_dash(value: Option<f64>) -> Cell {
    value.map_or_else(|| Cell::new("-"), figure)
}

pub(crate) fn write_json(report: &impl Serialize, path: &Path) -> Result<()> {
    let text = serde_json::to_vec_pretty(report)
        .map_err(|error| Error::internal(format!("a report as JSON: {error}")))?;
    std::fs::write(path, text).map_err(failed(path.display()))
}

/// An error of the system, told with what it happened to.
pub(crate) fn failed<C: fmt::Display>(context: C) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::unavailable(format!("{context}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_names_the_median_and_the_tail() {
        let mut samples: Vec<u64> = (1..=1000).rev().map(|us| us * 1000).collect();
        let spread = Spread::of_ns(&mut samples, US);
        assert_eq!(
            spread,
            Spread {
                p50: 501.0,
                p99: 991.0,
                min: 1.0,
                count: 1000
            }
        );
        assert_eq!(Spread::of_ns(&mut [], US), Spread::default());
        assert_eq!(Spread::of_ns(&mut [5000, 9000, 1000], US).p99, 9.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
    }
}
