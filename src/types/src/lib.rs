//! The nouns of the house: names, identifiers, calls and their answers, limits, errors.
//!
//! Every other room speaks in these. Absent on purpose: input and output, tokio, clocks, randomness (they are
//! *passed in* as an [`Ambient`]), and every format (JSON and HTTP belong to `gateway`, frames to `wire`).

mod ambient;
mod announcement;
mod batch;
mod call;
mod delta;
mod error;
mod id;
mod limits;
mod name;
mod offload;
mod peer;

pub use ambient::{Ambient, Deadline};
pub use announcement::Announcement;
pub use batch::{Batch, Batched, Combiner, Part, take_together};
pub use call::{Answer, Call, End, Entry, Ndp, Site, Start, Usage};
pub use delta::{
    ADDRESSABLE_BYTES, Delta, GlobalValue, MEMORY_UNIT_BYTES, PAGE_BYTES, PageRun, WindowLayout,
    WindowRange,
};
pub use error::{Error, ErrorKind, Result};
pub use id::{CallId, CallIds, ContentHash, NodeId, TraceParent};
pub use limits::{CallLimits, ModuleLimits};
pub use name::{Bucket, FunctionName, FunctionRef, Key, ObjectKey, Tenant};
pub use offload::{Offload, Offloaded, Progress, Returned, Shown, StorageCalls, Windows};
pub use peer::{Alone, Executor, LinkEstimate, Load, Neighbours, Peer};
