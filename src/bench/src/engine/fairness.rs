//! A short call beside guests that never end.

use super::EngineOptions;
use crate::aims::{Aim, Bound};
use crate::bed::{Bed, TENANT, bundled, succeeded};
use crate::report::{Spread, US, failed};
use crate::rounds::Rounds;
use bytes::Bytes;
use ganglion_node::HostAmbient;
use ganglion_store::{MemoryStore, ObjectStore};
use ganglion_types::{ContentHash, Error, Executor, FunctionRef, Result};
use ganglion_worker::{Inline, Worker};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Guests that spin.
const SPINNING: u32 = 4;
/// Short calls in each turn, alone and then beside them.
const CALLS: usize = 40;
/// Between two short calls: one that comes when nothing else of its function runs.
const PAUSE: Duration = Duration::from_millis(1);

/// A short call, in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FairnessRow {
    /// Guests that spin beside it, each on a thread of its own.
    pub spinning: u32,
    /// Alone.
    pub alone_us: Spread,
    /// Beside them.
    pub beside_us: Spread,
    /// The latter to the former, at the 99th percentiles.
    pub p99_ratio: f64,
}

/// The call, and the largest share of all cores that others had meanwhile.
pub(super) async fn fairness(options: &EngineOptions) -> Result<(FairnessRow, f64)> {
    let folder = tempfile::tempdir().map_err(failed("a temporary folder"))?;
    let clock = Arc::new(HostAmbient::new());
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(None, clock, 1 << 20));
    let bed = Bed::new(folder.path(), store.clone())?;
    let node = Node {
        worker: bed.worker_with(bed.modules.clone(), store, Inline::new(0), SPINNING + 1)?,
        function: FunctionRef::new(TENANT, "guest")?,
        short: bed.modules.add(bundled("noop")?).await?.hash,
        spinning: bed.modules.add(guest_that_spins()?).await?.hash,
        bed,
    };
    node.calls(&mut Vec::new()).await?;
    let mut rounds = Rounds::new("engine, fairness", options.rounds);
    while let Some(round) = rounds.begin()? {
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..options.turns {
            node.calls(&mut alone).await?;
            let spinning = node.spin().await?;
            node.calls(&mut beside).await?;
            drop(spinning);
            node.quiet().await;
        }
        rounds.end(&round, [alone, beside])?;
    }
    let (mut rounds, foreign_share) = rounds.finish();
    let [alone_us, beside_us] = [0, 1].map(|at| {
        let spreads = rounds
            .iter_mut()
            .map(|times| Spread::of_ns(&mut times[at], US));
        Spread::of_rounds(&spreads.collect::<Vec<_>>())
    });
    let row = FairnessRow {
        spinning: SPINNING,
        p99_ratio: beside_us.p99 / alone_us.p99,
        alone_us,
        beside_us,
    };
    Ok((row, foreign_share))
}

struct Node {
    bed: Bed,
    worker: Worker,
    function: FunctionRef,
    short: ContentHash,
    spinning: ContentHash,
}

impl Node {
    async fn calls(&self, times: &mut Vec<u64>) -> Result<()> {
        for _ in 0..CALLS {
            tokio::time::sleep(PAUSE).await;
            let call = self.bed.call(&self.function, self.short, &Bytes::new());
            let began_ns = self.bed.clock.monotonic_ns();
            let answer = self.worker.execute(call).await;
            times.push(self.bed.clock.monotonic_ns() - began_ns);
            succeeded(answer, &self.function)?;
        }
        Ok(())
    }

    /// Guests that spin until this is dropped.
    ///
    /// # Errors
    /// `Internal` when one of them ends.
    async fn spin(&self) -> Result<tokio::task::JoinSet<()>> {
        let mut spinning = tokio::task::JoinSet::new();
        for _ in 0..SPINNING {
            let call = self.bed.call(&self.function, self.spinning, &Bytes::new());
            let worker = self.worker.clone();
            spinning.spawn(async move { drop(worker.execute(call).await) });
        }
        while self.worker.load().running < SPINNING {
            if spinning.try_join_next().is_some() {
                return Err(Error::internal("a guest that spins has ended"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(spinning)
    }

    /// Waits until nothing runs: guests are stopped at a beat of the engine.
    async fn quiet(&self) {
        while self.worker.load().running > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn guest_that_spins() -> Result<Bytes> {
    let wasm = wat::parse_str(
        r#"(module (memory (export "memory") 1) (func (export "_start") (loop $again (br $again))))"#,
    );
    let wasm = wasm.map_err(|error| Error::internal(format!("a guest of the bench: {error}")))?;
    Ok(wasm.into())
}

pub(super) fn aims(row: &FairnessRow, foreign_share: f64) -> Vec<Aim> {
    vec![Aim {
        aim: "p99 of a short call beside guests that spin / alone".into(),
        place: format!("{} guests", row.spinning),
        ratio: row.p99_ratio,
        bound: Bound::AtMost(10.0),
        to_possible: None,
        foreign_share,
    }]
}
