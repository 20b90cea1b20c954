//! Jobs: one function over many objects, its outputs combined near them and then once.
//!
//! ```text
//!   POST /v1/jobs ─ plan       names resolved, once; keys by a pattern                       (`plan`, `over`)
//!        │
//!   keys, page by page ─> unplaced ─ scheduler ─> placed, by node ─ batch ─> the node        (`keys`, `run`, `place`)
//!                            ^                                        │
//!                            │  refused, lost: placed again           │
//!                            └────────────────────────────────────────┤
//!   outputs in the order of the keys, or combined in groups <─────────┘                      (`gather`)
//! ```
//!
//! What a job holds is bounded, however many objects it is over and whatever the nodes refuse: some MiB of keys, two batches at each
//! node, and outputs up to `jobs.result`. With a combiner there are no new batches while it runs and twice `limits.input` waits for it,
//! and outputs of which no two fit its input are kept up to `jobs.result`; beyond, the job fails, as does a batch at its node.
//!
//! A part keeps its call id however often it is sent, so its writes are made once (invariant 4), as long as fewer than 64 others have
//! been made to the same object since. A node has no more parts at once of a function that can write: what is sent again because a node
//! was lost writes nothing twice, unless other parts have meanwhile written the very same object.
//!
//! Absent on purpose: jobs that survive their gateway (whoever asked can ask again), and an order of outputs for a combiner, which
//! must not care.

mod gather;
mod jobs;
mod keys;
mod over;
mod part;
mod place;
mod plan;
mod progress;
mod run;

pub(crate) use jobs::{Job, JobEnd, Jobs};
pub(crate) use plan::{CombineWith, JobAsked, Plan};
pub(crate) use progress::{FAILURES_MAX, Failed, Progress};
