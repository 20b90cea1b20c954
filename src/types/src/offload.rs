//! The middle of a call, handed to another node: one function of the guest's table, beside the object that it is about.
//!
//! ```text
//!   caller's node                                 the object's home
//!   guest runs ... storage_call(key, fn, args)
//!   Offload: what changed of its memory  ───────>  the same image, changed alike; fn(args) runs on the object
//!   its memory is changed alike, it goes on <────  Offloaded: what fn changed of it
//! ```

use crate::{Call, Delta, Error, Load, NodeId, ObjectKey, Site, Usage, WindowLayout};
use bytes::Bytes;

/// A guest that waits in a storage call, as far as another node needs it to run the function in its place.
#[derive(Clone, Debug)]
pub struct Offload {
    /// The call that the guest belongs to. Its object is the one that this is about.
    pub call: Call,
    /// Which function of the guest's table.
    pub function: u32,
    /// What it is called with: `i32`s.
    pub arguments: Vec<i32>,
    /// The guest's memory and globals.
    pub memory: Delta,
    /// Its object windows.
    pub windows: Windows,
    /// How far the call has come.
    pub progress: Progress,
}

/// A guest's object windows: where they are, and what those in use show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// Where they are.
    pub layout: WindowLayout,
    /// Bytes by which windows have made the memory larger.
    pub bytes: u64,
    /// What is shown, window by window, in any order. A window that is in use and not here shows zeros.
    pub shown: Vec<Shown>,
}

/// What a window shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Address of the window in the guest's memory.
    pub window: u64,
    /// The object.
    pub object: ObjectKey,
    /// Its version, which is what the window goes on showing whatever is written meanwhile.
    pub version: u64,
    /// Where in the object it begins.
    pub offset: u64,
    /// How many bytes of it are shown.
    pub len_bytes: u64,
}

/// How far a call has come, where a function that goes on with it has to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Writes to objects that it has made: names the next ([`crate::CallId`] and this number).
    pub writes: u32,
    /// Bytes of its input that it has read as stdin.
    pub stdin_read: u64,
    /// Bytes that it has printed on stdout, which count against the limit.
    pub stdout_bytes: u64,
    /// Bytes that it has printed on stderr.
    pub stderr_bytes: u64,
}

/// How the function ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It returned this; the guest goes on.
    Value(i32),
    /// It called `exit`: so has the guest.
    Exited(i32),
    /// It was stopped, by a trap, a limit or its time: so is the guest.
    Failed(Error),
}

/// The function ran; this is all that came of it. One that did not run is an [`Error`] instead.
#[derive(Clone, Debug)]
pub struct Offloaded {
    /// How it ended.
    pub returned: Returned,
    /// What it changed of the memory that came with the [`Offload`], and all globals; nothing unless it returned.
    pub changes: Option<Delta>,
    /// The windows as it left them. It opened none that are still open: what a storage call opens ends with it.
    pub windows: Windows,
    /// What it set as output; `None` when it did not.
    pub output: Option<Bytes>,
    /// What it printed.
    pub stdout: Bytes,
    /// What it printed as errors.
    pub stderr: Bytes,
    /// How far the call has come with it.
    pub progress: Progress,
    /// The node it ran on.
    pub node: NodeId,
    /// What kind of node that is.
    pub site: Site,
    /// What it used.
    pub usage: Usage,
    /// What became of its own storage calls.
    pub storage_calls: StorageCalls,
    /// That node's load as it left it.
    pub load: Load,
}

/// What became of a call's storage calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageCalls {
    /// Run beside their object.
    pub offloaded: u32,
    /// Run where the call ran.
    pub in_place: u32,
    /// Of those, the ones that another node had refused, or of which no answer came.
    pub not_taken: u32,
    /// Bytes of memory that went to other nodes and came back.
    pub delta_bytes: u64,
    /// Why the last one ran where it did; printable ASCII.
    pub last_reason: String,
}
