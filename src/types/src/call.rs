//! One call, from whichever dialect it came, and its answer.

use crate::{
    CallId, CallLimits, ContentHash, Deadline, Error, FunctionRef, Load, NodeId, ObjectKey,
    StorageCalls, TraceParent,
};
use bytes::Bytes;
use std::fmt;

/// Where a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// A node that keeps no objects: data comes to it.
    Compute,
    /// The node that holds the object: the call comes to it.
    Storage,
}

impl Site {
    /// The name in answers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Storage => "storage",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a call may run on a storage node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ndp {
    /// The scheduler chooses.
    #[default]
    Allowed,
    /// On storage wherever that is possible, whatever it costs: for tests and measurements.
    Preferred,
    /// Never on storage (`forbid_ndp`), whatever it would save; everything that the call starts inherits it.
    Forbidden,
}

/// Where a guest is entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Entry {
    /// `_start`: the function itself.
    #[default]
    Main,
    /// `ganglion_combine`, which makes one output of several ([`crate::Combiner`]). It writes no objects.
    Combine,
}

/// A call, ready to be placed: names are checked, and the function is resolved to one content.
///
/// `object` is what the caller says the call is about; the guest is not bound to it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Names this call in every answer, log line and committed object.
    pub id: CallId,
    /// The function's name, for people and for grants.
    pub function: FunctionRef,
    /// Its content. A later upload of the same name does not touch this call.
    pub module: ContentHash,
    /// Where it is entered.
    pub entry: Entry,
    /// What the guest reads as input and as stdin.
    pub input: Bytes,
    /// `argv[1..]` of the guest.
    pub args: Vec<String>,
    /// The object that decides where the call runs best.
    pub object: Option<ObjectKey>,
    /// Whether storage nodes are allowed.
    pub ndp: Ndp,
    /// When it has to be over.
    pub deadline: Deadline,
    /// What it may use.
    pub limits: CallLimits,
    /// The trace that it belongs to, when its caller said so.
    pub trace: Option<TraceParent>,
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It returned, or called `exit`, with this code.
    Exited(i32),
    /// It was ended: a trap or a limit ([`crate::ErrorKind::Guest`]) or its time ([`crate::ErrorKind::Deadline`]).
    Failed(Error),
}

/// How the guest's instance came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// Restored from an image that this node had.
    Restored,
    /// This node first had to load or compile the module and make its image.
    Cold,
}

/// What a call used, measured where it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// From arrival at the node to the guest's first instruction, in nanoseconds.
    pub wait_ns: u64,
    /// From the guest's first instruction to its last, in nanoseconds of wall time.
    pub run_ns: u64,
    /// Processor time of the guest's thread meanwhile, in nanoseconds.
    pub cpu_ns: u64,
    /// Object bytes that the guest read, from wherever.
    pub object_bytes: u64,
    /// Of those, the bytes that crossed a link between nodes to reach it, and written object bytes that crossed one.
    pub moved_bytes: u64,
    /// Time that the guest waited for bytes on such a link, in nanoseconds; part of `run_ns`.
    pub link_ns: u64,
    /// How often it was told that an object could not be read or written because the store was busy, away, or gave no answer: the same
    /// call may succeed later.
    pub store_failures: u32,
    /// How the instance came to be.
    pub start: Start,
}

/// A guest ran; this is all that came of it. A call that did not run is an [`Error`] instead.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it ended.
    pub end: End,
    /// What it set as output; `None` when it never did.
    pub output: Option<Bytes>,
    /// What it printed.
    pub stdout: Bytes,
    /// What it printed as errors.
    pub stderr: Bytes,
    /// The node it ran on.
    pub node: NodeId,
    /// What kind of node that is.
    pub site: Site,
    /// What it used.
    pub usage: Usage,
    /// What became of its storage calls.
    pub storage_calls: StorageCalls,
    /// That node's load as the call left it.
    pub load: Load,
}
