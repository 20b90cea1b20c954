//! What a decision is made from.

use crate::{Profile, Unfit};
use ganglion_types::{LinkEstimate, Load, Ndp, NodeId, ObjectKey, Site};

/// All that is known when a call is placed.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Whether storage nodes are allowed.
    pub ndp: Ndp,
    /// Bytes that go to the node with the call: its input and, in the middle of a call, the delta.
    pub input_bytes: u64,
    /// The object that the call names.
    pub object: Option<ObjectFacts<'a>>,
    /// Every node that is a member, in any order that stays the same from call to call.
    pub candidates: &'a [Candidate<'a>],
    /// What is known of the function.
    pub profile: &'a Profile,
    /// Draws the two compute nodes that are compared: a counter or a random number, another one for each call.
    pub spread: u64,
}

/// The object that a call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectFacts<'a> {
    /// Its name, for the explanation.
    pub key: &'a ObjectKey,
    /// Its size; `None` when nobody has looked.
    pub size_bytes: Option<u64>,
    /// The node that holds it; `None` when nobody knows.
    pub home: Option<&'a NodeId>,
}

/// A node that the call could be placed on.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name.
    pub node: &'a NodeId,
    /// What kind of node it is.
    pub site: Site,
    /// What it last said of its work; `None` while it cannot be reached. With no permits it takes no calls.
    pub load: Option<Load>,
    /// The way from the caller to it.
    pub link: Link,
    /// The way from it to the object's home; not looked at on the home itself, nor when no object is named.
    pub object_link: Link,
    /// Whether it has already refused this very call; it is not asked again.
    pub refused: bool,
}

/// The way between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Bytes cross no network; they cost nothing.
    SameProcess,
    /// Nothing was ever sent; the priors hold.
    Unmeasured,
    /// What past transfers say.
    Measured(LinkEstimate),
}

impl<'a> Candidate<'a> {
    /// Its load, when it can take this call.
    pub(crate) fn fit(&self) -> Result<Load, Unfit> {
        let load = self.load.ok_or(Unfit::Unreachable)?;
        match load {
            _ if self.refused => Err(Unfit::Refused),
            Load { draining: true, .. } => Err(Unfit::Draining),
            Load { permits: 0, .. } => Err(Unfit::NoPermits),
            _ => Ok(load),
        }
    }
}

impl<'a> Facts<'a> {
    /// The node that holds the object, when both are known.
    pub(crate) fn home(&self) -> Option<&'a NodeId> {
        self.object.and_then(|object| object.home)
    }
}
