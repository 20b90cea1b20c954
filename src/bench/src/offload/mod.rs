//! `bench offload`: what it costs to go on with a call at the node that has its object.
//!
//! ```text
//!   compute node                        storage node
//!   guest ─ storage call                worker
//!     │ taken out ── what it changed ─────> put in, function, compared      (modules `guest`, `nodes`)
//!     │ put back  <──── what that changed ──┘
//! ```
//!
//! Two nodes of this process, each with a runtime and an engine of its own, and one TCP connection. The guest looks at the clock
//! before and after its storage call; beside it stand an empty message's round trip on the same connection, all of the guest's
//! memory over it, and the pieces of work on slots by themselves (module `pieces`).

mod guest;
mod nodes;
mod pieces;
mod report;
mod times;

pub use report::{DeltaRow, EndRow, OffloadReport, PartRow};

use crate::bed::{TENANT, succeeded};
use crate::report::{Machine, write_json};
use crate::rounds::Rounds;
use crate::text::corpus;
use bytes::Bytes;
use ganglion_store::{ByteRange, ObjectStore};
use ganglion_types::{Answer, ContentHash, Error, Executor, FunctionRef, Ndp, ObjectKey, Result};
use ganglion_worker::Rehearsal;
use guest::{RETURNED, guest_that_adds, guest_that_leaves};
use nodes::Nodes;
use pieces::Pieces;
use std::path::PathBuf;
use times::{Forced, Part, Times, What};

/// The image of the guest that is offloaded.
const IMAGE_MIB: u32 = 64;
const WHOLE_PAGES: u32 = IMAGE_MIB << 8;
/// Pages that it has dirtied: next to nothing, and 0.1, 1 and 10 in 100 of its image.
const PAGES: [u32; 4] = [2, 17, 164, 1639];
/// Sizes of the objects of whole calls.
const OBJECT_BYTES: [u64; 4] = [4 << 10, 1 << 20, 16 << 20, 64 << 20];
/// The object of the guests that only leave is the smallest.
const SEED: u64 = 2026;
/// Calls before the first round: functions are made ready, and runs of short ones recognised.
const WARM: usize = 32;
/// Subjects take turns after so many measurements.
const TURN: u32 = 10;

/// What `bench offload` is told.
#[derive(Clone, Debug)]
pub struct OffloadOptions {
    /// Rounds that count. At least 1.
    pub rounds: usize,
    /// Turns of all subjects in each round. At least 1.
    pub turns: usize,
    /// Where the report is written as JSON.
    pub json: Option<PathBuf>,
}

impl Default for OffloadOptions {
    /// Half a minute where nobody disturbs it.
    fn default() -> Self {
        Self {
            rounds: 7,
            turns: 20,
            json: None,
        }
    }
}

impl OffloadOptions {
    /// A few seconds, for tests: every part runs, no figure is worth quoting.
    pub fn quick() -> Self {
        Self {
            rounds: 1,
            turns: 2,
            json: None,
        }
    }
}

/// Measures offloads.
///
/// Has to run on [`ganglion_node::build_runtime`]'s runtime.
///
/// # Errors
/// `Unavailable` when a node does not start, `Internal` when a call ran elsewhere than it was told to or gave another answer, the
/// worker's.
pub async fn offload(options: OffloadOptions) -> Result<OffloadReport> {
    let machine = Machine::here();
    let OffloadOptions {
        rounds,
        turns,
        json,
    } = options;
    // On a thread of the runtime, which has room for a guest's stack: the caller's own may not.
    let measured = tokio::spawn(async move {
        let bench = Bench::start().await?;
        let mut measured = Rounds::new("offload", rounds);
        while let Some(round) = measured.begin()? {
            let times = bench.round(turns).await?;
            measured.end(&round, times)?;
        }
        Ok::<_, Error>(measured.finish())
    });
    let measured = measured.await;
    let (mut rounds, foreign_share) =
        measured.map_err(|error| Error::internal(format!("measuring offloads: {error}")))??;
    let report = OffloadReport::of(machine, &mut rounds, foreign_share);
    json.map_or(Ok(()), |path| write_json(&report, &path))?;
    Ok(report)
}

fn object_of(bytes: u64) -> String {
    format!("object-{bytes}")
}

struct Bench {
    nodes: Nodes,
    pieces: Pieces,
    function: FunctionRef,
    leaving: Vec<(u32, ContentHash)>,
    adding: ContentHash,
    /// What adding up gives, object by object.
    sums: Vec<(u64, Bytes)>,
    /// The guest that leaves, at the storage node.
    rehearsal: Rehearsal,
}

impl Bench {
    async fn start() -> Result<Self> {
        eprintln!("offload: starting two nodes");
        let texts = OBJECT_BYTES.map(|bytes| (bytes, corpus(SEED, length(bytes))));
        let objects = texts
            .iter()
            .map(|(bytes, text)| (object_of(*bytes), text.clone()));
        let nodes = Nodes::start(&objects.collect::<Vec<_>>()).await?;
        let mut leaving = Vec::new();
        for pages in PAGES {
            let guest = guest_that_leaves(IMAGE_MIB, pages, &object_of(OBJECT_BYTES[0]))?;
            leaving.push((pages, nodes.compute.modules.add(guest).await?.hash));
        }
        let adding = nodes.compute.modules.add(guest_that_adds()?).await?.hash;
        let function = FunctionRef::new(TENANT, "guest")?;
        let call = nodes.compute.call(&function, leaving[0].1, &Bytes::new());
        let bench = Self {
            pieces: Pieces::new(nodes.compute.clock.clone())?,
            rehearsal: nodes.storage.rehearse(call).await?,
            sums: texts.map(|(bytes, text)| (bytes, sum(&text))).into(),
            nodes,
            function,
            leaving,
            adding,
        };
        for _ in 0..WARM {
            bench.turn(&mut Times::default()).await?;
        }
        Ok(bench)
    }

