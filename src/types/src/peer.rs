//! A node as others see it: something that executes calls, with a load and a link.

use crate::{Answer, Batch, Batched, Call, Error, NodeId, Offload, Offloaded, Result, Site};
use async_trait::async_trait;
use std::sync::Arc;

/// What a node says of its own work, on every answer and heartbeat; nobody polls for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Guests that may run at once.
    pub permits: u32,
    /// Guests running now.
    pub running: u32,
    /// Calls waiting for a permit.
    pub queued: u32,
    /// Smoothed run time of a call here, in nanoseconds; 0 before the first.
    pub service_ns: u64,
    /// Whether it refuses new calls because it is being shut down.
    pub draining: bool,
}

/// What past transfers say of the link to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEstimate {
    /// Sustained rate of object bytes, in bytes per second.
    pub bytes_per_s: u64,
    /// Time of a small request and its answer, in nanoseconds.
    pub round_trip_ns: u64,
}

/// Runs calls: a worker in this process, or one behind a socket.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs the call to its end.
    ///
    /// Dropping the future cancels the call: the guest is stopped, and what it had committed stays.
    ///
    /// # Errors
    /// `Busy` and `Unavailable` promise that nothing ran. `Indeterminate` is said when the answer was lost, `Conflict` when the guest
    /// was stopped because somebody else had written what it worked on: it is to be run again, as the same call. A guest that failed
    /// is not an error here but an [`Answer`].
    async fn execute(&self, call: Call) -> Result<Answer>;

    /// Goes on with a call that another node runs, for one function of its table.
    ///
    /// Dropping the future stops that function; what it had committed stays.
    ///
    /// # Errors
    /// As [`Executor::execute`]; whatever the error, the caller may run the function itself. `Unavailable` where no one takes
    /// the middle of a call.
    async fn offload(&self, offload: Offload) -> Result<Offloaded> {
        Err(Error::unavailable(format!(
            "whole calls only are run here: {} is not gone on with",
            offload.call.id
        )))
    }

    /// Runs calls of one function over many objects, as many at once as there are permits for, and combines their outputs where the
    /// batch says how.
    ///
    /// Dropping the future stops those that run; what they had committed stays.
    ///
    /// # Errors
    /// As [`Executor::execute`] for the batch as a whole, `Guest` when the combiner failed, `Invalid` when the outputs are beyond
    /// the batch's limit. What becomes of a single part is in the answer. `Unavailable` where no one takes batches.
    async fn batch(&self, batch: Batch) -> Result<Batched> {
        Err(Error::unavailable(format!(
            "single calls only are run here: {} is not taken",
            batch.common.id
        )))
    }
}

/// The nodes that a worker can hand the middle of a call to.
pub trait Neighbours: Send + Sync + 'static {
    /// The node of that name, when it is known and is not in this process.
    fn find(&self, node: &NodeId) -> Option<Arc<dyn Peer>>;
}

/// A node that knows no others.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Neighbours for Alone {
    fn find(&self, _node: &NodeId) -> Option<Arc<dyn Peer>> {
        None
    }
}

/// A node that calls can be placed on.
pub trait Peer: Executor {
    /// Its name.
    fn id(&self) -> &NodeId;

    /// What kind of node it is.
    fn site(&self) -> Site;

    /// Its last known load; `None` while it cannot be reached.
    fn load(&self) -> Option<Load>;

    /// What is known of the link to it; `None` when it is in this process or nothing was ever sent.
    fn link(&self) -> Option<LinkEstimate>;

    /// Where it listens, for people; `None` when it is in this process.
    fn address(&self) -> Option<String>;
}
