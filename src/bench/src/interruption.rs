//! What it costs a guest that it can be stopped: kernels with polls, with epochs, and with nothing.

use crate::bed::{Bed, TENANT, bundled, succeeded};
use crate::report::{MS, Spread, failed, figure, table};
use bytes::Bytes;
use comfy_table::Cell;
use ganglion_registry::Interruption;
use ganglion_store::ObjectStore;
use ganglion_types::{ContentHash, Error, Executor, FunctionRef, Result};
use ganglion_worker::Worker;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// For measuring only; not among the functions that come with Ganglion.
const KERNELS_WASM: &[u8] = include_bytes!("../../../funcs/wasm/kernels.wasm");

/// What is run, on the object `text`.
const KERNELS: [Kernel; 6] = [
    Kernel::of("byte sum", "kernels", "text sum"),
    Kernel::of("longest line", "kernels", "text lines"),
    Kernel::of("sha256", "kernels", "text sha256"),
    Kernel::of("queens", "kernels", "text queens"),
    Kernel::of("byte scan", "scan", "text e"),
    Kernel::of("wordcount", "wordcount", "text"),
];

struct Kernel {
    name: &'static str,
    function: &'static str,
    input: &'static str,
}

impl Kernel {
    const fn of(name: &'static str, function: &'static str, input: &'static str) -> Self {
        Self {
            name,
            function,
            input,
        }
    }
}

/// A kernel's processor time when its guest can be stopped in some way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterruptionCell {
    /// `never`, `never again` (what the measurement itself varies by), `epoch`, `poll`.
    pub way: String,
    /// Processor time of the guest's thread, in milliseconds, with mapping and unmapping the object.
    pub cpu_ms: Spread,
    /// Over `never`'s, each in the round that was least disturbed.
    pub to_never: f64,
}

/// One kernel, each way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterruptionRow {
    /// What it computes.
    pub kernel: String,
    /// The ways, in the order of [`InterruptionReport::to_never`].
    pub cells: Vec<InterruptionCell>,
}

/// What being stoppable costs. All ways gave the same bytes, or there is no report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterruptionReport {
    /// Kernel by kernel.
    pub rows: Vec<InterruptionRow>,
    /// The geometric means of the ratios, way by way.
    pub to_never: Vec<(String, f64)>,
}

/// The ways, of which the first is what the others are compared with.
const WAYS: [(&str, Interruption); 4] = [
    ("never", Interruption::Never),
    ("never again", Interruption::Never),
    ("epoch", Interruption::Epoch),
    ("poll", Interruption::Poll),
];

struct Way {
    bed: Bed,
    worker: Worker,
}

/// Runs each kernel over the object in each way, `rounds` times in turns.
pub(crate) async fn interruption(
    store: &Arc<dyn ObjectStore>,
    rounds: u32,
) -> Result<InterruptionReport> {
    let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let mut rows = Vec::new();
    for kernel in &KERNELS {
        rows.push(measure(kernel, folder.path(), store, rounds).await?);
    }
    let mean_of = |index: usize| geometric_mean(rows.iter().map(|row| row.cells[index].to_never));
    let to_never = WAYS
        .iter()
        .enumerate()
        .map(|(index, (way, _))| ((*way).into(), mean_of(index)))
        .collect();
    Ok(InterruptionReport { rows, to_never })
}

impl Way {
    fn open(by: Interruption, artefacts: &Path, store: &Arc<dyn ObjectStore>) -> Result<Self> {
        let bed = Bed::interrupted_by(by, artefacts, store.clone())?;
        let worker = bed.worker(bed.modules.clone(), store.clone())?;
        Ok(Self { bed, worker })
    }

    /// Runs the kernel once: its output and its processor time.
    async fn run(&self, kernel: &Kernel, module: ContentHash) -> Result<(Bytes, u64)> {
        let function = FunctionRef::new(TENANT, kernel.function)?;
        let input = Bytes::from_static(kernel.input.as_bytes());
        let call = self.bed.call(&function, module, &input);
        let answer = succeeded(self.worker.execute(call).await, &function)?;
        let output = answer.output.unwrap_or_default();
        Ok((output, answer.usage.cpu_ns))
    }
}

async fn measure(
    kernel: &Kernel,
    artefacts: &Path,
    store: &Arc<dyn ObjectStore>,
    rounds: u32,
) -> Result<InterruptionRow> {
    let wasm = match kernel.function {
        "kernels" => Bytes::from_static(KERNELS_WASM),
        other => bundled(other)?,
    };
    let mut cpu_ns = vec![Vec::new(); WAYS.len()];
    let mut expected = None;
    // The first round compiles and warms caches; it is not counted.
    for round in 0..=rounds {
        eprintln!("scan: {} stoppable, round {round} of {rounds}", kernel.name);
        for turn in 0..WAYS.len() {
            // Each round begins with another way, so that none is always behind the same one. And each time the guest has
            // other memory: which of it the caches hold together is a matter of luck, worth a quarter of wordcount's time.
            let way = (turn + round as usize) % WAYS.len();
            let fresh = Way::open(WAYS[way].1, artefacts, store)?;
            let module = fresh.bed.modules.add(wasm.clone()).await?.hash;
            let (output, ns) = fresh.run(kernel, module).await?;
            if *expected.get_or_insert_with(|| output.clone()) != output {
                return Err(Error::internal(format!(
                    "{} gives another result when its guest can be stopped",
                    kernel.name
                )));
            }
            if round > 0 {
                cpu_ns[way].push(ns);
            }
        }
    }
    let spreads = cpu_ns.iter_mut().map(|ns| Spread::of_ns(ns, MS));
    let spreads: Vec<_> = spreads.collect();
    let cells = WAYS
        .iter()
        .zip(&spreads)
        .map(|((way, _), cpu_ms)| InterruptionCell {
            way: (*way).into(),
            cpu_ms: *cpu_ms,
            to_never: cpu_ms.min / spreads[0].min,
        });
    Ok(InterruptionRow {
        kernel: kernel.name.into(),
        cells: cells.collect(),
    })
}

#[allow(clippy::cast_precision_loss, reason = "there are a few of them")]
fn geometric_mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    (values.map(f64::ln).sum::<f64>() / count).exp()
}

impl fmt::Display for InterruptionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["kernel", "cpu ms", "never again", "epoch", "poll"];
        let mut table = table(1, header);
        for row in &self.rows {
            let mut cells = vec![
                Cell::new(&row.kernel),
                figure(row.cells.first().map_or(0.0, |cell| cell.cpu_ms.min)),
            ];
            let others = row.cells.iter().skip(1);
            cells.extend(others.map(|cell| figure(cell.to_never)));
            table.add_row(cells);
        }
        let mut means = vec![Cell::new("geometric mean"), Cell::new("")];
        means.extend(self.to_never.iter().skip(1).map(|(_, mean)| figure(*mean)));
        table.add_row(means);
        writeln!(
            f,
            "what it costs a guest that it can be stopped: processor time over that of one that never can be, the least of all rounds"
        )?;
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_ratios_is_geometric() {
        assert!((geometric_mean([0.5, 2.0, 1.0].into_iter()) - 1.0).abs() < 1e-12);
        assert!((geometric_mean([4.0, 1.0].into_iter()) - 2.0).abs() < 1e-12);
    }
}