    async fn round(&self, turns: usize) -> Result<Times> {
        let mut times = Times::default();
        for _ in 0..turns {
            self.turn(&mut times).await?;
        }
        self.pieces.round(&mut times)?;
        for _ in 0..turns.div_ceil(TURN as usize) {
            self.transfer(&mut times).await?;
        }
        for (bytes, sum) in &self.sums {
            for _ in 0..turns {
                for forced in Forced::ALL {
                    self.call(*bytes, sum, forced, &mut times).await?;
                }
            }
        }
        Ok(times)
    }

    /// Everything that is short.
    async fn turn(&self, times: &mut Times) -> Result<()> {
        let clock = &self.nodes.compute.clock;
        for _ in 0..TURN {
            let began_ns = clock.monotonic_ns();
            self.nodes.link.round_trip().await?;
            times.add(What::RoundTrip, clock.monotonic_ns() - began_ns);
        }
        for (pages, module) in &self.leaving {
            // As many pages in all, within reason.
            let calls = (TURN * 17 / pages).clamp(1, TURN);
            for _ in 0..calls {
                self.leave(*pages, *module, times).await?;
            }
        }
        for _ in 0..TURN {
            let began_ns = clock.monotonic_ns();
            let standing = self.rehearsal.restore()?;
            times.add(What::Restore, clock.monotonic_ns() - began_ns);
            drop(standing);
        }
        Ok(())
    }

    /// One call of a guest that has its function run beside the object.
    async fn leave(&self, pages: u32, module: ContentHash, times: &mut Times) -> Result<()> {
        let answer = self.execute(module, &Bytes::new(), Ndp::Preferred).await?;
        let calls = &answer.storage_calls;
        let delta_bytes = u64::from(pages) * 4096;
        let seen = self.nodes.watched.take();
        let (Some(seen), 1) = (seen, calls.offloaded) else {
            return Err(elsewhere(&answer));
        };
        let output = answer.output.unwrap_or_default();
        let &[before, after] = words(&output)?.as_slice() else {
            return Err(Error::internal("the guest gave no times"));
        };
        if calls.delta_bytes != delta_bytes || output[16..] != RETURNED.to_le_bytes() {
            return Err(Error::internal(format!(
                "a guest that was to carry {delta_bytes} bytes carried {}, or its function returned something else",
                calls.delta_bytes
            )));
        }
        let total_ns = after - before;
        let there_ns = seen.around_ns + seen.run_ns;
        for (part, ns) in [
            (Part::Here, total_ns.saturating_sub(seen.elapsed_ns)),
            (Part::Link, seen.elapsed_ns.saturating_sub(there_ns)),
            (Part::There, seen.around_ns),
            (Part::Function, seen.run_ns),
        ] {
            times.add(What::Part(pages, part), ns);
        }
        times.add(What::Offload(pages), total_ns);
        Ok(())
    }

    /// All bytes of a memory, over the connection.
    async fn transfer(&self, times: &mut Times) -> Result<()> {
        let bytes = u64::from(IMAGE_MIB) << 20;
        let key = ObjectKey::new(TENANT, object_of(bytes))?;
        let range = ByteRange {
            offset: 0,
            length: bytes,
        };
        let clock = &self.nodes.compute.clock;
        let began_ns = clock.monotonic_ns();
        let read = self.nodes.objects.get(&key, range, None).await?;
        times.add(What::Transfer, clock.monotonic_ns() - began_ns);
        if read.bytes.len() as u64 != bytes {
            return Err(Error::internal("an object came without its end"));
        }
        Ok(())
    }

    /// A whole call.
    async fn call(&self, bytes: u64, sum: &Bytes, forced: Forced, times: &mut Times) -> Result<()> {
        let input = Bytes::from(object_of(bytes));
        let clock = &self.nodes.compute.clock;
        let began_ns = clock.monotonic_ns();
        let answer = self.execute(self.adding, &input, forced.ndp()).await?;
        times.add(What::Call(bytes, forced), clock.monotonic_ns() - began_ns);
        let is_offloaded = answer.storage_calls.offloaded == 1;
        if is_offloaded != (forced == Forced::AtTheObject) {
            return Err(elsewhere(&answer));
        }
        if answer.output.as_ref() != Some(sum) {
            return Err(Error::internal(
                "the object's words add up to something else",
            ));
        }
        Ok(())
    }

    async fn execute(&self, module: ContentHash, input: &Bytes, ndp: Ndp) -> Result<Answer> {
        let mut call = self.nodes.compute.call(&self.function, module, input);
        call.ndp = ndp;
        succeeded(self.nodes.worker.execute(call).await, &self.function)
    }
}

fn elsewhere(answer: &Answer) -> Error {
    Error::internal(format!(
        "a storage call did not run where it was told to: {}",
        answer.storage_calls.last_reason
    ))
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn words(bytes: &Bytes) -> Result<Vec<u64>> {
    let words = bytes.as_chunks().0.iter();
    Ok(words.map(|word| u64::from_le_bytes(*word)).collect())
}

/// As the guest adds.
fn sum(text: &Bytes) -> Bytes {
    let words = text.as_chunks().0.iter();
    let words = words.map(|word| u64::from_le_bytes(*word));
    let sum = words.fold(0_u64, u64::wrapping_add);
    Bytes::copy_from_slice(&sum.to_le_bytes())
}
