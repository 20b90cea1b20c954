//! The times of a round, by what they are of.

use crate::report::Spread;
use ganglion_types::Ndp;
use std::collections::HashMap;

/// What was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// An empty message there and its answer back.
    RoundTrip,
    /// A storage call of a guest that had dirtied so many pages.
    Offload(u32),
    /// A part of it.
    Part(u32, Part),
    /// A piece of work on slots, by itself.
    Piece(u32, Piece),
    /// An instance, ready to be called.
    Restore,
    /// As many bytes as the whole memory has, over the connection.
    Transfer,
    /// A whole call over an object of so many bytes.
    Call(u64, Forced),
}

/// The parts that an offload is the sum of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// At the guest's node: what changed is taken out, it is decided where to go, and what came back is put in.
    Here,
    /// Both messages.
    Link,
    /// At the object's node, but for the function: a thread, an instance, what changed put in and taken out, the slot put back.
    There,
    /// The function itself.
    Function,
}

/// Work on slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    TakenOut,
    PutIn,
    Compared,
    PutBack,
}

/// Where a call's storage call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Forced {
    InPlace,
    AtTheObject,
}

impl Forced {
    pub(super) const ALL: [Self; 2] = [Self::InPlace, Self::AtTheObject];

    pub(super) fn ndp(self) -> Ndp {
        match self {
            Self::InPlace => Ndp::Forbidden,
            Self::AtTheObject => Ndp::Preferred,
        }
    }
}

/// In nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Times(HashMap<What, Vec<u64>>);

impl Times {
    pub(super) fn add(&mut self, what: What, ns: u64) {
        self.0.entry(what).or_default().push(ns);
    }

    /// Over several rounds, in units of `unit_ns`.
    pub(super) fn spread(rounds: &mut [Self], what: What, unit_ns: f64) -> Spread {
        let times = rounds.iter_mut().filter_map(|round| round.0.get_mut(&what));
        let spreads: Vec<Spread> = times.map(|ns| Spread::of_ns(ns, unit_ns)).collect();
        Spread::of_rounds(&spreads)
    }
}
