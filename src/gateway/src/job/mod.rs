//! Jobs: one function over many objects, its outputs combined near them and then once.
//!
//! ```text
//!   POST /v1/jobs ─ plan       names resolved, once; keys by a pattern                       (`plan`, `over`)
//!        │
//!   keys, page by page ─> unplaced ─ scheduler ─> placed, by node ─ batch ─> the node        (`run`, `place`)
//!                            ^                                        │
//!                            │  refused, lost: placed again           │
//!                            └────────────────────────────────────────┤
//!   outputs in the order of the keys, or combined in groups <─────────┘                      (`gather`)
//! ```
//!
//! What a job holds is bounded, however many objects it is over: some pages of keys, two batches at each node, and outputs up to
//! `jobs.result`, or with a combiner about `limits.input`. A part keeps its call id however often it is sent, so its writes are made
//! once (invariant 4).
//!
//! Absent on purpose: jobs that survive their gateway (whoever asked can ask again), and an order of outputs for a combiner, which
//! must not care.

mod gather;
mod jobs;
mod over;
mod part;
mod place;
mod plan;
mod progress;
mod run;

pub(crate) use jobs::{Job, JobEnd, Jobs};
pub(crate) use plan::{CombineWith, JobAsked, Plan};
pub(crate) use progress::{FAILURES_MAX, Failed, Progress};
